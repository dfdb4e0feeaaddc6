//! A stream of Redis, read by a consumer group.
//!
//! Every process reads as the same consumer, since one looks at a time. A look begins with what
//! that consumer has and did not acknowledge: what a process that ended in between had taken.
//! Entries are acknowledged and stay in the stream, which its owner trims.

use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::Mutex;
use waystation_core::failure::Failure;

use super::Line;
use super::message::{Body, Message};

/// The name that all processes read by.
const CONSUMER: &str = "waystation";
/// What the group has not given to anybody yet.
const NEW: &str = ">";
/// Before everything that the consumer has.
const BEGINNING: &str = "0-0";
/// One try to connect may take this long.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A server that does not answer for so long is gone.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Entries as the server tells them: one that was deleted has no fields.
type Entry = (String, Option<Vec<(Vec<u8>, Vec<u8>)>>);
type Entries = Vec<Entry>;

/// A stream.
pub struct Stream {
    client: Client,
    key: String,
    group: String,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: MultiplexedConnection,
    /// Behind this one is read: what the consumer has first, then what is new.
    after: String,
}

impl Stream {
    /// The stream of this name; nothing is connected yet.
    pub fn new(url: &str, stream: &str, group: &str) -> Result<Self, Vec<String>> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(url).map_err(|error| vec![format!("setting `url`: {error}")])?;
        let (key, group) = (stream.to_owned(), group.to_owned());
        Ok(Self { client, key, group, open: Mutex::default() })
    }

    async fn connect(&self, wait: Duration) -> Result<Open, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(wait.saturating_add(ANSWER_MAX)));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(|error| self.failure(&error))?;
        let mut group = redis::cmd("XGROUP");
        group.arg("CREATE").arg(&self.key).arg(&self.group).arg("0").arg("MKSTREAM");
        match group.query_async::<()>(&mut connection).await {
            // The group is there.
            Err(error) if error.code() != Some("BUSYGROUP") => Err(self.failure(&error)),
            _ => Ok(Open { connection, after: BEGINNING.to_owned() }),
        }
    }

    fn failure(&self, error: &RedisError) -> Failure {
        Failure::transient(format!("stream `{}`: {error}", self.key))
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Failure> {
        let open = self.open.lock().await;
        let connection = open.as_ref().map(|open| open.connection.clone());
        let gone = || Failure::transient(format!("stream `{}`: not connected", self.key));
        connection.ok_or_else(gone)
    }

    async fn read(&self, open: &mut Open, max: usize, wait: Duration) -> Result<Entries, Failure> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.group).arg(CONSUMER).arg("COUNT").arg(max);
        if open.after == NEW {
            // 0 would be for ever.
            read.arg("BLOCK").arg(wait.as_millis().max(1) as u64);
        }
        read.arg("STREAMS").arg(&self.key).arg(&open.after);
        let answer = read.query_async(&mut open.connection).await;
        let answer: Option<Vec<(String, Entries)>> =
            answer.map_err(|error| self.failure(&error))?;
        Ok(answer.into_iter().flatten().next().map(|(_, entries)| entries).unwrap_or_default())
    }
}

#[async_trait]
impl Line for Stream {
    async fn take(&self, max: usize, wait: Duration) -> Result<Vec<Message>, Failure> {
        let mut held = self.open.lock().await;
        let open = match held.as_mut() {
            Some(open) => open,
            None => held.insert(self.connect(wait).await?),
        };
        loop {
            let entries = self.read(open, max, wait).await?;
            let was_new = open.after == NEW;
            if !was_new {
                let last = entries.last().map(|(id, _)| id.clone());
                open.after = last.unwrap_or_else(|| NEW.to_owned());
            }
            let (gone, there): (Entries, Entries) =
                entries.into_iter().partition(|(_, fields)| fields.is_none());
            if !gone.is_empty() {
                // They were deleted from the stream: there is nothing to make a job of.
                let ids: Vec<&str> = gone.iter().map(|(id, _)| id.as_str()).collect();
                let mut done = redis::cmd("XACK");
                done.arg(&self.key).arg(&self.group).arg(&ids);
                let acknowledged = done.query_async::<u64>(&mut open.connection).await;
                acknowledged.map_err(|error| self.failure(&error))?;
            }
            if was_new || !there.is_empty() {
                return Ok(there.into_iter().map(message).collect());
            }
        }
    }

    async fn done(&self, receipts: &[String]) -> Result<(), Failure> {
        if receipts.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection().await?;
        let mut done = redis::cmd("XACK");
        done.arg(&self.key).arg(&self.group).arg(receipts);
        let acknowledged = done.query_async::<u64>(&mut connection).await;
        acknowledged.map(drop).map_err(|error| self.failure(&error))
    }

    async fn reject(&self, message: &Message, why: &str) -> Result<(), Failure> {
        let mut connection = self.connection().await?;
        let mut moving = redis::pipe();
        let rejected = format!("{}:rejected", self.key);
        let adding = moving.atomic().cmd("XADD").arg(rejected).arg("*");
        adding.arg("rejected_id").arg(&message.receipt).arg("rejected_why").arg(why);
        if let Body::Fields(fields) = &message.body {
            for (name, value) in fields {
                adding.arg(name).arg(value);
            }
        }
        adding.ignore().cmd("XACK").arg(&self.key).arg(&self.group).arg(&message.receipt);
        let moved = moving.ignore().query_async::<()>(&mut connection).await;
        moved.map_err(|error| self.failure(&error))
    }

    /// What is not acknowledged stays with the consumer: the next look begins with it.
    async fn rest(&self) {
        drop(self.open.lock().await.take());
    }
}

fn message((id, fields): Entry) -> Message {
    // Names may be any bytes, too, and must keep nothing that is behind them from coming.
    let named = |(name, value): (Vec<u8>, _)| (String::from_utf8_lossy(&name).into_owned(), value);
    let body = Body::Fields(fields.unwrap_or_default().into_iter().map(named).collect());
    Message { receipt: id.clone(), id: Some(id), body }
}
