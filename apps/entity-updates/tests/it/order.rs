//! The order proof: many updates of many entities, one of which has a fifth of them, applied by
//! four workers that are killed, ended and replaced all the time, over a store that crashes where
//! it can. Each entity's updates are numbered; what was applied must be these numbers, each once
//! and in order.
//!
//! `ORDER_UPDATES` and `ORDER_ENTITIES` make it larger than what every run of the tests does. What
//! was found is printed as a ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity_updates::chain::{Updates, submission};
use entity_updates::entities::Entities;
use entity_updates::point::{Point, grouped};
use serde_json::json;
use waystation_testing::servers::{Cluster, RabbitMqServer};

use crate::workers::{Place, Process};

const WORKERS: usize = 4;
/// How many updates are submitted at a time.
const BATCH: usize = 500;
/// Nothing at all is applied for so long only where something is broken.
const STALL_MAX: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// What happened while the updates were applied.
#[derive(Default)]
struct Mishaps {
    kills: u64,
    replaced: u64,
    crashes: u64,
    /// Workers that ended by themselves, which none should.
    gone: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_of_workers_on_sqlite_changes_no_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_path_buf();
    let store = format!("sqlite://{}", home.join("jobs.db").display());
    prove("SQLite", &Place { home, store, queue: None }, || false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the server named by WAYSTATION_TEST_REDIS"]
async fn crash_of_workers_on_redis_with_sqlite_changes_no_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_path_buf();
    let store = format!("sqlite://{}", home.join("jobs.db").display());
    let server = std::env::var("WAYSTATION_TEST_REDIS").expect("a server is named");
    let name = format!("order-{:016x}", fastrand::u64(..));
    let queue = Some(format!("{server}?prefix={name}:"));
    prove("Redis with SQLite", &Place { home, store, queue }, || false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the programs of RabbitMQ; WAYSTATION_TEST_RABBITMQ says that they are there"]
async fn crash_of_workers_and_of_rabbitmq_changes_no_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_path_buf();
    let mut broker = RabbitMqServer::start();
    let store = format!("sqlite://{}", home.join("jobs.db").display());
    let place = Place { home, store, queue: Some(broker.url()) };
    let mut crashes = 0;
    prove("RabbitMQ with SQLite", &place, || {
        crashes += 1;
        if crashes > 2 {
            return false;
        }
        broker.kill();
        broker.launch();
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the programs of PostgreSQL; WAYSTATION_TEST_POSTGRES says that they are there"]
async fn crash_of_workers_and_of_postgres_changes_no_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(&["shared_buffers=256MB"]);
    let home = folder.path().to_path_buf();
    let place = Place { home, store: cluster.url(), queue: None };
    let mut crashes = 0;
    prove("PostgreSQL", &place, || {
        crashes += 1;
        if crashes > 3 {
            return false;
        }
        cluster.crash_and_restart();
        true
    })
    .await;
}

/// `crash` crashes the store, where it does not refuse to.
async fn prove(name: &str, place: &Place, mut crash: impl FnMut() -> bool) {
    let (updates, entities) = (wanted("ORDER_UPDATES", 5_000), wanted("ORDER_ENTITIES", 200));
    let begun = Instant::now();
    let store = Arc::new(Entities::open(&place.home.join("entities.db")).expect("it opens"));
    let queue = place.queue.as_deref();
    let pipeline = Updates::open(&place.store, queue, Arc::clone(&store), Vec::new()).await;
    let pipeline = pipeline.expect("the pipeline opens");
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| place.worker()).collect();
    let planned = plan(updates, entities);
    let submitting = submit(&pipeline, &planned);
    let watching = trouble(place, &store, &mut workers, updates as u64, &mut crash);
    let ((), mishaps) = tokio::join!(submitting, watching);
    for mut worker in workers {
        worker.end();
    }
    let took = begun.elapsed();

    let mut counts = vec![0_u64; entities];
    for entity in &planned {
        counts[*entity] += 1;
    }
    let mut wrong = Vec::new();
    for (entity, count) in counts.iter().enumerate() {
        let history = store.history(&format!("e:{entity}")).expect("it can be read");
        let applied: Vec<u64> =
            history.iter().map(|seen| seen.v.as_u64().expect("a number")).collect();
        let expected: Vec<u64> = (1..=*count).collect();
        if applied != expected {
            wrong.push(entity);
        }
    }
    let Mishaps { kills, replaced, crashes, gone } = mishaps;
    let largest = counts.iter().max().copied().unwrap_or(0);
    println!("order proof on {name}: {WORKERS} workers, {:.1} s", took.as_secs_f64());
    println!("  updates submitted        {updates:>9}");
    println!("  updates applied          {:>9}", store.count().expect("counted"));
    println!("  entities                 {entities:>9}");
    println!("  updates of the largest   {largest:>9}");
    println!("  workers killed           {kills:>9}");
    println!("  workers ended, replaced  {replaced:>9}");
    println!("  crashes of the store     {crashes:>9}");
    println!("  workers gone by themselves {gone:>7}");
    println!("  entities out of order    {:>9}", wrong.len());
    assert_eq!(gone, 0, "workers end when they are told to, also where their store was away");
    assert!(wrong.is_empty(), "out of order, with gaps or doubles: {wrong:?}");
    assert_eq!(store.count().expect("counted"), updates as u64);
}

/// Which entity each update is of: a fifth of them of the first.
fn plan(updates: usize, entities: usize) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(7);
    let entity = |_| if random.u32(..5) == 0 { 0 } else { random.usize(1..entities) };
    (0..updates).map(entity).collect()
}

/// Submits the updates in their order, each as a job of its own. What a crash left open is
/// submitted again, under the same ids.
async fn submit(pipeline: &Updates, planned: &[usize]) {
    let mut numbers = std::collections::HashMap::<usize, u64>::new();
    for (batch, entities) in planned.chunks(BATCH).enumerate() {
        let jobs: Vec<_> = entities
            .iter()
            .enumerate()
            .map(|(place, entity)| {
                let number = numbers.entry(*entity).or_default();
                *number += 1;
                let point = json!({ "type": "e", "id": entity, "attr": "n", "v": *number });
                let point: Point = serde_json::from_value(point).expect("a point");
                let id = format!("{batch:06}-{place:03}");
                submission(&grouped(vec![point])[0], Some(id.into()))
            })
            .collect();
        let until = Instant::now() + STALL_MAX;
        while let Err(error) = pipeline.app().submit_all(jobs.clone()).await {
            assert!(Instant::now() < until, "not submitted: {error}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Kills and replaces workers, and crashes the store, until all is applied.
async fn trouble(
    place: &Place,
    store: &Entities,
    workers: &mut [Process],
    updates: u64,
    crash: &mut impl FnMut() -> bool,
) -> Mishaps {
    let mut random = fastrand::Rng::with_seed(11);
    let mut mishaps = Mishaps::default();
    // By how far it has come, so that a slow machine is not troubled more than a quick one.
    let step = (updates / 20).max(1);
    let (mut next, mut applied, mut moved) = (step, 0, Instant::now());
    let mut crashed: Option<Instant> = None;
    loop {
        let now = store.count().expect("counted");
        if now != applied {
            (applied, moved) = (now, Instant::now());
        }
        assert!(moved.elapsed() < STALL_MAX, "{applied} of {updates} applied, and no more");
        if applied == updates {
            return mishaps;
        }
        if applied >= next {
            next = applied + step;
            let worker = &mut workers[random.usize(..WORKERS)];
            let before = Instant::now();
            match random.u32(..6) {
                0 => {
                    worker.end();
                    mishaps.replaced += 1;
                }
                1 if crash() => {
                    crashed = Some(before);
                    mishaps.crashes += 1;
                }
                _ => {
                    worker.kill();
                    mishaps.kills += 1;
                }
            }
            if worker.0.try_wait().expect("its state is told").is_some() {
                *worker = place.worker();
            }
        }
        for worker in workers.iter_mut() {
            if worker.0.try_wait().expect("its state is told").is_some() {
                let excused = crashed.is_some_and(|at| worker.was_opening(at));
                mishaps.gone += u64::from(!excused);
                *worker = place.worker();
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn wanted(variable: &str, otherwise: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.map_or(otherwise, |text| text.parse().expect("a whole number"))
}
