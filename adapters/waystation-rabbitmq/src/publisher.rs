//! Publishes with confirms, many at a time.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use waystation_core::clock::Timestamp;
use waystation_core::port::Error;

use crate::error::{explain_declare, is_not_found, is_otherwise};
use crate::link::{Link, Session};
use crate::options::Declare;
use crate::topology::QueueKey;

/// The most messages of one call that wait for the broker's confirm.
const WINDOW: usize = 1_000;
/// How long a broker may take to declare a queue.
const DECLARE_MAX: Duration = Duration::from_secs(5);
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
    let queues: HashSet<&QueueKey> = messages.iter().map(|message| &message.to).collect();
    for queue in &queues {
        declare(link, &session, queue).await?;
    }
    let channel = session.publisher().await.map_err(|error| link.explain(&error))?;
    match publish_on(link, &channel, messages, now).await? {
        Unconfirmed::None => {
            session.give_back(channel);
            Ok(())
        }
        Unconfirmed::Returned => {
            // Somebody deleted one of them: they are looked for when the call comes again.
            let mut declared = session.declared.lock().await;
            for queue in &queues {
                declared.remove(*queue);
            }
            Err(unavailable(link, format!("a queue of {} is not there", shown(link, &queues))))
        }
        Unconfirmed::Refused => {
            Err(unavailable(link, format!("a queue of {} takes no more", shown(link, &queues))))
        }
    }
}

/// What was not confirmed as it should.
enum Unconfirmed {
    None,
    /// A message came back: no queue of its name.
    Returned,
    /// A message was not taken.
    Refused,
}

async fn publish_on(
    link: &Link,
    channel: &Channel,
    messages: &[Outgoing],
    now: Timestamp,
) -> Result<Unconfirmed, Error> {
    let explain = |error: lapin::Error| link.explain(&error);
    let mut window: VecDeque<PublisherConfirm> = VecDeque::new();
    for message in messages {
        if window.len() == WINDOW
            && let Some(first) = window.pop_front()
        {
            match verdict(&first.await.map_err(explain)?) {
                Unconfirmed::None => {}
                bad => return Ok(bad),
            }
        }
        let sent = channel.basic_publish(
            ShortString::default(),
            message.to.name(link.options()),
            BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
            &message.body,
            properties(message, now),
        );
        window.push_back(sent.await.map_err(explain)?);
    }
    for confirm in window {
        match verdict(&confirm.await.map_err(explain)?) {
            Unconfirmed::None => {}
            bad => return Ok(bad),
        }
    }
    Ok(Unconfirmed::None)
}

fn verdict(confirmation: &Confirmation) -> Unconfirmed {
    match confirmation {
        Confirmation::Ack(None) => Unconfirmed::None,
        Confirmation::Ack(Some(_)) => Unconfirmed::Returned,
        Confirmation::Nack(_) | Confirmation::NotRequested => Unconfirmed::Refused,
    }
}

fn unavailable(link: &Link, message: String) -> Error {
    Error::Unavailable { name: link.name().to_owned(), message }
}

fn shown(link: &Link, queues: &HashSet<&QueueKey>) -> String {
    let names = queues.iter().map(|queue| format!("`{}`", queue.name(link.options())));
    names.collect::<Vec<_>>().join(", ")
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
    if session.declared.lock().await.contains(key) {
        return Ok(());
    }
    // A queue that its broker has trouble with must not keep the others from being used.
    let declaring = async {
        let _one_at_a_time = session.declaring.lock().await;
        declare_now(link, session, key).await
    };
    let Ok(declared) = tokio::time::timeout(DECLARE_MAX, declaring).await else {
        let queue = key.name(link.options());
        let message = format!("queue `{queue}` is not declared within {DECLARE_MAX:?}");
        return Err(unavailable(link, message));
    };
    declared?;
    session.declared.lock().await.insert(key.clone());
    Ok(())
}

async fn declare_now(link: &Link, session: &Session, key: &QueueKey) -> Result<(), Error> {
    let options = link.options();
    if options.declare == Declare::Passive {
        if look(link, session, key).await?.is_none() {
            let queue = key.name(options);
            let message = format!("there is no queue `{queue}` (hint: declare=passive makes none)");
            return Err(Error::Unavailable { name: link.name().to_owned(), message });
        }
        return Ok(());
    }
    make(link, session, key).await
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
