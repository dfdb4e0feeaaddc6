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

/// Opens the backend that a URL names: `sqlite://FILE`, `postgres://USER:PASSWORD@HOST/DATABASE`,
/// or `memory://` for trying things out.
pub async fn open(url: &str) -> Result<Backend, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Some((scheme, _)) = url.split_once("://") else {
        let hint = "has no scheme (hint: sqlite://waystation.db)";
        return Err(OpenError::Url(format!("`{url}` {hint}")));
    };
    match scheme {
        "memory" => Ok(Backend::whole(waystation_memory::Memory::new(Arc::clone(&clock)), clock)),
        "sqlite" => sqlite(url, clock),
        "postgres" | "postgresql" => postgres(url, clock).await,
        _ => Err(OpenError::UnknownScheme {
            url: shown(url),
            scheme: scheme.to_owned(),
            known: "sqlite, postgres, memory".to_owned(),
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

#[cfg(feature = "postgres")]
async fn postgres(url: &str, clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    let refused = |message| OpenError::Url(format!("`{}`: {message}", shown(url)));
    let options = waystation_postgres::Options::parse(url).map_err(refused)?;
    let opened = waystation_postgres::Postgres::open(options, Arc::clone(&clock)).await;
    let store = opened.map_err(|source| OpenError::Port { url: shown(url), source })?;
    Ok(Backend::whole(store, clock))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(url: &str, _clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "postgres" })
}

/// A URL for messages: without its password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split_once(':').map_or(who, |(user, _)| user);
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    }
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(url: &str, _clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    Err(OpenError::LeftOut { url: url.to_owned(), feature: "sqlite" })
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn passwords_are_not_shown() {
        for (url, expected) in [
            ("postgres://me:se@cret@db/jobs", "postgres://me@db/jobs"),
            ("postgres://db/jobs", "postgres://db/jobs"),
            ("sqlite://a.db", "sqlite://a.db"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
