//! Names of a test's own on the servers, gone with it, and a plain client of the broker.

use std::time::Duration;

use foreign_stage::places::Places;
use foreign_stage::process::{Process, theirs};
use foreign_stage::{PIPELINE, python};
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::time::Instant;
use waystation::core::event::EventKind;
use waystation::core::state::JobState;
use waystation::{App, Handle, JobId, JobRecord, OpenApp, Options, StageId};

/// Nothing takes longer.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// The wait before the servers are looked at again: they tell a plain client nothing by themselves.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The queues of the chain, and that of its events.
const QUEUES: [&str; 4] = ["raw_images", "detections", "classifications", "job_events"];

/// The servers as one test sees them.
pub struct Site {
    pub places: Places,
    broker: String,
    postgres: String,
    prefix: String,
    schema: String,
    plain: Channel,
    _connection: Connection,
}

impl Site {
    /// Names that no other test has.
    pub async fn new() -> Self {
        let [broker, postgres, redis] = ["RABBITMQ", "POSTGRES", "REDIS"].map(server);
        let id = uuid::Uuid::now_v7().simple();
        let (prefix, schema) = (format!("test.{id}."), format!("foreign_{id}"));
        let places = Places {
            queue: format!("{broker}?prefix={prefix}"),
            store: format!("{postgres}?schema={schema}"),
            bus: None,
            redis,
        };
        let connection = Connection::connect(&broker, ConnectionProperties::default()).await;
        let connection = connection.expect("the broker answers");
        let plain = connection.create_channel().await.expect("a channel");
        let site =
            Self { places, broker, postgres, prefix, schema, plain, _connection: connection };
        for queue in QUEUES {
            site.declare(queue).await;
        }
        site
    }

    /// The pipeline's app, with the code of `detect` and `predict` to be given.
    pub fn app(&self) -> App {
        self.places.name_in(App::from_file(PIPELINE).expect("the file is there"))
    }

    /// The same with the code of the demo.
    pub async fn open(&self) -> OpenApp {
        let app = self.app();
        let app = app.stage("detect", foreign_stage::stages::detect);
        let app = app.stage("predict", foreign_stage::stages::predict);
        app.open().await.expect("the servers answer")
    }

    /// A Python service, from a file of the tests or of the programs.
    pub fn start_python(&self, program: &str) -> Process {
        let python = python::interpreter().expect("a Python environment");
        let own = format!("{}/tests/it/{program}", env!("CARGO_MANIFEST_DIR"));
        let program = if std::path::Path::new(&own).exists() { own } else { program.to_owned() };
        Process::start(&program, theirs(&python, &program, &self.places)).expect("it starts")
    }

    fn name(&self, queue: &str) -> ShortString {
        format!("{}{queue}", self.prefix).into()
    }

    /// Declares a queue as any service of the chain does.
    async fn declare(&self, queue: &str) {
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        self.plain.queue_declare(self.name(queue), durable, arguments).await.expect("declared");
    }

    /// Publishes as a program would that knows nothing of us.
    pub async fn publish(&self, queue: &str, payload: &Value) {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, body) = (ShortString::default(), payload.to_string());
        let sent = self.plain.basic_publish(
            exchange,
            self.name(queue),
            options,
            body.as_bytes(),
            properties,
        );
        sent.await.expect("it is sent").await.expect("it is routed");
    }

    /// The next message of a queue that nobody else reads, if there is one by now.
    pub async fn get_now(&self, queue: &str) -> Option<Value> {
        let got = self.plain.basic_get(self.name(queue), BasicGetOptions::default()).await;
        let message = got.expect("the queue is there")?;
        message.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
        Some(serde_json::from_slice(&message.delivery.data).expect("JSON"))
    }

    /// The next message of a queue that nobody else reads.
    pub async fn get(&self, queue: &str) -> Value {
        let until = Instant::now() + WAIT_MAX;
        loop {
            if let Some(message) = self.get_now(queue).await {
                return message;
            }
            assert!(Instant::now() < until, "nothing comes to {queue}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn server(service: &str) -> String {
    let variable = format!("WAYSTATION_TEST_{service}");
    std::env::var(&variable).unwrap_or_else(|_| {
        panic!("{variable} names no server: `cargo xtask services up` starts it")
    })
}

/// The contract of the vectors.
pub fn vector() -> Value {
    json!({
        "job_id": "9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1", "entry_stage": "detect",
        "exit_stage": "predict", "retry_count": 0, "params": { "image_id": "img_123" },
    })
}

/// Starts an engine for some stages.
pub async fn start(app: &OpenApp, stages: &[&str]) -> Handle {
    let stages = stages.iter().map(|stage| StageId::from(*stage)).collect();
    let options = Options { stages: Some(stages), ..Options::default() };
    app.start(options).await.expect("it starts")
}

/// Ends an engine.
pub async fn stop(engine: Handle) {
    engine.stop();
    tokio::time::timeout(WAIT_MAX, engine.join()).await.expect("in time").expect("in good order");
}

/// Waits until the store has a job where it is to be.
pub async fn until(app: &OpenApp, job_id: &str, what: impl Fn(&JobRecord) -> bool) -> JobRecord {
    let until = Instant::now() + WAIT_MAX;
    loop {
        let job = app.client().backend().store.job(&JobId::from(job_id)).await.expect("readable");
        match job {
            Some(job) if what(&job) => return job,
            job => assert!(Instant::now() < until, "{job_id}: {job:?}"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until a job has ended; gives it when it ended like that.
pub async fn until_ended(app: &OpenApp, job_id: &str, state: JobState) -> JobRecord {
    let job = until(app, job_id, |job| job.state.is_terminal()).await;
    assert_eq!(job.state, state, "{job:?}");
    job
}

/// What happened to a job: stage, kind and attempt, oldest first.
pub async fn timeline(app: &OpenApp, job_id: &str) -> Vec<(String, EventKind, u32)> {
    let events = app.client().backend().store.events(&JobId::from(job_id)).await;
    let events = events.expect("readable").into_iter();
    events.map(|event| (event.stage.to_string(), event.kind, event.attempt)).collect()
}

/// Takes what a test made away, in a runtime of its own: the test's may be ending.
impl Drop for Site {
    fn drop(&mut self) {
        let (broker, postgres) = (self.broker.clone(), self.postgres.clone());
        let (prefix, schema) = (self.prefix.clone(), self.schema.clone());
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                remove_queues(&broker, &prefix).await;
                remove_schema(&postgres, &schema).await;
            });
        });
        let _ = removal.join();
    }
}

async fn remove_queues(broker: &str, prefix: &str) {
    let connection = Connection::connect(broker, ConnectionProperties::default()).await;
    let connection = connection.expect("the broker answers");
    let channel = connection.create_channel().await.expect("a channel");
    for queue in QUEUES {
        for ending in ["", ".priority", ".dead", ".delay.100ms", ".delay.200ms"] {
            let name = format!("{prefix}{queue}{ending}").into();
            let _ = channel.queue_delete(name, QueueDeleteOptions::default()).await;
        }
    }
    for exchange in ["job_events", "waystation.signals"] {
        let name = format!("{prefix}{exchange}").into();
        let _ = channel.exchange_delete(name, ExchangeDeleteOptions::default()).await;
    }
}

async fn remove_schema(postgres: &str, schema: &str) {
    let connected = tokio_postgres::connect(postgres, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("the server answers");
    let connection = tokio::spawn(connection);
    let dropped = client.batch_execute(&format!("drop schema if exists {schema} cascade")).await;
    dropped.expect("dropped");
    drop(client);
    let _ = connection.await;
}
