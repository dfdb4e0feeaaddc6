//! An application of a test's own on the broker, gone with the test, and a plain client beside it.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use waystation_rabbitmq::dp3::{
    App, Broker, DataPointTask, Message, TaskQueueReader, TaskQueueWriter, Topology, reader,
    topology, writer,
};

use crate::broker::WAIT_MAX;

/// An application on a broker.
pub struct Place {
    pub url: String,
    pub app: App,
    pub broker: Broker,
    pub workers: NonZeroU16,
    plain: Channel,
    _connection: Connection,
}

/// A message as a plain client got it.
pub struct Got {
    pub body: Vec<u8>,
    pub properties: BasicProperties,
}

impl Place {
    /// An application with nothing declared.
    pub async fn bare(workers: u16) -> Self {
        let url = std::env::var("WAYSTATION_TEST_RABBITMQ").unwrap_or_else(|_| {
            panic!("no server is named: `cargo xtask services up rabbitmq` starts one")
        });
        Self::at(url, workers).await
    }

    /// One with everything declared.
    pub async fn new(workers: u16) -> Self {
        Self::with_limit(workers, 10_000).await
    }

    /// One whose normal lanes take so many.
    pub async fn with_limit(workers: u16, lane_limit: u32) -> Self {
        let place = Self::bare(workers).await;
        place.declare(lane_limit).await;
        place
    }

    pub async fn at(url: String, workers: u16) -> Self {
        let app = App::new(&format!("test-{}", uuid::Uuid::now_v7().simple())).expect("a name");
        let broker = Broker::open(&url).await.expect("the broker answers");
        let connection = Connection::connect(&url, ConnectionProperties::default());
        let connection = connection.await.expect("the broker answers");
        let plain = connection.create_channel().await.expect("a channel");
        plain.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let workers = NonZeroU16::new(workers).expect("above zero");
        Self { url, app, broker, workers, plain, _connection: connection }
    }

    pub async fn declare(&self, lane_limit: u32) {
        self.declare_for(self.workers, lane_limit).await;
    }

    pub async fn declare_for(&self, workers: NonZeroU16, lane_limit: u32) {
        let lane_limit = NonZeroU32::new(lane_limit).expect("above zero");
        let options = topology::Options { lane_limit };
        self.topology().declare(workers, &options).await.expect("declared");
    }

    pub fn topology(&self) -> Topology {
        Topology::new(&self.broker, self.app.clone())
    }

    /// A writer that tries for so long.
    pub fn writer(&self, patience: Duration) -> TaskQueueWriter {
        let options = writer::Options { patience, ..writer::Options::default() };
        TaskQueueWriter::new(&self.broker, self.app.clone(), self.workers, options)
    }

    pub fn reader(&self, worker: u16) -> TaskQueueReader {
        self.reader_with(worker, reader::Options::default())
    }

    /// A reader that does not wait long for anything.
    pub fn reader_with(&self, worker: u16, options: reader::Options) -> TaskQueueReader {
        let short = Duration::from_millis(200);
        let options = reader::Options { retry_delays: vec![short], drain: short, ..options };
        TaskQueueReader::start(&self.broker, self.app.clone(), worker, options)
    }

    /// Declares the queue of dead letters as somebody might who has little room.
    pub async fn declare_small(&self, queue: &str, messages_max: i32) {
        let queue = format!("{}-{queue}", self.app);
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(messages_max));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        self.plain.queue_declare(queue.into(), durable, arguments).await.expect("declared");
    }

    /// Publishes as anybody might.
    pub async fn publish(&self, queue: &str, body: &[u8]) {
        let queue = format!("{}-{queue}", self.app);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = self.plain.basic_publish("".into(), queue.into(), options, body, properties);
        sent.await.expect("it is sent").await.expect("it is routed");
    }

    /// Publishes as DP3 does: confirmed, and not persistent.
    pub async fn publish_transient(&self, queue: &str) {
        let queue = format!("{}-{queue}", self.app);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default();
        let sent = self.plain.basic_publish("".into(), queue.into(), options, b"{}", properties);
        sent.await.expect("it is sent").await.expect("it is confirmed");
    }

    /// The next message of a queue, taken off it.
    pub async fn get(&self, queue: &str) -> Option<Got> {
        let queue = format!("{}-{queue}", self.app);
        let got = self.plain.basic_get(queue.into(), BasicGetOptions::default()).await;
        let message = got.expect("the queue is there")?;
        message.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
        let properties = message.properties.clone();
        Some(Got { body: message.delivery.data, properties })
    }

    /// How many messages wait in a queue.
    pub async fn count(&self, queue: &str) -> u32 {
        let queue = format!("{}-{queue}", self.app);
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let found = self.plain.queue_declare(queue.into(), passive, FieldTable::default()).await;
        found.expect("the queue is there").message_count()
    }

    /// Waits until so many messages wait in a queue.
    pub async fn until_count(&self, queue: &str, expected: u32) {
        let counted = async {
            while self.count(queue).await != expected {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(WAIT_MAX, counted).await;
        assert!(in_time.is_ok(), "{queue} has {} messages", self.count(queue).await);
    }
}

impl Got {
    pub fn header(&self, name: &str) -> String {
        let headers = self.properties.headers().as_ref().expect("headers");
        match &headers.inner()[name] {
            AMQPValue::LongString(text) => text.to_string(),
            other => panic!("a text, not {other:?}"),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// Takes everything away, in a runtime of its own: the test's may be ending.
impl Drop for Place {
    fn drop(&mut self) {
        let (url, app, workers) = (self.url.clone(), self.app.clone(), self.workers.get());
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                // A broker of the test's own may be gone already.
                if let Ok(broker) = Broker::open(&url).await {
                    let _ = Topology::new(&broker, app).delete(workers, true).await;
                }
            });
        });
        let _ = removal.join();
    }
}

/// The task of this entity that deletes it.
pub fn task(eid: i64) -> Message {
    DataPointTask::deleting("A", eid).into()
}

/// What a task says of whom.
pub fn eid(message: &Message) -> String {
    match message {
        Message::Task(task) => task.eid.to_string(),
        other => panic!("a task, not {other:?}"),
    }
}

/// The next message, or a failed test.
pub async fn take(reader: &TaskQueueReader) -> reader::Received {
    let received = tokio::time::timeout(WAIT_MAX, reader.receive()).await;
    received.expect("in time").expect("the reader goes on")
}

/// Nothing comes for a while.
pub async fn nothing(reader: &TaskQueueReader) {
    let received = tokio::time::timeout(Duration::from_millis(500), reader.receive()).await;
    assert!(received.is_err(), "{received:?}");
}
