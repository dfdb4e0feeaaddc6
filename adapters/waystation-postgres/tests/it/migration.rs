//! Schemas that an earlier version wrote.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::NoTls;
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::port::{Ledger, Projected, Purpose, Queue, Receive, Store};
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use crate::conformance::server;

const VERSION_1: &str = include_str!("../../src/migrations/0001_jobs.sql");

/// Writes a schema as version 1 did, with a job in the queue of a stage.
async fn write(schema: &str, job_id: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&server(), NoTls).await.expect("the server answers");
    tokio::spawn(connection);
    let layout = format!(
        "CREATE SCHEMA {schema}; SET search_path TO {schema};
         CREATE TABLE layout (version bigint NOT NULL); INSERT INTO layout VALUES (1);
         {VERSION_1}
         INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, created_at, updated_at)
         VALUES ('{job_id}', '{}', 1, 1, '{}', 5, 5);",
        sample::PIPELINE,
        sample::STAGE,
    );
    client.batch_execute(&layout).await.expect("the layout of version 1");
    let sql = "INSERT INTO message (queue, rank, state, job, enqueued_at, body) \
         VALUES ($1, 0, 0, 1, 5, $2)";
    let (queue, body) = (sample::queue(sample::STAGE).to_string(), sample::body(job_id));
    client.execute(sql, &[&queue, &body]).await.expect("its message");
    client
}

#[tokio::test]
async fn schema_of_version_1_is_brought_up_to_date_and_goes_on() {
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let raw = write(&schema, "a").await;
    let url = format!("{}?schema={schema}", server());
    let options = Options::parse(&url).expect("a good URL");
    let clock = Arc::new(SystemClock);
    drop(Postgres::open(options.clone(), clock.clone()).await.expect("it opens"));
    let store = Postgres::open(options, clock).await.expect("it opens again");
    let row = raw.query_one("SELECT max(version) FROM layout", &[]).await.expect("the version");
    assert_eq!(row.get::<_, i64>(0), 8);

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
