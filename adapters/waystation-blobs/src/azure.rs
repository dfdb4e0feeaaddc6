//! Azure Blob Storage.

use object_store::azure::MicrosoftAzureBuilder;

use crate::cloud::{choose_tls, named, retries};
use crate::url::Url;
use crate::{Objects, OpenError};

/// Opens `az://CONTAINER/FOLDER`. Options: `account` and `endpoint` (with `http://` without TLS).
pub fn open(url: &Url<'_>, variables: &[(String, String)]) -> Result<Objects, OpenError> {
    choose_tls();
    let (container, folder) = url.bucket()?;
    let mut builder = MicrosoftAzureBuilder::new().with_retry(retries());
    for (name, value) in named(variables, "AZURE_") {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    for (name, value) in url.options(&["account", "endpoint"])? {
        builder = match name {
            "endpoint" => builder
                .with_endpoint(value.to_owned())
                .with_allow_http(value.starts_with("http://")),
            _ => builder.with_account(value),
        };
    }
    let built = builder.with_container_name(container).build();
    let store = built.map_err(|error| url.unusable(&error))?;
    Ok(Objects::signing(url.whole, store, folder))
}
