//! Places for blobs by their URLs.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_blobs::OpenError as Wrong;
use waystation_core::port::BlobStore;

use super::OpenError;

/// Opens a place for blobs. Its credentials, where it needs some, come from the environment, and
/// then from further variables.
pub fn open(
    url: &str,
    further: &BTreeMap<String, String>,
) -> Result<Arc<dyn BlobStore>, OpenError> {
    let mut variables = further.clone();
    variables.extend(of_this_process());
    match waystation_blobs::open(url, &Vec::from_iter(variables)) {
        Ok(objects) => Ok(Arc::new(objects)),
        Err(Wrong::LeftOut { url, feature }) => Err(OpenError::LeftOut { url, feature }),
        Err(other) => Err(OpenError::Url(other.to_string())),
    }
}

/// The variables of the environment that are texts.
fn of_this_process() -> impl Iterator<Item = (String, String)> {
    let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(texts)
}
