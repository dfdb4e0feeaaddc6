//! What a snapshot that somebody holds costs: ended messages cannot be cleared away, and claims
//! have to step over them.
//!
//! `cargo bench -p waystation-postgres --bench bloat [-- HOPS] [held]`, on a server of its own.
//! Jobs go to and fro between two queues, a thousand at a time; each tenth of the way one line is
//! printed, first without a snapshot, then with one; `held`: only the latter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};
use waystation_core::clock::SystemClock;
use waystation_core::port::{Purpose, Queue, Receive};
use waystation_core::settlement::Settlement;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;
use waystation_testing::servers::Cluster;

const HOPS: usize = 200_000;
const JOBS: usize = 40_000;
const BATCH: usize = 1_000;
const QUEUES: [&str; 2] = ["first", "second"];
const LINES: usize = 10;
const SIZES: &str = "SELECT pg_table_size('waystation.message') / 1000, \
     pg_indexes_size('waystation.message') / 1000, pg_table_size('waystation.job') / 1000";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let hops = numbers.next().unwrap_or(HOPS);
    let only_held = std::env::args().any(|argument| argument == "held");
    for held in [false, true].into_iter().filter(|held| *held || !only_held) {
        println!("{}", if held { "with a snapshot held" } else { "without a snapshot" });
        run(hops, held).await;
    }
}

async fn run(hops: usize, held: bool) {
    let cluster = Cluster::start(&["max_wal_size=4GB"]);
    let options = Options::parse(&cluster.url()).expect("a good URL");
    let store = Postgres::open(options, Arc::new(SystemClock)).await.expect("it answers");
    for first in (0..JOBS).step_by(BATCH) {
        let jobs = (first..first + BATCH)
            .map(|number| sample::job(&format!("job-{number:06}")).param("x", "y".repeat(200)))
            .map(|job| job.at(QUEUES[0]).build());
        store.submit(jobs.collect(), None).await.expect("submitted");
    }
    let (holder, watcher) = (client(&cluster).await, client(&cluster).await);
    if held {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class";
        holder.batch_execute(begin).await.expect("it begins");
    }
    println!("    hops   hops/s  claim p50/max ms  settle p50 ms  message kB  indexes kB  job kB");
    let mut done = 0;
    for line in 1..=LINES {
        let (begun, before) = (Instant::now(), done);
        let (mut claims, mut settles) = (Vec::new(), Vec::new());
        while done < hops * line / LINES {
            for (place, queue) in QUEUES.iter().enumerate() {
                let (taken, claim, settle) = hop(&store, queue, QUEUES[1 - place]).await;
                done += taken;
                claims.push(claim);
                settles.push(settle);
            }
        }
        let speed = (done - before) as f64 / begun.elapsed().as_secs_f64();
        claims.sort();
        settles.sort();
        let row = watcher.query_one(SIZES, &[]).await.expect("it answers");
        let (message, indexes, job): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        println!(
            "{done:>8} {speed:>8.0}  {:>8.2} /{:>6.1} {:>14.2} {message:>11} {indexes:>11} \
             {job:>7}",
            milliseconds(claims[claims.len() / 2]),
            milliseconds(claims[claims.len() - 1]),
            milliseconds(settles[settles.len() / 2]),
        );
    }
}

/// Takes jobs from one queue to the other; gives how many, and how long claim and settlement took.
async fn hop(store: &Postgres, from: &str, to: &str) -> (usize, Duration, Duration) {
    let request = Receive {
        queue: sample::queue(from),
        max: BATCH,
        wait: Duration::ZERO,
        lease: Duration::from_mins(10),
        purpose: Purpose::Work,
        together: 1,
    };
    let begun = Instant::now();
    let taken = store.receive(request).await.expect("received");
    let claim = begun.elapsed();
    let settlements: Arc<[Settlement]> =
        taken.iter().map(|delivery| sample::end(delivery).forward_to(to)).collect();
    let begun = Instant::now();
    store.settle(settlements).await.expect("settled");
    (taken.len(), claim, begun.elapsed())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn client(cluster: &Cluster) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.expect("up");
    tokio::spawn(connection);
    client
}
