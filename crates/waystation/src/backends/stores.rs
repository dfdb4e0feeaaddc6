//! Stores by their URLs. Each of them moves contracts too, and keeps the books for a broker.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::port::{Bus, Finding, Ledger};

use super::{OpenError, scheme, shown};

/// A store that is open.
pub struct Opened {
    /// The store itself.
    pub ledger: Arc<dyn Ledger>,
    /// Its signals.
    pub bus: Arc<dyn Bus>,
}

impl Opened {
    fn of<T: Ledger + Bus + Clone + 'static>(store: T) -> Self {
        Self { ledger: Arc::new(store.clone()), bus: Arc::new(store) }
    }
}

/// Opens a store.
pub async fn open(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    match scheme(url, "sqlite://waystation.db")? {
        "memory" => Ok(Opened::of(waystation_memory::Memory::new(Arc::clone(clock)))),
        "sqlite" => sqlite(url, clock),
        "postgres" | "postgresql" => postgres(url, clock).await,
        other => Err(unknown(url, other)),
    }
}

/// Looks at a store.
pub async fn inspect(url: &str) -> Result<Vec<Finding>, OpenError> {
    match scheme(url, "sqlite://waystation.db")? {
        "memory" => Ok(vec![Finding::fine("memory", "everything is gone with the process")]),
        "sqlite" => inspect_sqlite(url),
        "postgres" | "postgresql" => inspect_postgres(url).await,
        other => Err(unknown(url, other)),
    }
}

fn unknown(url: &str, scheme: &str) -> OpenError {
    OpenError::UnknownScheme {
        role: "store",
        url: shown(url),
        scheme: scheme.to_owned(),
        known: "sqlite, postgres, memory".to_owned(),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let refused = |message| OpenError::Url(format!("store URL {message}"));
    let options = waystation_sqlite::Options::parse(url).map_err(refused)?;
    let store = waystation_sqlite::Sqlite::open(options, Arc::clone(clock))
        .map_err(|source| OpenError::Port { url: url.to_owned(), source })?;
    Ok(Opened::of(store))
}

#[cfg(feature = "sqlite")]
fn inspect_sqlite(url: &str) -> Result<Vec<Finding>, OpenError> {
    let refused = |message| OpenError::Url(format!("store URL {message}"));
    let options = waystation_sqlite::Options::parse(url).map_err(refused)?;
    waystation_sqlite::inspect(&options)
        .map_err(|source| OpenError::Port { url: url.to_owned(), source })
}

#[cfg(not(feature = "sqlite"))]
fn inspect_sqlite(url: &str) -> Result<Vec<Finding>, OpenError> {
    Err(OpenError::LeftOut { url: url.to_owned(), feature: "sqlite" })
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(url: &str, _clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    Err(OpenError::LeftOut { url: url.to_owned(), feature: "sqlite" })
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let options = postgres_options(url)?;
    let opened = waystation_postgres::Postgres::open(options, Arc::clone(clock)).await;
    let store = opened.map_err(|source| OpenError::Port { url: shown(url), source })?;
    Ok(Opened::of(store))
}

#[cfg(feature = "postgres")]
async fn inspect_postgres(url: &str) -> Result<Vec<Finding>, OpenError> {
    let options = postgres_options(url)?;
    let clock = waystation_core::clock::SystemClock;
    let found = waystation_postgres::inspect(&options, &clock).await;
    found.map_err(|source| OpenError::Port { url: shown(url), source })
}

#[cfg(feature = "postgres")]
fn postgres_options(url: &str) -> Result<waystation_postgres::Options, OpenError> {
    let refused = |message| OpenError::Url(format!("store URL `{}`: {message}", shown(url)));
    waystation_postgres::Options::parse(url).map_err(refused)
}

#[cfg(not(feature = "postgres"))]
async fn inspect_postgres(url: &str) -> Result<Vec<Finding>, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "postgres" })
}

#[cfg(not(feature = "postgres"))]
async fn postgres(url: &str, _clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "postgres" })
}
