//! A queue of RabbitMQ: consumed while a look lasts, on a connection of the look's own.
//!
//! A look that rests closes its connection, so that the broker hands out again what was not
//! acknowledged. The queue is its owner's: it is neither declared nor changed.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use tokio::sync::Mutex;
use waystation_core::failure::Failure;

use super::Line;
use super::message::{Body, Message};

/// One try to connect may take this long, and so may one to close.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// After the first message, others that are on their way are waited for so long.
const LINGER: Duration = Duration::from_millis(20);

/// A queue of RabbitMQ.
pub struct Rabbit {
    uri: AMQPUri,
    queue: String,
    prefetch: u16,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
}

impl Rabbit {
    /// The queue of this name; nothing is connected yet.
    pub fn new(url: &str, queue: &str, batch: usize) -> Result<Self, Vec<String>> {
        let uri = url.parse().map_err(|error| vec![format!("setting `url`: {error}")])?;
        // The next batch is on its way while one is committed.
        let prefetch = u16::try_from(batch.saturating_mul(2)).unwrap_or(u16::MAX);
        Ok(Self { uri, queue: queue.to_owned(), prefetch, open: Mutex::default() })
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let opening = async {
            let name = ConnectionProperties::default();
            let name = name.with_connection_name("waystation source".into());
            let connection = Connection::connect_uri(self.uri.clone(), name).await?;
            let channel = connection.create_channel().await?;
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let (queue, tag) = (ShortString::from(self.queue.as_str()), ShortString::default());
            let options = BasicConsumeOptions::default();
            let consumer =
                channel.basic_consume(queue, tag, options, FieldTable::default()).await?;
            Ok(Open { connection, channel, consumer })
        };
        match tokio::time::timeout(CONNECT_MAX, opening).await {
            Ok(opened) => opened.map_err(|error| self.failure(&error)),
            Err(_) => Err(self.away(&format!("no connection within {CONNECT_MAX:?}"))),
        }
    }

    fn failure(&self, error: &lapin::Error) -> Failure {
        self.away(&error.to_string())
    }

    fn away(&self, why: &str) -> Failure {
        Failure::transient(format!("queue `{}`: {why}", self.queue))
    }

    async fn channel(&self) -> Result<Channel, Failure> {
        let open = self.open.lock().await;
        let channel = open.as_ref().map(|open| open.channel.clone());
        channel.ok_or_else(|| self.away("the connection is gone"))
    }

    fn tag(&self, receipt: &str) -> Result<u64, Failure> {
        receipt.parse().map_err(|_| self.away(&format!("`{receipt}` is no delivery")))
    }
}

#[async_trait]
impl Line for Rabbit {
    async fn take(&self, max: usize, wait: Duration) -> Result<Vec<Message>, Failure> {
        let mut held = self.open.lock().await;
        let open = match held.as_mut() {
            Some(open) => open,
            None => held.insert(self.connect().await?),
        };
        let mut messages = Vec::new();
        while messages.len() < max {
            let wait = if messages.is_empty() { wait } else { LINGER };
            match tokio::time::timeout(wait, open.consumer.next()).await {
                Ok(Some(Ok(delivery))) => messages.push(message(delivery)),
                Ok(Some(Err(error))) => return Err(self.failure(&error)),
                Ok(None) => return Err(self.away("the broker ended the consumer")),
                Err(_) => break,
            }
        }
        Ok(messages)
    }

    async fn done(&self, receipts: &[String]) -> Result<(), Failure> {
        let channel = self.channel().await?;
        for receipt in receipts {
            let acknowledging = channel.basic_ack(self.tag(receipt)?, BasicAckOptions::default());
            acknowledging.await.map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    async fn reject(&self, message: &Message, _: &str) -> Result<(), Failure> {
        let tag = self.tag(&message.receipt)?;
        let options = BasicRejectOptions { requeue: false };
        let rejecting = self.channel().await?;
        rejecting.basic_reject(tag, options).await.map_err(|error| self.failure(&error))
    }

    async fn rest(&self) {
        let Some(open) = self.open.lock().await.take() else { return };
        let closing = open.connection.close(200, "done".into());
        // A connection that broke has given back what it had, too.
        let _ = tokio::time::timeout(CONNECT_MAX, closing).await;
    }
}

fn message(delivery: Delivery) -> Message {
    let id = delivery.properties.message_id().as_ref().map(ToString::to_string);
    let receipt = delivery.delivery_tag.to_string();
    Message { receipt, id: id.filter(|id| !id.is_empty()), body: Body::Whole(delivery.data) }
}
