//! From a URL to a backend. The only place that knows backends by name.

use std::sync::Arc;

use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port::{self, Finding};
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
    /// Work is not begun on it.
    #[error("store {url} is refused: {}", join(findings))]
    Refused {
        /// The URL.
        url: String,
        /// Why: at least one finding that refuses.
        findings: Vec<Finding>,
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
    match scheme(url)? {
        "memory" => Ok(Backend::whole(waystation_memory::Memory::new(Arc::clone(&clock)), clock)),
        "sqlite" => sqlite(url, clock),
        "postgres" | "postgresql" => postgres(url, clock).await,
        other => Err(unknown(url, other)),
    }
}

/// Looks at the backend that a URL names before anybody relies on it. Nothing is changed there.
pub async fn inspect(url: &str) -> Result<Vec<Finding>, OpenError> {
    match scheme(url)? {
        "memory" => Ok(vec![Finding::fine("memory", "everything is gone with the process")]),
        "sqlite" => inspect_sqlite(url),
        "postgres" | "postgresql" => inspect_postgres(url).await,
        other => Err(unknown(url, other)),
    }
}

/// Refuses a backend that no work should begin on; gives what somebody should know otherwise.
pub async fn preflight(url: &str) -> Result<Vec<Finding>, OpenError> {
    let findings = inspect(url).await?;
    let (refused, others): (Vec<_>, Vec<_>) = findings.into_iter().partition(Finding::refuses);
    if !refused.is_empty() {
        return Err(OpenError::Refused { url: shown(url), findings: refused });
    }
    Ok(others.into_iter().filter(|finding| finding.severity > port::Severity::Fine).collect())
}

fn scheme(url: &str) -> Result<&str, OpenError> {
    let hint = "has no scheme (hint: sqlite://waystation.db)";
    let (scheme, _) =
        url.split_once("://").ok_or_else(|| OpenError::Url(format!("`{url}` {hint}")))?;
    Ok(scheme)
}

fn unknown(url: &str, scheme: &str) -> OpenError {
    OpenError::UnknownScheme {
        url: shown(url),
        scheme: scheme.to_owned(),
        known: "sqlite, postgres, memory".to_owned(),
    }
}

fn join(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    let options = waystation_sqlite::Options::parse(url).map_err(OpenError::Url)?;
    let store = waystation_sqlite::Sqlite::open(options, Arc::clone(&clock))
        .map_err(|source| OpenError::Port { url: url.to_owned(), source })?;
    Ok(Backend::whole(store, clock))
}

#[cfg(feature = "sqlite")]
fn inspect_sqlite(url: &str) -> Result<Vec<Finding>, OpenError> {
    let options = waystation_sqlite::Options::parse(url).map_err(OpenError::Url)?;
    waystation_sqlite::inspect(&options)
        .map_err(|source| OpenError::Port { url: url.to_owned(), source })
}

#[cfg(feature = "postgres")]
async fn inspect_postgres(url: &str) -> Result<Vec<Finding>, OpenError> {
    let options = postgres_options(url)?;
    let found = waystation_postgres::inspect(&options, &SystemClock).await;
    found.map_err(|source| OpenError::Port { url: shown(url), source })
}

#[cfg(feature = "postgres")]
fn postgres_options(url: &str) -> Result<waystation_postgres::Options, OpenError> {
    let refused = |message| OpenError::Url(format!("`{}`: {message}", shown(url)));
    waystation_postgres::Options::parse(url).map_err(refused)
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    let options = postgres_options(url)?;
    let opened = waystation_postgres::Postgres::open(options, Arc::clone(&clock)).await;
    let store = opened.map_err(|source| OpenError::Port { url: shown(url), source })?;
    Ok(Backend::whole(store, clock))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(url: &str, _clock: Arc<dyn Clock>) -> Result<Backend, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "postgres" })
}

#[cfg(not(feature = "postgres"))]
async fn inspect_postgres(url: &str) -> Result<Vec<Finding>, OpenError> {
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
fn inspect_sqlite(url: &str) -> Result<Vec<Finding>, OpenError> {
    Err(OpenError::LeftOut { url: url.to_owned(), feature: "sqlite" })
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
