//! Amazon S3, and what speaks its language: `MinIO`, `SeaweedFS`, Ceph.

use object_store::aws::AmazonS3Builder;

use crate::cloud::{choose_tls, named, retries};
use crate::url::Url;
use crate::{Objects, OpenError};

/// Opens `s3://BUCKET/FOLDER`. Options: `endpoint` (where another server than Amazon's is meant;
/// with `http://` without TLS) and `region`.
pub fn open(url: &Url<'_>, variables: &[(String, String)]) -> Result<Objects, OpenError> {
    choose_tls();
    let (bucket, folder) = url.bucket()?;
    let mut builder = AmazonS3Builder::new().with_retry(retries());
    for (name, value) in named(variables, "AWS_") {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    for (name, value) in url.options(&["endpoint", "region"])? {
        builder = match name {
            "endpoint" => {
                builder.with_endpoint(value).with_allow_http(value.starts_with("http://"))
            }
            _ => builder.with_region(value),
        };
    }
    let store = builder.with_bucket_name(bucket).build().map_err(|error| url.unusable(&error))?;
    Ok(Objects::signing(url.whole, store, folder))
}
