//! Two processes end the children of the same parents.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use waystation_core::clock::SystemClock;
use waystation_core::port::{Purpose, Queue, Receive, Store};
use waystation_core::settlement::{Delivery, Quorum, Settled, Tally};
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use crate::conformance::server;

const WORK: &str = "work";
const JOIN: &str = "count";
const NEVER: u32 = u32::MAX;
/// When the server looks for deadlocks, unless it is told another time.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// So many rounds may be as slow as a deadlock is: the machine may have more to do.
const SLOW_MAX: usize = 1;

/// No wait is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The same schema, as two processes see it.
async fn two() -> [Postgres; 2] {
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let options = Options::parse(&format!("{}?schema={schema}", server())).expect("a good URL");
    let open = || Postgres::open(options.clone(), Arc::new(SystemClock));
    [open().await.expect("it opens"), open().await.expect("it opens")]
}

async fn take(store: &Postgres, stage: &str, max: usize) -> Vec<Delivery> {
    take_within(store, stage, max, Duration::ZERO).await
}

async fn take_within(store: &Postgres, stage: &str, max: usize, wait: Duration) -> Vec<Delivery> {
    let (queue, lease) = (sample::queue(stage), Duration::from_mins(1));
    let request = Receive { queue, max, wait, lease, purpose: Purpose::Work, together: 1 };
    store.receive(request).await.expect("received")
}

/// A job that waits until so many children have completed.
async fn fan_out(store: &Postgres, job_id: &str, children: u32) {
    store.submit(vec![sample::job(job_id).build()], None).await.expect("submitted");
    let delivery = take(store, sample::STAGE, 1).await.remove(0);
    let names: Vec<String> = (0..children).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let quorum = |visit| Quorum { visit, completed: children, failed: 1, ended: NEVER };
    let settlement = sample::end(&delivery).fan_out(&names, WORK, JOIN, quorum);
    assert_eq!(store.settle([settlement].into()).await.expect("settled"), [Settled::Applied]);
}

async fn complete(store: &Postgres, children: &[Delivery]) {
    let ends = children.iter().map(|child| sample::end(child).complete()).collect();
    let settled = store.settle(ends).await.expect("settled");
    assert_eq!(settled, vec![Settled::Applied; children.len()]);
}

async fn tally(store: &Postgres, job_id: &str) -> Option<Tally> {
    let awaited = store.awaited(&job_id.into()).await.expect("it is told what is waited for");
    awaited.map(|awaited| awaited.tally)
}

/// Nothing is lost and nothing counted twice: the last child of two hundred, and no other, lets the
/// parent go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_end_all_children_and_the_parent_goes_on_once() {
    const CHILDREN: u32 = 201;
    let stores = two().await;
    fan_out(&stores[0], "a", CHILDREN).await;
    let mut children = take(&stores[0], WORK, 100).await;
    children.extend(take(&stores[1], WORK, 101).await);
    let last = children.split_off(200);
    // Each process ends some of what the other one took.
    let parts = children.chunks(5).enumerate();
    join_all(parts.map(|(part, children)| complete(&stores[part % 2], children))).await;
    assert_eq!(tally(&stores[0], "a").await, Some(Tally { completed: 200, failed: 0 }));
    assert!(take(&stores[0], JOIN, 9).await.is_empty(), "one is still waited for");

    complete(&stores[1], &last).await;
    assert_eq!(tally(&stores[0], "a").await, None);
    let taken = [take(&stores[0], JOIN, 9).await, take(&stores[1], JOIN, 9).await].concat();
    assert_eq!(taken.len(), 1, "the parent goes on once");
    let parent = stores[0].job(&"a".into()).await.expect("readable").expect("it is there");
    assert_eq!((parent.state, parent.stage.as_str()), (JobState::Running, JOIN));
    let listed = stores[1].children(&"a".into(), 1, 0, 1_000).await.expect("they are listed");
    let positions = listed.iter().map(|child| child.position);
    assert!(positions.eq(0..CHILDREN), "each is there, in order");
    assert!(listed.iter().all(|child| child.state == JobState::Completed));
}

/// Batches that count for the same parents in another order wait for each other, not both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_two_processes_end_children_of_the_same_parents() {
    const PARENTS: u32 = 20;
    let stores = two().await;
    let mut slow = 0;
    for round in 0..5 {
        for parent in 0..PARENTS {
            fan_out(&stores[0], &format!("job-{round}-{parent}"), 2).await;
        }
        let children = take(&stores[0], WORK, 2 * PARENTS as usize).await;
        let mut halves: [Vec<Delivery>; 2] = [Vec::new(), Vec::new()];
        for (place, child) in children.into_iter().enumerate() {
            halves[place % 2].push(child);
        }
        halves[1].reverse();
        let started = Instant::now();
        let ends = stores.iter().zip(&halves).flat_map(|(store, half)| {
            half.chunks(4).map(|children| complete(store, children)).collect::<Vec<_>>()
        });
        join_all(ends).await;
        slow += usize::from(started.elapsed() >= DEADLOCK_TIMEOUT);
        // The other process may have let them go: it is heard of by a notification.
        let mut parents = 0;
        while parents < PARENTS as usize {
            let more = take_within(&stores[1], JOIN, 99, WAIT_MAX).await.len();
            assert!(more > 0, "{parents} of {PARENTS} went on");
            parents += more;
        }
        assert_eq!(parents, PARENTS as usize);
    }
    assert!(slow <= SLOW_MAX, "they locked each other out in {slow} of 5 rounds");
}
