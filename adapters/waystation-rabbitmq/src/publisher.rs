//! Publishes with confirms, many at a time.

use std::collections::VecDeque;

use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation, PublisherConfirm};
use waystation_core::clock::Timestamp;
use waystation_core::port::Error;

use crate::error::{explain_declare, is_not_found, is_otherwise};
use crate::link::{Link, Session};
use crate::options::Declare;
use crate::topology::QueueKey;

/// The most messages of one call that wait for the broker's confirm.
const WINDOW: usize = 1_000;
const PERSISTENT: u8 = 2;

/// A header that tells how often a message was handed out before it was published again.
pub const DELIVERIES: &str = "x-waystation-deliveries";
/// A header that tells before which moment a message is not to be handed out.
pub const NOT_BEFORE: &str = "x-waystation-not-before";
/// A header that tells which lane a message that waits belongs to.
pub const PRIORITY: &str = "x-waystation-priority";
/// A header that tells why a message lies in a queue of dead letters.
pub const REASON: &str = "x-waystation-reason";

/// A message on its way.
pub struct Outgoing {
    /// To which queue.
    pub to: QueueKey,
    /// Its wire form.
    pub body: Vec<u8>,
    /// What the body does not tell.
    pub headers: Vec<(&'static str, AMQPValue)>,
}

impl Outgoing {
    /// A message without headers.
    pub fn new(to: QueueKey, body: Vec<u8>) -> Self {
        Self { to, body, headers: Vec::new() }
    }

    /// The same with a number in a header.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: i64) -> Self {
        self.headers.push((name, AMQPValue::LongLongInt(value)));
        self
    }

    /// The same with a text in a header.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, AMQPValue::LongString(value.into())));
        self
    }
}

/// Publishes persistent messages; returns when the broker has them all, durably.
pub async fn publish(link: &Link, messages: &[Outgoing], now: Timestamp) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let session = link.session().await?;
    for message in messages {
        declare(link, &session, &message.to).await?;
    }
    let mut window: VecDeque<(PublisherConfirm, &QueueKey)> = VecDeque::new();
    for message in messages {
        if window.len() == WINDOW
            && let Some(first) = window.pop_front()
        {
            confirm(link, &session, first).await?;
        }
        let confirm = session.publisher.basic_publish(
            ShortString::default(),
            message.to.name(link.options()),
            BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
            &message.body,
            properties(message, now),
        );
        window.push_back((confirm.await.map_err(|error| link.explain(&error))?, &message.to));
    }
    for waiting in window {
        confirm(link, &session, waiting).await?;
    }
    Ok(())
}

fn properties(message: &Outgoing, now: Timestamp) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_timestamp(u64::try_from(now.0 / 1_000).unwrap_or_default());
    if message.headers.is_empty() {
        return properties;
    }
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers.insert((*name).into(), value.clone());
    }
    properties.with_headers(headers)
}

async fn confirm(
    link: &Link,
    session: &Session,
    (confirm, to): (PublisherConfirm, &QueueKey),
) -> Result<(), Error> {
    let queue = || to.name(link.options());
    let unavailable = |message| Error::Unavailable { name: link.name().to_owned(), message };
    match confirm.await.map_err(|error| link.explain(&error))? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => {
            // Somebody deleted it: it is made again when the call is.
            session.declared.lock().await.remove(to);
            Err(unavailable(format!("queue `{}` is not there", queue())))
        }
        Confirmation::Nack(_) => Err(unavailable(format!("queue `{}` takes no more", queue()))),
        Confirmation::NotRequested => Err(unavailable("publishes without confirms".to_owned())),
    }
}

/// What a queue holds.
pub struct Found {
    /// How many messages wait.
    pub messages: u32,
    /// How many consumers there are.
    pub consumers: u32,
}

/// Looks at a queue; `None` when there is none.
pub async fn look(link: &Link, session: &Session, key: &QueueKey) -> Result<Option<Found>, Error> {
    let queue = key.name(link.options());
    let channel = session.declaring_channel().await.map_err(|error| link.explain(&error))?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.clone(), passive, FieldTable::default()).await {
        Ok(found) => {
            let _ = channel.close(200, "done".into()).await;
            let (messages, consumers) = (found.message_count(), found.consumer_count());
            Ok(Some(Found { messages, consumers }))
        }
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(explain_declare(link.name(), &format!("queue `{queue}`"), &error)),
    }
}

/// Sees to it that a queue is there. One that is there already is used as it is. One at a time: a
/// broker that is asked twice at once for a new quorum queue may break the connection.
pub async fn declare(link: &Link, session: &Session, key: &QueueKey) -> Result<(), Error> {
    let mut declared = session.declared.lock().await;
    if declared.contains(key) {
        return Ok(());
    }
    let options = link.options();
    if options.declare == Declare::Passive {
        if look(link, session, key).await?.is_none() {
            let queue = key.name(options);
            let message = format!("there is no queue `{queue}` (hint: declare=passive makes none)");
            return Err(Error::Unavailable { name: link.name().to_owned(), message });
        }
    } else {
        make(link, session, key).await?;
    }
    declared.insert(key.clone());
    Ok(())
}

async fn make(link: &Link, session: &Session, key: &QueueKey) -> Result<(), Error> {
    let queue = key.name(link.options());
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let arguments = key.arguments(link.options());
    let channel = session.declaring_channel().await.map_err(|error| link.explain(&error))?;
    match channel.queue_declare(queue.clone(), durable, arguments).await {
        Ok(_) => {
            let _ = channel.close(200, "done".into()).await;
            Ok(())
        }
        Err(error) if is_otherwise(&error) => {
            tracing::info!(%queue, "queue was made with other arguments, it is used as it is");
            look(link, session, key).await.map(|_| ())
        }
        Err(error) => Err(explain_declare(link.name(), &format!("queue `{queue}`"), &error)),
    }
}
