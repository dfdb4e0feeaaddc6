//! What several processes write and read side by side: the feed, counts and records.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::port::{Expected, Put, Queue, Records, Store};
use waystation_core::statistics::{Measure, Period};
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use crate::conformance::server;

const WAIT_MAX: Duration = Duration::from_secs(30);
/// As the layout of version 5 made it.
const VERSION_5: [&str; 5] = [
    include_str!("../../src/migrations/0001_jobs.sql"),
    include_str!("../../src/migrations/0002_away.sql"),
    include_str!("../../src/migrations/0003_families.sql"),
    include_str!("../../src/migrations/0004_steps.sql"),
    include_str!("../../src/migrations/0005_progress.sql"),
];

/// A schema of its own.
struct Schema {
    name: String,
}

impl Schema {
    fn new() -> Self {
        Self { name: format!("test_{}", uuid::Uuid::now_v7().simple()) }
    }

    async fn open(&self) -> Postgres {
        let options = Options::parse(&format!("{}?schema={}", server(), self.name));
        let opened = Postgres::open(options.expect("a good URL"), Arc::new(SystemClock));
        opened.await.expect("it opens")
    }

    async fn raw(&self) -> Client {
        let (client, connection) =
            tokio_postgres::connect(&server(), NoTls).await.expect("the server answers");
        tokio::spawn(connection);
        let path = format!("SET search_path TO {}", self.name);
        client.batch_execute(&path).await.expect("it is set");
        client
    }
}

/// Writes an event of a job, as another process does, and leaves the transaction open.
async fn write_event(raw: &Client, job_id: &str) {
    let sql = format!(
        "BEGIN; INSERT INTO event (job, kind, stage, visit, attempt, at) \
         SELECT job_number, 1, 'first', 1, 1, 5 FROM job WHERE job_id = '{job_id}'"
    );
    raw.batch_execute(&sql).await.expect("it is written");
}

async fn submit(store: &Postgres, job_id: &str) {
    store.submit(vec![sample::job(job_id).build()], None).await.expect("submitted");
}

/// What the feed tells behind a place, and the place behind that.
async fn read(store: &Postgres, after: u64) -> (Vec<String>, u64) {
    let feed = store.feed(Some(after), 9).await.expect("the feed is read");
    let told = feed.events.iter().map(|(_, event)| format!("{} {}", event.job_id, event.kind));
    (told.collect(), feed.next)
}

/// Reads on until something is told.
async fn read_some(store: &Postgres, mut after: u64) -> (Vec<String>, u64) {
    let reading = async {
        loop {
            let (told, next) = read(store, after).await;
            if !told.is_empty() {
                return (told, next);
            }
            after = next;
        }
    };
    timeout(WAIT_MAX, reading).await.expect("in time")
}

/// A number that is drawn and not yet to be seen holds the feed before it; then all is told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_transaction_holds_the_feed_before_its_events() {
    let schema = Schema::new();
    let (store, raw) = (schema.open().await, schema.raw().await);
    submit(&store, "a").await;
    let place = store.feed(None, 0).await.expect("it stands somewhere").next;
    for end in ["COMMIT", "ROLLBACK"] {
        write_event(&raw, "a").await;
        let late = format!("late-{end}");
        submit(&store, &late).await;
        let (told, before) = read(&store, place).await;
        assert!(!told.contains(&format!("{late} created")), "{told:?}");
        let (told, _) = read(&store, before).await;
        assert!(told.is_empty(), "{told:?}");
        raw.batch_execute(end).await.expect("it ends");
    }
    let expected = ["a started", "late-COMMIT created", "late-ROLLBACK created"];
    let (mut all, mut after) = (Vec::new(), place);
    while all.len() < expected.len() {
        let (told, next) = read_some(&store, after).await;
        all.extend(told);
        after = next;
    }
    assert_eq!(all, expected);
    let (told, _) = read(&store, after).await;
    assert!(told.is_empty(), "{told:?}");
}

/// Who asks where the feed stands is told a place behind which nothing comes that was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn place_of_the_feed_waits_for_those_who_write() {
    let schema = Schema::new();
    // In a transaction the activity stands still: somebody else watches it.
    let (store, raw, watcher) = (schema.open().await, schema.raw().await, schema.raw().await);
    submit(&store, "a").await;
    write_event(&raw, "a").await;
    submit(&store, "b").await;
    let asking = tokio::spawn({
        let store = store.clone();
        async move { store.feed(None, 0).await.expect("it stands somewhere").next }
    });
    // It looks again and again until the other one ends.
    let looks = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_locks%' \
         AND application_name = 'waystation'";
    let looked = async {
        while watcher.query_one(looks, &[]).await.expect("it answers").get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(WAIT_MAX, looked).await.expect("it looks");
    assert!(!asking.is_finished());
    raw.batch_execute("COMMIT").await.expect("committed");
    let place = timeout(WAIT_MAX, asking).await.expect("in time").expect("no panic");
    assert_eq!(read(&store, place).await.0, Vec::<String>::new());
    submit(&store, "c").await;
    assert_eq!(read_some(&store, place).await.0, ["c created"]);
}

/// Transactions that write no events keep nobody from reading, however long they take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_transaction_elsewhere_does_not_hold_the_feed() {
    let schema = Schema::new();
    let (store, raw) = (schema.open().await, schema.raw().await);
    let long = "BEGIN; SELECT count(*) FROM event; CREATE TABLE mine (a integer); \
         INSERT INTO mine VALUES (1)";
    raw.batch_execute(long).await.expect("it goes on");
    let place = store.feed(None, 0).await.expect("it stands somewhere").next;
    submit(&store, "a").await;
    assert_eq!(read(&store, place).await.0, ["a created"]);
    raw.batch_execute("ROLLBACK").await.expect("it ends");
}

/// Each process counts for itself, and what is told is the sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_several_processes_add_up() {
    const PROCESSES: usize = 6;
    const JOBS: usize = 20;
    let schema = Schema::new();
    let mut running = Vec::new();
    for process in 0..PROCESSES {
        let store = schema.open().await;
        running.push(tokio::spawn(async move {
            for number in 0..JOBS {
                let id = format!("job-{process}-{number}");
                submit(&store, &id).await;
                store.abort(&JobId::from(id), "not wanted").await.expect("aborted");
            }
        }));
    }
    for process in running {
        timeout(WAIT_MAX, process).await.expect("in time").expect("no panic");
    }
    let store = schema.open().await;
    let all = store.statistics(Period::Ever).await.expect("they are told");
    let sum = |measure| -> u64 {
        all.iter().filter(|one| one.key.measure == measure).map(|one| one.sum.count).sum()
    };
    assert_eq!(sum(Measure::Created), (PROCESSES * JOBS) as u64);
    assert_eq!(sum(Measure::JobAborted), (PROCESSES * JOBS) as u64);
    let (mut told, mut after) = (0, 0);
    while told < 2 * PROCESSES * JOBS {
        let (some, next) = read_some(&store, after).await;
        (told, after) = (told + some.len(), next);
    }
    assert_eq!(told, 2 * PROCESSES * JOBS);
}

/// Of processes that expect the same, one succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_take_turns_at_a_record() {
    let schema = Schema::new();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(schema.open().await);
    }
    let mut expected = Expected::Absent;
    for round in 0..10 {
        let writers = stores.iter().cloned().map(|store| {
            tokio::spawn(async move {
                store.put_record("turns", "a", &json!(round), expected, None).await
            })
        });
        let mut kept = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            if let Put::Kept(revision) = writer.await.expect("no panic").expect("it is taken") {
                kept.push(revision);
            }
        }
        assert_eq!(kept.len(), 1, "in round {round}");
        expected = Expected::Revision(kept[0]);
    }
}

/// Letters and tasks of a schema of version 5 are found by all that is asked of them now, and a
/// message that does not know when its job was submitted ends like any other.
#[tokio::test]
async fn schema_of_version_5_is_looked_at() {
    use waystation_core::job::{DeadLetterFilter, Holder, TaskFilter};
    use waystation_core::port::{Purpose, Receive};
    use waystation_core::statistics::UNTIMED;

    let schema = Schema::new();
    let raw = schema.raw().await;
    let layout = format!(
        "CREATE SCHEMA {0}; SET search_path TO {0};
         CREATE TABLE layout (version bigint NOT NULL); INSERT INTO layout VALUES (5);
         {1}
         INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, created_at, updated_at)
         VALUES ('a', 'samples', 1, 7, 'first', 5, 5), ('b', 'samples', 1, 4, 'first', 6, 6),
         ('c', 'samples', 1, 1, 'first', 7, 7);
         INSERT INTO dead_letter (job, stage, failure, at, body)
         VALUES (1, 'first', '{{\"kind\":\"error\",\"message\":\"why\"}}', 7, '\\x00');
         INSERT INTO task (job, pipeline, stage, created_at, body)
         VALUES (2, 'samples', 'first', 6, '\\x00');",
        schema.name,
        VERSION_5.concat(),
    );
    raw.batch_execute(&layout).await.expect("the layout of version 5");
    let insert = "INSERT INTO message (queue, rank, state, job, enqueued_at, body) \
         VALUES ($1, 0, 0, 3, 7, $2)";
    let (queue, body) = (sample::queue(sample::STAGE), sample::body("c"));
    raw.execute(insert, &[&queue.as_str(), &body]).await.expect("a message");
    let store = schema.open().await;
    let (pipeline, stage) = (Some(sample::PIPELINE.into()), Some(sample::STAGE.into()));
    let filter = DeadLetterFilter { pipeline, stage, ..DeadLetterFilter::newest(9) };
    assert_eq!(store.dead_letters(filter).await.expect("they are listed").len(), 1);
    let filter = TaskFilter { holder: Holder::Nobody, ..TaskFilter::first(9) };
    assert_eq!(store.tasks(filter).await.expect("they are listed").len(), 1);
    assert_eq!(store.statistics(Period::Ever).await.expect("they are told"), []);

    let lease = Duration::from_mins(1);
    let request =
        Receive { queue, max: 1, wait: Duration::ZERO, lease, purpose: Purpose::Work, together: 1 };
    let delivery = store.receive(request).await.expect("received").remove(0);
    let complete = sample::end(&delivery).complete();
    store.settle([complete].into()).await.expect("settled");
    let all = store.statistics(Period::Ever).await.expect("they are told");
    let end = all.iter().find(|one| one.key.measure == Measure::JobCompleted);
    let end = end.expect("the end is counted");
    assert_eq!((end.key.bucket, end.sum.count), (UNTIMED, 1));
}
