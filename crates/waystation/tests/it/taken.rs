//! Messages of somebody else's queue: each becomes one job, whatever is killed meanwhile, and what
//! is none lies with the dead letters.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::program::{Place, WAIT_MAX};

/// So many messages, of which every tenth can be no job.
const MESSAGES: usize = 400;
/// The program is killed so often, once it has taken something.
const KILLS: usize = 8;
/// Between two looks at a broker.
const PAUSE: Duration = Duration::from_millis(5);

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server: `cargo xtask services up` starts one")
    })
}

fn unique() -> String {
    format!("taken_{}_{:08x}", std::process::id(), fastrand::u32(..))
}

/// A body with this number, and whether a job can be made of it.
fn body(number: usize) -> (String, bool) {
    let is_good = !number.is_multiple_of(10);
    let good = format!(r#"{{"number":{number}}}"#);
    (if is_good { good } else { format!("<{number}>") }, is_good)
}

/// A folder whose pipeline takes from there. What it takes waits for a person.
fn taking(settings: &str) -> Place {
    Place::with_pipeline(&format!(
        "name: taken\nstages:\n  - {{ id: find, type: queue, settings: {{ {settings}, batch: 20, \
         wait_seconds: 0.5 }} }}\n  - {{ id: look, type: manual, form: {{ ok: boolean }} }}\n"
    ))
}

/// How often there is a job of each number, and how many dead letters there are.
fn jobs(place: &Place) -> (BTreeMap<u64, usize>, usize) {
    let listed = ["jobs", "list", "--json", "--limit", "1000"];
    let mut numbers = BTreeMap::new();
    for job in place.run(&listed).exits(0).objects() {
        if let Some(number) = job["params"]["number"].as_u64() {
            *numbers.entry(number).or_default() += 1;
        }
    }
    let dead = ["dead", "list", "--json"];
    (numbers, place.run(&dead).exits(0).objects().len())
}

/// Takes all there is. That some are dead letters makes it 1.
fn take(place: &Place) {
    let ended = place.run(&["run", "pipeline.yaml", "--until-idle"]);
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:#?}");
}

/// Kills the program again and again while it takes; `left` says how much is there to be taken.
fn take_and_be_killed(place: &Place, left: impl Fn() -> usize) {
    for _ in 0..KILLS {
        // Some die with their first batch, others after a few: what is taken ahead are two.
        let enough = left().saturating_sub(fastrand::usize(1..120));
        let running = place.start(&["run", "pipeline.yaml"]);
        let began = Instant::now();
        while left() > enough {
            assert!(began.elapsed() < WAIT_MAX, "nothing is taken");
            std::thread::sleep(PAUSE);
        }
        running.signal("KILL");
        running.end();
    }
    // The broker may still think that the one killed last has some in hand.
    let began = Instant::now();
    while count(place) < MESSAGES && began.elapsed() < WAIT_MAX {
        take(place);
    }
}

/// How many messages are jobs or dead letters.
fn count(place: &Place) -> usize {
    let (numbers, dead) = jobs(place);
    numbers.values().sum::<usize>() + dead
}

fn check(place: &Place) {
    let (numbers, dead) = jobs(place);
    let good: BTreeMap<u64, usize> =
        (0..MESSAGES).filter(|number| body(*number).1).map(|number| (number as u64, 1)).collect();
    assert_eq!(numbers, good, "each message is one job");
    assert_eq!(dead, MESSAGES - good.len());
    let letters = place.run(&["dead", "list", "--json"]).exits(0).objects();
    assert!(letters[0].to_string().contains("it is no JSON"), "{letters:#?}");
}

/// A queue of RabbitMQ, until it is dropped.
struct Queue {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    _connection: Connection,
    name: String,
}

impl Queue {
    fn new(dead: Option<&str>) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (name, url) = (unique(), server("WAYSTATION_TEST_RABBITMQ"));
        let (channel, connection) = runtime.block_on(async {
            let properties = ConnectionProperties::default();
            let connection = Connection::connect(&url, properties).await.expect("connected");
            let channel = connection.create_channel().await.expect("a channel");
            let confirmed = channel.confirm_select(ConfirmSelectOptions::default()).await;
            confirmed.expect("it confirms");
            let mut arguments = FieldTable::default();
            if let Some(dead) = dead {
                let text = |text: &str| AMQPValue::LongString(text.into());
                arguments.insert("x-dead-letter-exchange".into(), text(""));
                arguments.insert("x-dead-letter-routing-key".into(), text(dead));
            }
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(name.as_str().into(), durable, arguments).await;
            declared.expect("declared");
            (channel, connection)
        });
        Self { runtime, channel, _connection: connection, name }
    }

    fn publish(&self, count: usize) {
        self.runtime.block_on(async {
            for number in 0..count {
                let id = format!("m{number}");
                let properties = BasicProperties::default().with_message_id(id.as_str().into());
                let (options, body) = (BasicPublishOptions::default(), body(number).0);
                let key = self.name.as_str().into();
                let sent = self.channel.basic_publish(
                    "".into(),
                    key,
                    options,
                    body.as_bytes(),
                    properties,
                );
                sent.await.expect("sent").await.expect("confirmed");
            }
        });
    }

    /// How many messages wait there.
    fn left(&self) -> usize {
        self.runtime.block_on(async {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let name = self.name.as_str().into();
            let queue = self.channel.queue_declare(name, passive, FieldTable::default()).await;
            queue.expect("it is there").message_count() as usize
        })
    }

    /// Waits until so many are there: what a connection had comes back when the broker knows that
    /// it is gone.
    fn reaches(&self, count: usize) {
        let began = Instant::now();
        while self.left() != count {
            assert!(began.elapsed() < WAIT_MAX, "{} messages, not {count}", self.left());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn settings(&self) -> String {
        format!(r#"url: "{}", queue: {}"#, server("WAYSTATION_TEST_RABBITMQ"), self.name)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let name = self.name.as_str().into();
        let deleting = self.channel.queue_delete(name, QueueDeleteOptions::default());
        let _ = self.runtime.block_on(deleting);
    }
}

/// A stream of Redis, until it is dropped.
struct Stream {
    runtime: tokio::runtime::Runtime,
    connection: std::sync::Mutex<MultiplexedConnection>,
    name: String,
}

impl Stream {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = redis::Client::open(server("WAYSTATION_TEST_REDIS")).expect("a URL");
        let connecting = client.get_multiplexed_async_connection();
        let connection = runtime.block_on(connecting).expect("connected");
        Self { runtime, connection: std::sync::Mutex::new(connection), name: unique() }
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str, arguments: &[&str]) -> T {
        let mut connection = self.connection.lock().expect("sound");
        let mut asking = redis::cmd(command);
        asking.arg(arguments);
        self.runtime.block_on(asking.query_async(&mut *connection)).expect("an answer")
    }

    fn publish(&self, count: usize) {
        for number in 0..count {
            let _: String = self.ask("XADD", &[&self.name, "*", "body", &body(number).0]);
        }
    }

    /// How many entries nobody has acknowledged.
    fn left(&self) -> usize {
        let groups: Vec<BTreeMap<String, redis::Value>> =
            self.ask("XINFO", &["GROUPS", &self.name]);
        let number = |name: &str| match groups.first().and_then(|group| group.get(name)) {
            Some(redis::Value::Int(number)) => *number as usize,
            _ => 0,
        };
        if groups.is_empty() { MESSAGES } else { number("lag") + number("pending") }
    }

    fn settings(&self) -> String {
        let url = server("WAYSTATION_TEST_REDIS");
        format!(r#"url: "{url}", stream: {}, group: takers, field: body"#, self.name)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let rejected = format!("{}:rejected", self.name);
        let _: u64 = self.ask("DEL", &[&self.name, &rejected]);
    }
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]
fn messages_of_rabbitmq_become_one_job_each_whatever_is_killed() {
    let queue = Queue::new(None);
    queue.publish(MESSAGES);
    let place = taking(&queue.settings());
    take_and_be_killed(&place, || queue.left());
    check(&place);
    queue.reaches(0);
    // The same ones again are known.
    queue.publish(MESSAGES);
    take(&place);
    check(&place);
    queue.reaches(0);
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_REDIS"]
fn entries_of_redis_become_one_job_each_whatever_is_killed() {
    let stream = Stream::new();
    stream.publish(MESSAGES);
    let place = taking(&stream.settings());
    // The group is made by the first look.
    let left = || {
        let keys: u64 = stream.ask("EXISTS", &[&stream.name]);
        if keys == 0 { MESSAGES } else { stream.left() }
    };
    take_and_be_killed(&place, left);
    check(&place);
    assert_eq!(stream.left(), 0);
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]
fn rejected_message_goes_to_the_dead_letter_exchange() {
    let dead = Queue::new(None);
    let queue = Queue::new(Some(&dead.name));
    queue.publish(21);
    let place = taking(&format!("{}, unparsable: reject", queue.settings()));
    take(&place);
    dead.reaches(3);
    queue.reaches(0);
    let (numbers, letters) = jobs(&place);
    assert_eq!((numbers.len(), letters), (18, 0));
    let crawls = place.run(&["sources", "crawls", "taken/find", "--json"]).exits(0);
    assert!(crawls.stdout.contains("it is no JSON"), "{crawls:#?}");
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_REDIS"]
fn rejected_entry_goes_to_a_stream_of_its_own_with_the_reason() {
    let stream = Stream::new();
    stream.publish(21);
    let place = taking(&format!("{}, unparsable: reject", stream.settings()));
    take(&place);
    assert_eq!(stream.left(), 0);
    let rejected = format!("{}:rejected", stream.name);
    assert_eq!(stream.ask::<u64>("XLEN", &[&rejected]), 3);
    let first: String =
        format!("{:?}", stream.ask::<redis::Value>("XRANGE", &[&rejected, "-", "+"]));
    assert!(first.contains("it is no JSON") && first.contains("<10>"), "{first}");
    assert_eq!(jobs(&place).0.len(), 18);
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]
fn dead_letter_of_a_message_is_mended_and_tried_again() {
    let queue = Queue::new(None);
    queue.publish(1);
    let place = taking(&queue.settings());
    take(&place);
    let letters = place.run(&["dead", "list", "--json"]).exits(0).objects();
    let job = letters[0]["job_id"].as_str().expect("an id").to_owned();
    let shown = place.show(&job);
    assert_eq!(shown["job"]["params"]["message"], Value::from("<0>"), "{shown:#}");
    assert_eq!(shown["job"]["state"], "failed");
    place.run(&["jobs", "retry", &job, "--params", r#"{"number":0}"#]).exits(0);
    assert_eq!(place.show(&job)["job"]["state"], "waiting");
}

#[test]
fn settings_of_queues_that_mean_nothing_are_told() {
    for (settings, words) in [
        ("url: amqp://127.0.0.1", "setting `queue` is absent"),
        ("url: redis://127.0.0.1, stream: s", "setting `group` is absent"),
        (
            "url: redis://127.0.0.1, stream: s, group: g, queue: q",
            "setting `queue` says nothing for `redis://`",
        ),
        ("url: http://127.0.0.1, queue: q", "setting `url` must be"),
        ("url: amqp://127.0.0.1, queue: q, unparsable: drop", "`dead` or `reject`"),
    ] {
        let place = taking(settings);
        place.run(&["pipelines", "check", "pipeline.yaml"]).exits(2).says(words);
    }
}
