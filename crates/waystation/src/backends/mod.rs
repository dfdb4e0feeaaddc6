//! From a URL to a backend. The only place that knows backends by name.

pub(crate) mod blobs;
mod brokers;
#[cfg(feature = "rabbitmq")]
pub mod dp3;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port::{self, Finding};
use waystation_engine::{Backend, Books, Buses};

/// The store that is used when none is named.
pub const DEFAULT_STORE: &str = "sqlite://waystation.db";

/// Why a URL is no backend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("{0}")]
    Url(String),
    /// No backend has this scheme.
    #[error("{role} URL `{url}`: unknown scheme `{scheme}` (known: {known})")]
    UnknownScheme {
        /// What the URL is to be: a store, a queue or a bus.
        role: &'static str,
        /// The URL.
        url: String,
        /// Its scheme.
        scheme: String,
        /// What there is.
        known: String,
    },
    /// The backend exists, but not in this build.
    #[error("URL `{url}`: this build has no {feature} (hint: build with `--features {feature}`)")]
    LeftOut {
        /// The URL.
        url: String,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// Work is not begun on it.
    #[error("{url} is refused: {}", join(findings))]
    Refused {
        /// The URL.
        url: String,
        /// Why: at least one finding that refuses.
        findings: Vec<Finding>,
    },
    /// The backend cannot be opened.
    #[error("cannot open {url}: {source}")]
    Port {
        /// The URL.
        url: String,
        /// Why.
        source: port::Error,
    },
}

/// Where things are.
#[derive(Clone, Debug, Default)]
pub struct Urls {
    /// The store, which moves the contracts too unless there is a queue.
    pub store: String,
    /// A broker that moves the contracts.
    pub queue: Option<String>,
    /// A bus that carries the live signals.
    pub bus: Option<String>,
    /// A place for blobs.
    pub blobs: Option<String>,
    /// Further variables, beneath those of the process: where credentials of a place for blobs are
    /// looked for.
    pub variables: BTreeMap<String, String>,
}

impl Urls {
    /// A store that is everything.
    pub fn store(url: &str) -> Self {
        Self { store: url.to_owned(), ..Self::default() }
    }
}

/// Opens the backend that these URLs name. Stores: `sqlite://FILE`,
/// `postgres://USER:PASSWORD@HOST/DATABASE`, or `memory://` for trying things out. Queues:
/// `amqp://USER:PASSWORD@HOST/VHOST`, `redis://HOST/DB`; both are buses, too.
/// Blobs: `file://FOLDER`, `memory://`, `s3://BUCKET/FOLDER`, `az://CONTAINER/FOLDER` or
/// `gs://BUCKET/FOLDER`.
pub async fn open(urls: &Urls) -> Result<Backend, OpenError> {
    // First: it costs nothing, and a mistake in it is told before anything is made.
    let blobs = urls.blobs.as_deref().map(|url| blobs::open(url, &urls.variables)).transpose()?;
    let backend = open_ports(urls).await?;
    Ok(match blobs {
        Some(blobs) => backend.with_blobs(blobs),
        None => backend,
    })
}

async fn open_ports(urls: &Urls) -> Result<Backend, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = stores::open(&urls.store, &clock).await?;
    let live = match &urls.bus {
        Some(url) => Some(brokers::open_bus(url, &clock).await?),
        None => None,
    };
    let Some(queue) = &urls.queue else {
        let whole = Backend {
            queue: Arc::clone(&store.ledger) as _,
            records: Arc::clone(&store.ledger) as _,
            store: store.ledger as _,
            bus: store.bus,
            books: None,
            blobs: None,
            tracer: None,
            clock,
        };
        return Ok(match live {
            Some(live) => whole.with_bus(live),
            None => whole,
        });
    };
    let broker = brokers::open(queue, &clock).await?;
    let books = Books::new(broker.queue, broker.journal, store.ledger);
    let live = live.unwrap_or(broker.bus);
    Ok(Backend::brokered(books, Buses { live, ledger: store.bus }, clock))
}

/// Looks at what a URL names before anybody relies on it. Nothing is changed there.
pub async fn inspect(url: &str) -> Result<Vec<Finding>, OpenError> {
    match scheme(url, "sqlite://waystation.db")? {
        "amqp" | "amqps" | "redis" | "rediss" => brokers::inspect(url).await,
        _ => stores::inspect(url).await,
    }
}

/// Refuses stores and queues that no work should begin on; gives what somebody should know
/// otherwise, with the URL that it is about.
pub async fn preflight(urls: &Urls) -> Result<Vec<(String, Finding)>, OpenError> {
    let mut told = Vec::new();
    for url in std::iter::once(&urls.store).chain(&urls.queue) {
        let findings = inspect(url).await?;
        let (refused, others): (Vec<_>, Vec<_>) = findings.into_iter().partition(Finding::refuses);
        if !refused.is_empty() {
            return Err(OpenError::Refused { url: shown(url), findings: refused });
        }
        let worth_telling = |finding: &Finding| finding.severity > port::Severity::Fine;
        told.extend(others.into_iter().filter(worth_telling).map(|one| (shown(url), one)));
    }
    Ok(told)
}

fn join(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The scheme of a URL.
fn scheme<'a>(url: &'a str, example: &str) -> Result<&'a str, OpenError> {
    let split = url.split_once("://").map(|(scheme, _)| scheme);
    split.ok_or_else(|| OpenError::Url(format!("URL `{url}` has no scheme (hint: {example})")))
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
