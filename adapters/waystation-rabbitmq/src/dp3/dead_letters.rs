//! Messages that nobody can read, kept for a person: DP3 acknowledges and drops them.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};
use waystation_core::port::Error;

use super::Broker;
use super::names::{App, dead_letter_arguments};
use crate::error::explain_declare;
use crate::link::Session;
use crate::publisher::REASON;

/// A header that tells which queue a dead letter came from.
pub(super) const QUEUE: &str = "x-waystation-queue";
/// How long putting one aside may take.
const PUT_MAX: Duration = Duration::from_secs(5);
/// The longest reason, in letters.
const REASON_MAX: usize = 1_000;
const PERSISTENT: u8 = 2;

/// Puts a body aside as it came; returns when the broker has it, durably.
pub(super) async fn put_aside(
    broker: &Broker,
    app: &App,
    from: &str,
    body: &[u8],
    reason: &str,
) -> Result<(), Error> {
    let link = broker.link();
    let queue = app.dead_letters();
    let unavailable = |message| Error::Unavailable { name: link.name().to_owned(), message };
    let putting = async {
        let session = link.session().await?;
        let properties = properties(broker, from, reason);
        let publish = || publish(&session, &queue, body, properties.clone());
        let mut answer = publish().await.map_err(|error| link.explain(&error))?;
        if matches!(answer, Confirmation::Ack(Some(_))) {
            // Where DP3's script declared the queues there is none.
            declare(&session, &queue).await.map_err(|error| {
                explain_declare(link.name(), &format!("queue `{queue}`"), &error)
            })?;
            answer = publish().await.map_err(|error| link.explain(&error))?;
        }
        match answer {
            Confirmation::Ack(None) => Ok(()),
            _ => Err(unavailable(format!("queue `{queue}` takes no more"))),
        }
    };
    let late = || unavailable(format!("queue `{queue}` did not confirm within {PUT_MAX:?}"));
    tokio::time::timeout(PUT_MAX, putting).await.unwrap_or_else(|_| Err(late()))
}

async fn publish(
    session: &Session,
    queue: &ShortString,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<Confirmation> {
    let channel = session.publisher().await?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let (exchange, key) = (ShortString::default(), queue.clone());
    let sent = channel.basic_publish(exchange, key, options, body, properties).await?;
    let confirmation = sent.await?;
    session.give_back(channel);
    Ok(confirmation)
}

async fn declare(session: &Session, queue: &ShortString) -> lapin::Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let channel = session.declaring_channel().await?;
    channel.queue_declare(queue.clone(), durable, dead_letter_arguments()).await?;
    let _ = channel.close(200, "done".into()).await;
    Ok(())
}

fn properties(broker: &Broker, from: &str, reason: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    let reason: String = reason.chars().take(REASON_MAX).collect();
    for (name, text) in [(REASON, reason.as_str()), (QUEUE, from)] {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    let seconds = u64::try_from(broker.clock().now().0 / 1_000).unwrap_or_default();
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(seconds)
        .with_headers(headers)
}
