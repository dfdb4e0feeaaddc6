//! Transactions that get into each other's way: whoever called does not hear of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use waystation_core::clock::SystemClock;
use waystation_core::port::{Purpose, Queue, Receive, Store};
use waystation_core::settlement::{Delivery, Settled};
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use waystation_testing::servers::Cluster;

const WAIT_MAX: Duration = Duration::from_secs(30);

async fn open(url: &str) -> Postgres {
    let options = Options::parse(url).expect("a good URL");
    Postgres::open(options, Arc::new(SystemClock)).await.expect("it answers")
}

async fn client(cluster: &Cluster) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.expect("up");
    tokio::spawn(connection);
    client.batch_execute("SET search_path TO waystation").await.expect("the schema is there");
    client
}

/// Two jobs, taken from their queue.
async fn taken(store: &Postgres) -> Vec<Delivery> {
    let jobs = vec![sample::job("a").build(), sample::job("b").build()];
    store.submit(jobs, None).await.expect("submitted");
    let request = Receive {
        queue: sample::queue(sample::STAGE),
        max: 2,
        wait: WAIT_MAX,
        lease: Duration::from_mins(1),
        purpose: Purpose::Work,
        together: 1,
    };
    let taken = store.receive(request).await.expect("received");
    assert_eq!(taken.len(), 2);
    taken
}

/// Settles in a task of its own, and returns when a lock is what it waits for.
async fn settle_until_it_waits(
    store: &Postgres,
    taken: &[Delivery],
    watcher: &Client,
) -> tokio::task::JoinHandle<Vec<Settled>> {
    let settlements = taken.iter().map(|delivery| sample::end(delivery).complete()).collect();
    let settling = store.clone();
    let settled = tokio::spawn(async move { settling.settle(settlements).await.expect("settled") });
    let waits = "SELECT count(*) FROM pg_stat_activity \
         WHERE application_name = 'waystation' AND wait_event_type = 'Lock'";
    let waiting = async {
        while watcher.query_one(waits, &[]).await.expect("it answers").get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(WAIT_MAX, waiting).await.expect("the settlement comes to the locked row");
    settled
}

async fn check(store: &Postgres, settled: tokio::task::JoinHandle<Vec<Settled>>) {
    let answers = timeout(WAIT_MAX, settled).await.expect("in time").expect("it does not panic");
    assert_eq!(answers, [Settled::Applied, Settled::Applied]);
    for id in ["a", "b"] {
        let job = store.job(&id.into()).await.expect("it answers").expect("it is there");
        assert_eq!(job.state, JobState::Completed);
        assert_eq!(store.events(&job.job_id).await.expect("it answers").len(), 2);
    }
}

#[tokio::test]
async fn settlement_that_ends_in_a_deadlock_is_run_again() {
    // Looked for by the settlement only, and not before the other side is in it.
    let cluster = Cluster::start(&["deadlock_timeout=2s"]);
    let store = open(&cluster.url()).await;
    let (other, watcher) = (client(&cluster).await, client(&cluster).await);
    let taken = taken(&store).await;
    let lock = |id: &str| format!("UPDATE job SET updated_at = updated_at WHERE job_id = '{id}'");
    let begin = format!("SET deadlock_timeout = '1min'; BEGIN; {}", lock("b"));
    other.batch_execute(&begin).await.expect("nobody else has it");
    let settled = settle_until_it_waits(&store, &taken, &watcher).await;
    other.batch_execute(&lock("a")).await.expect("the settlement gives way");
    other.batch_execute("COMMIT").await.expect("committed");
    check(&store, settled).await;
}

#[tokio::test]
async fn settlement_that_cannot_be_serialised_is_run_again() {
    let cluster = Cluster::start(&["default_transaction_isolation=repeatable\\ read"]);
    let store = open(&cluster.url()).await;
    let (other, watcher) = (client(&cluster).await, client(&cluster).await);
    let taken = taken(&store).await;
    let lock = "BEGIN; UPDATE job SET updated_at = updated_at + 1 WHERE job_id = 'b'";
    other.batch_execute(lock).await.expect("nobody else has it");
    let settled = settle_until_it_waits(&store, &taken, &watcher).await;
    other.batch_execute("COMMIT").await.expect("committed");
    check(&store, settled).await;
}
