//! From a URL to a backend. The only place that knows backends by name.

use std::sync::Arc;

use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port;
use waystation_engine::Backend;

/// The store that is used when none is named.
pub const DEFAULT_STORE: &str = "sqlite://waystation.db";

/// Why a URL is no backend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("store URL {0}")]
    Url(String),
    /// No backend has this scheme.
    #[error("store URL `{url}`: unknown scheme `{scheme}` (known: {known})")]
    UnknownScheme {
        /// The URL.
        url: String,
        /// Its scheme.
        scheme: String,
        /// What there is.
        known: String,
    },
    /// The backend exists, but not in this build.
    #[error(
        "store URL `{url}`: this build has no {feature} (hint: build with `--features {feature}`)"
    )]
    LeftOut {
        /// The URL.
        url: String,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The backend cannot be opened.
    #[error("cannot open store {url}: {source}")]
    Port {
        /// The URL.
        url: String,
        /// Why.
        source: port::Error,
    },
}

/// Opens the backend that a URL names: `sqlite://FILE`, or `memory://` for trying things out.
pub fn open(url: &str) -> Result<Backend, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Some((scheme, _)) = url.split_once("://") else {
        let hint = "has no scheme (hint: sqlite://waystation.db)";
        return Err(OpenError::Url(format!("`{url}` {hint}")));
    };
    match scheme {
        "memory" => Ok(Backend::whole(waystation_memory::Memory::new(Arc::clone(&clock)), clock)),
        "sqlite" => sqlite(url, clock),
        _ => Err(OpenError::UnknownScheme {
            url: url.to_owned(),
            scheme: scheme.to_owned(),
            known: "sqlite, memory".to_owned(),
        }),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    let options = waystation_sqlite::Options::parse(url).map_err(OpenError::Url)?;
    let store = waystation_sqlite::Sqlite::open(options, Arc::clone(&clock))
        .map_err(|source| OpenError::Port { url: url.to_owned(), source })?;
    Ok(Backend::whole(store, clock))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(url: &str, _clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    Err(OpenError::LeftOut { url: url.to_owned(), feature: "sqlite" })
}
