//! Brokers by their URLs: queues beside a store, and buses.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::port::{Bus, Finding, Journal, Queue};

use super::{OpenError, scheme, shown};

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
        other => Err(unknown("queue", url, other, "amqp, amqps")),
    }
}

/// Opens a bus.
pub async fn open_bus(url: &str, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Bus>, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => Ok(rabbitmq(url, clock).await?.bus),
        other => Err(unknown("bus", url, other, "amqp, amqps")),
    }
}

/// Looks at a broker.
pub async fn inspect(url: &str) -> Result<Vec<Finding>, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => inspect_rabbitmq(url).await,
        other => Err(unknown("queue", url, other, "amqp, amqps")),
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

#[cfg(feature = "rabbitmq")]
fn rabbitmq_options(url: &str) -> Result<waystation_rabbitmq::Options, OpenError> {
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
