//! `object_store`'s errors in the port's words.

use object_store::Error;
use waystation_core::blob::BlobKey;
use waystation_core::port::BlobError;

/// Says what an error means for this blob in the store of this name.
pub fn explain(store: &str, key: &BlobKey, error: &Error) -> BlobError {
    let store = store.to_owned();
    let message = with_causes(error);
    match error {
        Error::NotFound { .. } => BlobError::NotFound { key: key.clone(), store },
        // What `object_store` knows no better word for: a network, a busy service, a full disk.
        Error::Generic { .. } | Error::JoinError { .. } => {
            BlobError::Unavailable { store, message }
        }
        _ => BlobError::Broken { store, message },
    }
}

/// An error and those below it that it does not repeat itself.
fn with_causes(error: &Error) -> String {
    let mut message = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        below = cause.source();
    }
    message
}
