//! Publishes with confirms, many at a time.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use waystation_core::clock::Timestamp;
use waystation_core::key::Key;
use waystation_core::port::Error;
use waystation_core::settlement::Priority;

use crate::error::{explain_declare, is_not_found, is_otherwise};
use crate::link::{Link, Session};
use crate::options::Declare;
use crate::topology::{QueueKey, Role, route};

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
/// A header that tells the key of a message.
pub const KEY: &str = "x-waystation-key";
/// A header of a message that only tells that all before it were seen.
pub const MARK: &str = "x-waystation-mark";
/// A header that tells why a message lies in a queue of dead letters.
pub const REASON: &str = "x-waystation-reason";

/// A message on its way.
pub struct Outgoing {
    /// To which queue, or exchange.
    pub to: QueueKey,
    /// What it is routed by, where it goes to an exchange.
    pub route: Option<ShortString>,
    /// Its wire form.
    pub body: Vec<u8>,
    /// What the body does not tell.
    pub headers: Vec<(&'static str, AMQPValue)>,
}

impl Outgoing {
    /// A message without headers.
    pub fn new(to: QueueKey, body: Vec<u8>) -> Self {
        Self { to, route: None, body, headers: Vec::new() }
    }

    /// One with a key, which goes to an exchange.
    pub fn keyed(to: QueueKey, key: &Key, priority: Priority, body: Vec<u8>) -> Self {
        let message = Self { route: Some(route(key.slot(), priority)), ..Self::new(to, body) };
        message.text(KEY, key.as_str())
    }

    /// One that waits so long before it returns to its queue, or to the partition of its key.
    pub fn delayed(
        base: &str,
        step: u64,
        key: Option<&Key>,
        priority: Priority,
        body: Vec<u8>,
    ) -> Self {
        let to = |role| QueueKey::of(base, role);
        match key {
            None => Self::new(to(Role::Delay(step)), body),
            Some(key) => Self::keyed(to(Role::KeysDelay(step)), key, priority, body),
        }
    }

    /// Its key, if it has one.
    pub fn key(&self) -> Option<String> {
        let (_, key) = self.headers.iter().find(|(name, _)| *name == KEY)?;
        Some(key.as_long_string()?.to_string())
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

/// Why not all messages of a call were published.
pub struct Unpublished {
    /// So many of the first are with the broker, durably. Of the others that is not known.
    pub confirmed: usize,
    error: Error,
}

impl From<Error> for Unpublished {
    fn from(error: Error) -> Self {
        Self { confirmed: 0, error }
    }
}

impl From<Unpublished> for Error {
    fn from(unpublished: Unpublished) -> Self {
        unpublished.error
    }
}

/// Publishes persistent messages; returns when the broker has them all, durably.
pub async fn publish(link: &Link, messages: &[Outgoing], now: Timestamp) -> Result<(), Error> {
    Ok(publish_counted(link, messages, now).await?)
}

/// The same for callers who go on from where it failed.
pub async fn publish_counted(
    link: &Link,
    messages: &[Outgoing],
    now: Timestamp,
) -> Result<(), Unpublished> {
    if messages.is_empty() {
        return Ok(());
    }
    let session = link.session().await?;
    let queues: HashSet<&QueueKey> = messages.iter().map(|message| &message.to).collect();
    for queue in &queues {
        declare(link, &session, queue).await?;
    }
    let channel = session.publisher().await.map_err(|error| link.explain(&error))?;
    let Tally { confirmed, failed } = publish_on(link, &channel, messages, now).await;
    let error = match failed {
        None => {
            session.give_back(channel);
            return Ok(());
        }
        Some(Failed::Returned) => {
            // Somebody deleted one of them: they are looked for when the call comes again.
            let mut declared = session.declared.lock().await;
            for queue in &queues {
                declared.remove(*queue);
            }
            let hint = if queues.iter().any(|queue| queue.is_exchange()) {
                " (hint: queues of keys have partitions once a worker has looked after them)"
            } else {
                ""
            };
            unavailable(link, format!("a queue of {} is not there{hint}", shown(link, &queues)))
        }
        Some(Failed::Refused) => {
            unavailable(link, format!("a queue of {} takes no more", shown(link, &queues)))
        }
        Some(Failed::Broken(error)) => link.explain(&error),
    };
    Err(Unpublished { confirmed, error })
}

/// How many go first: the first of each key, and all without keys, are brought before the others of
/// their keys. A broker that has just begun may refuse the first messages for a queue and take the
/// next ones; so what follows within a key is published once its first is confirmed, and is not
/// overtaken.
pub fn firsts_first<T>(messages: &mut [T], key: impl Fn(&T) -> Option<String>) -> usize {
    let mut seen = HashSet::new();
    let mut keyed: Vec<bool> = Vec::with_capacity(messages.len());
    for message in messages.iter() {
        keyed.push(key(message).is_some_and(|key| !seen.insert(key)));
    }
    let firsts = keyed.iter().filter(|follows| !**follows).count();
    let mut follows = keyed.into_iter();
    // Stable: each of the two keeps its order.
    messages.sort_by_cached_key(|_| follows.next());
    firsts
}

/// How the broker answered a call's messages.
#[derive(Default)]
struct Tally {
    /// So many of the first are confirmed.
    confirmed: usize,
    /// What happened to the first that is not.
    failed: Option<Failed>,
}

/// What happened to a message that is not confirmed.
#[derive(Debug)]
enum Failed {
    /// It came back: no queue of its name.
    Returned,
    /// It was not taken.
    Refused,
    /// The channel or the connection ended.
    Broken(lapin::Error),
}

impl Tally {
    /// Takes the next answer. A message that comes back is told with the confirm of some message
    /// of its channel, not of itself: then nothing is known to be with the broker.
    fn count(&mut self, answer: Result<(), Failed>) {
        match answer {
            Ok(()) if self.failed.is_none() => self.confirmed += 1,
            Ok(()) => {}
            Err(Failed::Returned) => *self = Self { confirmed: 0, failed: Some(Failed::Returned) },
            Err(failed) => {
                self.failed.get_or_insert(failed);
            }
        }
    }
}

/// Sends until something fails, and hears the answers to all that was sent.
async fn publish_on(
    link: &Link,
    channel: &Channel,
    messages: &[Outgoing],
    now: Timestamp,
) -> Tally {
    let mut tally = Tally::default();
    let mut window: VecDeque<PublisherConfirm> = VecDeque::new();
    let mut unsent = None;
    for message in messages {
        if window.len() == WINDOW
            && let Some(first) = window.pop_front()
        {
            tally.count(answer(first.await));
        }
        if tally.failed.is_some() {
            break;
        }
        let name = message.to.name(link.options());
        let (exchange, key) = match &message.route {
            Some(route) => (name, route.clone()),
            None => (ShortString::default(), name),
        };
        let sent = channel.basic_publish(
            exchange,
            key,
            BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
            &message.body,
            properties(message, now),
        );
        match sent.await {
            Ok(confirm) => window.push_back(confirm),
            Err(error) => {
                unsent = Some(error);
                break;
            }
        }
    }
    for confirm in window {
        tally.count(answer(confirm.await));
    }
    if let Some(error) = unsent {
        tally.count(Err(Failed::Broken(error)));
    }
    tally
}

fn answer(confirmed: lapin::Result<Confirmation>) -> Result<(), Failed> {
    match confirmed {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Ack(Some(_))) => Err(Failed::Returned),
        Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => Err(Failed::Refused),
        Err(error) => Err(Failed::Broken(error)),
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

/// Makes a queue, an exchange, or an exchange with the queue behind it.
async fn make(link: &Link, session: &Session, key: &QueueKey) -> Result<(), Error> {
    if !key.is_exchange() {
        make_queue(link, session, key).await?;
    }
    let Some(kind) = key.exchange() else { return Ok(()) };
    let name = key.name(link.options());
    let channel = session.declaring_channel().await.map_err(|error| link.explain(&error))?;
    let making = async {
        let (durable, none) = (durable_exchange(), FieldTable::default());
        channel.exchange_declare(name.clone(), kind, durable, none.clone()).await?;
        if !key.is_exchange() {
            let (slot, bind) = (ShortString::default(), QueueBindOptions::default());
            channel.queue_bind(name.clone(), name.clone(), slot, bind, none).await?;
        }
        channel.close(200, "done".into()).await
    };
    making
        .await
        .map_err(|error| explain_declare(link.name(), &format!("exchange `{name}`"), &error))
}

/// How exchanges are made.
pub fn durable_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() }
}

async fn make_queue(link: &Link, session: &Session, key: &QueueKey) -> Result<(), Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(answers: Vec<Result<(), Failed>>) -> usize {
        let mut tally = Tally::default();
        for answer in answers {
            tally.count(answer);
        }
        tally.confirmed
    }

    #[test]
    fn first_of_each_key_goes_before_the_others() {
        let mut messages = ["a1", "b1", "a2", "free", "a3", "b2"];
        let key = |name: &&str| (*name != "free").then(|| name[..1].to_owned());
        assert_eq!(firsts_first(&mut messages, key), 3);
        assert_eq!(messages, ["a1", "b1", "free", "a2", "a3", "b2"]);
    }

    #[test]
    fn the_first_up_to_a_failure_are_confirmed_unless_one_came_back() {
        assert_eq!(confirmed(vec![Ok(()), Ok(())]), 2);
        assert_eq!(confirmed(vec![Ok(()), Err(Failed::Refused), Ok(())]), 1);
        // Which one came back is not told.
        assert_eq!(confirmed(vec![Ok(()), Ok(()), Err(Failed::Returned)]), 0);
        assert_eq!(confirmed(vec![Ok(()), Err(Failed::Refused), Err(Failed::Returned)]), 0);
        assert_eq!(confirmed(vec![Err(Failed::Returned), Ok(()), Err(Failed::Refused)]), 0);
    }
}
