//! Files that an earlier version wrote.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::port::{Ledger, Projected, Purpose, Queue, Receive, Store};
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;
use waystation_sqlite::{Options, Sqlite};
use waystation_testing::sample;

const VERSION_1: &str = include_str!("../../src/migrations/0001_jobs.sql");
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
    assert_eq!(version, 6);

    let store = Sqlite::open(Options::new(&path), Arc::new(SystemClock)).expect("it opens");
    let (queue, lease) = (sample::queue(sample::STAGE), Duration::from_secs(30));
    let request = Receive { queue, max: 1, wait: Duration::ZERO, lease, purpose: Purpose::Work };
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
