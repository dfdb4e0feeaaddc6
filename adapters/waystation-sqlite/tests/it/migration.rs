//! Files that an earlier version wrote.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::job::{DeadLetterFilter, Holder, TaskFilter};
use waystation_core::port::{Ledger, Projected, Purpose, Queue, Receive, Store};
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;
use waystation_core::statistics::Period;
use waystation_sqlite::{Options, Sqlite};
use waystation_testing::sample;

const VERSION_1: &str = include_str!("../../src/migrations/0001_jobs.sql");
const VERSION_5: [&str; 5] = [
    VERSION_1,
    include_str!("../../src/migrations/0002_away.sql"),
    include_str!("../../src/migrations/0003_families.sql"),
    include_str!("../../src/migrations/0004_steps.sql"),
    include_str!("../../src/migrations/0005_progress.sql"),
];
const APPLICATION_ID: i64 = 0x5741_5953;

/// Writes a file as version 1 did, with a job in the queue of a stage.
fn write(path: &std::path::Path, job_id: &str) {
    let raw = Connection::open(path).expect("SQLite opens it");
    raw.execute_batch(VERSION_1).expect("the layout of version 1");
    raw.pragma_update(None, "user_version", 1).expect("a version is set");
    raw.pragma_update(None, "application_id", APPLICATION_ID).expect("an id is set");
    raw.execute_batch(&format!(
        "INSERT INTO name VALUES (1, '{}'), (2, '{}'), (3, '{}');
         INSERT INTO job VALUES (1, '{job_id}', 1, 1, 1, 2, 5, 5, 1, NULL, NULL);",
        sample::PIPELINE,
        sample::STAGE,
        sample::queue(sample::STAGE),
    ))
    .expect("a job");
    raw.execute(
        "INSERT INTO message (message_id, queue, rank, state, job, enqueued_at, body) \
         VALUES (1, 3, 0, 0, 1, 5, ?1)",
        params![sample::body(job_id)],
    )
    .expect("its message");
}

#[tokio::test]
async fn file_of_version_1_is_brought_up_to_date_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.db");
    write(&path, "a");
    for _ in 0..2 {
        let store = Sqlite::open(Options::new(&path), Arc::new(SystemClock)).expect("it opens");
        let job = store.job(&JobId::from("a")).await.expect("readable").expect("it is there");
        assert_eq!(job.state, JobState::Queued);
    }
    let version: i64 = Connection::open(&path)
        .and_then(|raw| raw.pragma_query_value(None, "user_version", |row| row.get(0)))
        .expect("the version is read");
    assert_eq!(version, 8);

    let store = Sqlite::open(Options::new(&path), Arc::new(SystemClock)).expect("it opens");
    let (queue, lease) = (sample::queue(sample::STAGE), Duration::from_secs(30));
    let request =
        Receive { queue, max: 1, wait: Duration::ZERO, lease, purpose: Purpose::Work, together: 1 };
    let delivery = store.receive(request).await.expect("received").remove(0);
    let hand_over = sample::end(&delivery).hand_over();
    let settled = store.settle([hand_over].into()).await.expect("settled");
    assert_eq!(settled, [Settled::Applied]);
    let done = sample::journal(&sample::end(&delivery).complete());
    let answers = store.project([done].into()).await.expect("projected");
    assert_eq!(answers, [Projected::Applied]);
    let job = store.job(&JobId::from("a")).await.expect("readable").expect("it is there");
    assert_eq!(job.state, JobState::Completed);
}

/// Letters and tasks of a file of version 5 are found by all that is asked of them now; what was
/// before the counts came is not counted.
#[tokio::test]
async fn letters_and_tasks_of_version_5_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.db");
    let raw = Connection::open(&path).expect("SQLite opens it");
    raw.execute_batch(&VERSION_5.concat()).expect("the layout of version 5");
    raw.pragma_update(None, "user_version", 5).expect("a version is set");
    raw.pragma_update(None, "application_id", APPLICATION_ID).expect("an id is set");
    raw.execute_batch(&format!(
        "INSERT INTO name VALUES (1, '{}'), (2, '{}');
         INSERT INTO job (job_number, job_id, pipeline, pipeline_version, state, stage, \
         created_at, updated_at, live) VALUES (1, 'a', 1, 1, 7, 2, 5, 5, NULL), \
         (2, 'b', 1, 1, 4, 2, 6, 6, 1);
         INSERT INTO dead_letter (job, stage, failure, at, body) \
         VALUES (1, 2, '{{\"kind\":\"error\",\"message\":\"why\"}}', 7, x'00');
         INSERT INTO task (job, pipeline, stage, created_at, body) VALUES (2, 1, 2, 6, x'00');",
        sample::PIPELINE,
        sample::STAGE,
    ))
    .expect("two jobs");
    drop(raw);
    let store = Sqlite::open(Options::new(&path), Arc::new(SystemClock)).expect("it opens");
    let (pipeline, stage) = (Some(sample::PIPELINE.into()), Some(sample::STAGE.into()));
    let filter = DeadLetterFilter { pipeline, stage, ..DeadLetterFilter::newest(9) };
    let letters = store.dead_letters(filter).await.expect("they are listed");
    assert_eq!(letters.len(), 1);
    let filter = TaskFilter { holder: Holder::Nobody, ..TaskFilter::first(9) };
    assert_eq!(store.tasks(filter).await.expect("they are listed").len(), 1);
    assert_eq!(store.statistics(Period::Ever).await.expect("they are told"), []);
}
