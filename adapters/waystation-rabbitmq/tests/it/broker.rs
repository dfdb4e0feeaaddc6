//! Names of our own on the broker, gone with the test, and a plain client beside ours.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use waystation_core::clock::SystemClock;
use waystation_core::id::QueueName;
use waystation_core::port::{Error, Purpose, Queue, Receive};
use waystation_core::settlement::{Delivery, NewJob, Settled, Settlement};
use waystation_rabbitmq::{Options, RabbitMq};
use waystation_testing::sample;

/// Where a broker that tests may use is.
const VARIABLE: &str = "WAYSTATION_TEST_RABBITMQ";
/// No call takes longer than this.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(30);

/// The broker as one test sees it.
pub struct Broker {
    server: String,
    prefix: String,
    plain: Channel,
    connection: Connection,
}

impl Broker {
    /// Names that no other test has.
    pub async fn new() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} names no server: `cargo xtask services up rabbitmq` starts one")
        });
        let connection = Connection::connect(&server, ConnectionProperties::default());
        let connection = connection.await.expect("the broker answers");
        let plain = connection.create_channel().await.expect("a channel");
        let prefix = format!("test.{}.", uuid::Uuid::now_v7().simple());
        Self { server, prefix, plain, connection }
    }

    /// Our side of it, with options of its own.
    pub async fn open(&self, options: &str) -> RabbitMq {
        self.try_open(options).await.expect("the broker answers")
    }

    pub async fn try_open(&self, options: &str) -> Result<RabbitMq, Error> {
        let url = format!("{}?prefix={}&{options}", self.server, self.prefix);
        let options = Options::parse(&url).expect("a good URL");
        RabbitMq::open(options, Arc::new(SystemClock)).await
    }

    pub fn plain(&self) -> &Channel {
        &self.plain
    }

    pub fn name(&self, queue: &str) -> ShortString {
        format!("{}{queue}", self.prefix).into()
    }

    /// Publishes as a program would that knows nothing of us.
    pub async fn publish(&self, queue: &str, body: &str) {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, key) = (ShortString::default(), self.name(queue));
        let sent = self.plain.basic_publish(exchange, key, options, body.as_bytes(), properties);
        sent.await.expect("it is sent").await.expect("it is routed");
    }

    /// The next message of a queue as a plain program gets it, with its headers.
    pub async fn get(&self, queue: &str) -> Option<(Vec<u8>, FieldTable)> {
        let got = self.plain.basic_get(self.name(queue), BasicGetOptions::default()).await;
        let message = got.expect("the queue is there")?;
        message.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
        let headers = message.properties.headers().clone().unwrap_or_default();
        Some((message.delivery.data, headers))
    }

    /// Why a message was put aside, as its header says.
    pub fn reason(headers: &FieldTable) -> String {
        match &headers.inner()["x-waystation-reason"] {
            AMQPValue::LongString(text) => text.to_string(),
            other => panic!("a text, not {other:?}"),
        }
    }

    /// Declares a queue as somebody else would.
    pub async fn declare(&self, queue: &str, kind: &str) {
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        self.plain.queue_declare(self.name(queue), durable, arguments).await.expect("declared");
    }

    /// Declares a queue that refuses what is more than this many messages.
    pub async fn declare_small(&self, queue: &str, messages_max: i32) {
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(messages_max));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        self.plain.queue_declare(self.name(queue), durable, arguments).await.expect("declared");
    }

    /// Waits until a queue is there.
    pub async fn until_there(&self, queue: &str) {
        let there = async {
            loop {
                let channel = self.connection.create_channel().await.expect("a channel");
                let passive = QueueDeclareOptions { passive: true, ..Default::default() };
                let table = FieldTable::default();
                if channel.queue_declare(self.name(queue), passive, table).await.is_ok() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WAIT_MAX, there).await.expect("the queue is made in time");
    }

    /// A channel that a refusal may end.
    pub async fn fresh_channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    /// Whether there is such a queue.
    pub async fn is_there(&self, channel: &Channel, queue: &str) -> bool {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        channel.queue_declare(self.name(queue), passive, FieldTable::default()).await.is_ok()
    }

    pub async fn delete(&self, queue: &str) {
        let options = QueueDeleteOptions::default();
        self.plain.queue_delete(self.name(queue), options).await.expect("deleted");
    }
}

/// Takes the queues of a test away, in a runtime of its own: the test's may be ending.
impl Drop for Broker {
    fn drop(&mut self) {
        let (server, prefix) = (self.server.clone(), self.prefix.clone());
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(remove(&server, &prefix));
        });
        let _ = removal.join();
    }
}

async fn remove(server: &str, prefix: &str) {
    let connection = Connection::connect(server, ConnectionProperties::default()).await;
    let connection = connection.expect("the broker answers");
    let channel = connection.create_channel().await.expect("a channel");
    let stage = sample::queue(sample::STAGE);
    let keys = format!("{prefix}{}.keys", stage.as_str());
    let _ = channel.exchange_delete(keys.clone().into(), <_>::default()).await;
    for generation in 1..=2 {
        let keys = format!("{keys}.{generation}");
        let _ = channel.exchange_delete(keys.clone().into(), <_>::default()).await;
        for name in (0..4).flat_map(|number| {
            ["", ".priority", ".retry"].map(|lane| format!("{keys}.{number}{lane}"))
        }) {
            let _ = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
        }
    }
    for step in ["100ms", "200ms", "500ms", "1s"] {
        let name = format!("{keys}.delay.{step}");
        let _ = channel.exchange_delete(name.clone().into(), <_>::default()).await;
        let _ = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
    }
    for base in [stage.as_str(), "raw_images", "detections", "job_events", "admin"] {
        let endings = ["", ".priority", ".dead", ".delay.100ms", ".delay.200ms", ".delay.500ms"];
        for ending in endings.into_iter().chain([".delay.1s"]) {
            let options = QueueDeleteOptions::default();
            let name = format!("{prefix}{base}{ending}");
            let _ = channel.queue_delete(name.into(), options).await;
        }
    }
}

/// What can be received from a stage of the sample pipeline within a while.
pub async fn take(broker: &RabbitMq, stage: &str, max: usize, wait: Duration) -> Vec<Delivery> {
    let queue: QueueName = sample::queue(stage);
    let request = Receive { queue, max, wait, lease: LEASE, purpose: Purpose::Work, together: 1 };
    let received = tokio::time::timeout(WAIT_MAX, broker.receive(request)).await;
    received.expect("in time").expect("received")
}

/// The first delivery of a stage.
pub async fn take_one(broker: &RabbitMq, stage: &str) -> Delivery {
    let mut deliveries = take(broker, stage, 1, WAIT_MAX / 2).await;
    assert_eq!(deliveries.len(), 1, "one delivery at {stage}");
    deliveries.remove(0)
}

pub async fn submit(broker: &RabbitMq, jobs: Vec<NewJob>) {
    let submitted = tokio::time::timeout(WAIT_MAX, broker.submit(jobs, None)).await;
    submitted.expect("in time").expect("submitted");
}

pub async fn settle(broker: &RabbitMq, settlement: Settlement) -> Settled {
    let settled = tokio::time::timeout(WAIT_MAX, broker.settle([settlement].into())).await;
    settled.expect("in time").expect("settled")[0]
}

/// Whose delivery it is.
pub fn job_id(delivery: &Delivery) -> String {
    let contract = waystation_core::contract::Contract::parse(&delivery.body);
    contract.expect("a contract").job_id.to_string()
}
