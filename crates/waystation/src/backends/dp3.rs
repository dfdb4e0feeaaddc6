//! The task queues of DP3, which live on RabbitMQ. `docs/dp3.md` tells the mapping.

use std::sync::Arc;

use waystation_core::clock::SystemClock;

use super::brokers::rabbitmq_options;
use super::{OpenError, scheme, shown};

pub use waystation_rabbitmq::dp3::*;

/// Connects to the broker of a URL: `amqp://USER:PASSWORD@HOST/VHOST`, or `amqps://`.
pub async fn open(url: &str) -> Result<Broker, OpenError> {
    match scheme(url, "amqp://guest:guest@localhost/%2f")? {
        "amqp" | "amqps" => {}
        other => {
            return Err(OpenError::UnknownScheme {
                role: "broker",
                url: shown(url),
                scheme: other.to_owned(),
                known: "amqp, amqps".to_owned(),
            });
        }
    }
    let opened = Broker::open_with(rabbitmq_options(url)?, Arc::new(SystemClock)).await;
    opened.map_err(|source| OpenError::Port { url: shown(url), source })
}
