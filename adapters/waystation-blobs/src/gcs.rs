//! Google Cloud Storage.

use object_store::gcp::GoogleCloudStorageBuilder;

use crate::cloud::{choose_tls, named, retries};
use crate::url::Url;
use crate::{Objects, OpenError};

/// Opens `gs://BUCKET/FOLDER`. It has no options: `GOOGLE_APPLICATION_CREDENTIALS` says who asks.
pub fn open(url: &Url<'_>, variables: &[(String, String)]) -> Result<Objects, OpenError> {
    choose_tls();
    let (bucket, folder) = url.bucket()?;
    url.options(&[])?;
    let mut builder = GoogleCloudStorageBuilder::new().with_retry(retries());
    for (name, value) in named(variables, "GOOGLE_") {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(bucket).build().map_err(|error| url.unusable(&error))?;
    Ok(Objects::signing(url.whole, store, folder))
}
