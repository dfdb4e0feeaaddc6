//! Brokers by their URLs: queues beside a store, and buses.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::port::{Bus, Finding, Journal, Queue};

use super::{OpenError, scheme, shown};

/// The schemes of brokers and buses.
const KNOWN: &str = "amqp, amqps, redis, rediss";

/// A broker that is open.
pub struct Opened {
    /// Moves contracts.
    pub queue: Arc<dyn Queue>,
    /// Tells what became of them.
    pub journal: Arc<dyn Journal>,
    /// Its signals.
    pub bus: Arc<dyn Bus>,
}

/// Opens a broker.
pub async fn open(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => rabbitmq(url, clock).await,
        "redis" | "rediss" => redis(url, clock).await,
        other => Err(unknown("queue", url, other, KNOWN)),
    }
}

/// Opens a bus.
pub async fn open_bus(url: &str, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Bus>, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => Ok(rabbitmq(url, clock).await?.bus),
        "redis" | "rediss" => redis_bus(url, clock).await,
        other => Err(unknown("bus", url, other, KNOWN)),
    }
}

/// Looks at a broker.
pub async fn inspect(url: &str) -> Result<Vec<Finding>, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => inspect_rabbitmq(url).await,
        "redis" | "rediss" => inspect_redis(url).await,
        other => Err(unknown("queue", url, other, KNOWN)),
    }
}

fn unknown(role: &'static str, url: &str, scheme: &str, known: &str) -> OpenError {
    let (url, scheme, known) = (shown(url), scheme.to_owned(), known.to_owned());
    OpenError::UnknownScheme { role, url, scheme, known }
}

#[cfg(feature = "rabbitmq")]
async fn rabbitmq(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let options = rabbitmq_options(url)?;
    let opened = waystation_rabbitmq::RabbitMq::open(options, Arc::clone(clock)).await;
    let broker = opened.map_err(|source| OpenError::Port { url: shown(url), source })?;
    Ok(Opened {
        queue: Arc::new(broker.clone()),
        journal: Arc::new(broker.clone()),
        bus: Arc::new(broker),
    })
}

#[cfg(feature = "rabbitmq")]
async fn inspect_rabbitmq(url: &str) -> Result<Vec<Finding>, OpenError> {
    let found = waystation_rabbitmq::inspect(rabbitmq_options(url)?).await;
    found.map_err(|source| OpenError::Port { url: shown(url), source })
}

/// Reads the URL of a broker.
#[cfg(feature = "rabbitmq")]
pub fn rabbitmq_options(url: &str) -> Result<waystation_rabbitmq::Options, OpenError> {
    let refused = |message| OpenError::Url(format!("queue URL `{}`: {message}", shown(url)));
    waystation_rabbitmq::Options::parse(url).map_err(refused)
}

#[cfg(not(feature = "rabbitmq"))]
async fn inspect_rabbitmq(url: &str) -> Result<Vec<Finding>, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "rabbitmq" })
}

#[cfg(not(feature = "rabbitmq"))]
async fn rabbitmq(url: &str, _clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "rabbitmq" })
}

#[cfg(feature = "redis")]
async fn redis(url: &str, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let opened = waystation_redis::Redis::open(redis_options(url)?, Arc::clone(clock)).await;
    let broker = opened.map_err(|source| OpenError::Port { url: shown(url), source })?;
    Ok(Opened {
        queue: Arc::new(broker.clone()),
        journal: Arc::new(broker.clone()),
        bus: Arc::new(broker),
    })
}

/// Live signals need nothing to be on the disk.
#[cfg(feature = "redis")]
async fn redis_bus(url: &str, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Bus>, OpenError> {
    let mut options = redis_options(url)?;
    options.durability = waystation_redis::Durability::Any;
    let opened = waystation_redis::Redis::open(options, Arc::clone(clock)).await;
    Ok(Arc::new(opened.map_err(|source| OpenError::Port { url: shown(url), source })?))
}

#[cfg(feature = "redis")]
async fn inspect_redis(url: &str) -> Result<Vec<Finding>, OpenError> {
    let found = waystation_redis::inspect(&redis_options(url)?).await;
    found.map_err(|source| OpenError::Port { url: shown(url), source })
}

#[cfg(feature = "redis")]
fn redis_options(url: &str) -> Result<waystation_redis::Options, OpenError> {
    let refused = |message| OpenError::Url(format!("URL `{}`: {message}", shown(url)));
    waystation_redis::Options::parse(url).map_err(refused)
}

#[cfg(not(feature = "redis"))]
async fn redis(url: &str, _clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "redis" })
}

#[cfg(not(feature = "redis"))]
async fn redis_bus(url: &str, _clock: &Arc<dyn Clock>) -> Result<Arc<dyn Bus>, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "redis" })
}

#[cfg(not(feature = "redis"))]
async fn inspect_redis(url: &str) -> Result<Vec<Finding>, OpenError> {
    Err(OpenError::LeftOut { url: shown(url), feature: "redis" })
}
