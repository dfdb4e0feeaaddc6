//! Messages of one key go one at a time, in the order that they came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use waystation_core::clock::Clock;
use waystation_core::key::Key;
use waystation_core::port::{Abort, Receive};
use waystation_core::settlement::{Next, Quorum, Settled};
use waystation_core::state::JobState;

use super::backend::{job_id_of, request};
use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

const SECOND: Duration = Duration::from_secs(1);
/// More than any case has children.
const NEVER: u32 = u32::MAX;

/// Submits jobs, each under its key: `a1` has the key `a`.
async fn submit(backend: &Backend, ids: &[&str]) {
    for id in ids {
        backend.submit(sample::job(id).key(&id[..1])).await;
    }
}

/// What a job is behind of: its key, the first job of that, and how many go before it.
async fn behind(backend: &Backend, job_id: &str) -> Option<(String, String, u64)> {
    let behind = bounded(backend.store.behind(&job_id.into())).await.expect("it is told");
    behind.map(|one| (one.key.to_string(), one.first.to_string(), one.ahead))
}

/// Of each key one is out at a time; other keys go on, and what has no key does.
pub async fn one_of_a_key_is_out_at_a_time(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "b1", "a3", "b2"]).await;
    backend.submit(sample::job("free")).await;
    let depth = backend.depth(sample::STAGE).await;
    assert_eq!((depth.ready, depth.behind, depth.leased), (3, 3, 0));

    assert_eq!(behind(&backend, "a3").await, Some(("a".to_owned(), "a1".to_owned(), 2)));
    assert_eq!(behind(&backend, "a1").await, None);
    assert_eq!(behind(&backend, "free").await, None);

    let first = backend.take(sample::STAGE, 10).await;
    assert_eq!(first.iter().map(job_id_of).collect::<Vec<_>>(), ["a1", "b1", "free"]);
    assert_eq!(behind(&backend, "a2").await, Some(("a".to_owned(), "a1".to_owned(), 1)));
    assert_eq!(first[0].key, Some(Key::new("a").expect("a key")));
    assert_eq!(first[2].key, None);
    assert!(backend.take(sample::STAGE, 10).await.is_empty());
    assert_eq!(backend.state("a2").await, JobState::Queued);

    backend.settle(sample::end(&first[0]).complete()).await;
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a2"]);
    backend.settle(sample::end(&first[1]).fail("broken")).await;
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["b2"]);
}

/// A batch that was submitted at once keeps its order within each key.
pub async fn batch_keeps_its_order_within_each_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let ids: Vec<String> = (0..30).map(|n| format!("{}{n:02}", ["a", "b", "c"][n % 3])).collect();
    let jobs = ids.iter().map(|id| sample::job(id).key(&id[..1]).build());
    backend.submit_all(jobs.collect()).await;
    for round in 0..10 {
        let deliveries = backend.take(sample::STAGE, 10).await;
        let got: Vec<_> = deliveries.iter().map(job_id_of).collect();
        assert_eq!(got, ids[round * 3..round * 3 + 3]);
        let ends = deliveries.iter().map(|one| sample::end(one).complete()).collect();
        bounded(backend.queue.settle(ends)).await.expect("the settlements are taken");
    }
    assert!(backend.take(sample::STAGE, 10).await.is_empty());
}

/// The same key at two stages is two orders.
pub async fn keys_of_two_queues_are_apart(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2"]).await;
    let first = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&first).key("a").forward_to("second")).await;
    assert_eq!(backend.take_ids("second", 10).await, ["a1"]);
    let second = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&second), "a2");
    backend.settle(sample::end(&second).key("a").forward_to("second")).await;
    assert!(backend.take("second", 10).await.is_empty(), "`a1` is still there");
}

/// A message that goes round to its own queue goes behind the others.
pub async fn message_that_comes_again_is_the_last_of_its_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2"]).await;
    let first = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&first).key("a").forward_to(sample::STAGE)).await;
    let second = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&second), "a2");
    backend.settle(sample::end(&second).complete()).await;
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a1"]);
}

/// What is tried again keeps its place: all behind it waits with it.
pub async fn retry_blocks_its_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "b1"]).await;
    let first = backend.take_one(sample::STAGE).await;
    let due = harness.clock().now().plus(SECOND);
    backend.settle(sample::end(&first).retry_at(due)).await;
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["b1"]);
    backend.submit(sample::job("a0").key("a").priority(9)).await;
    assert!(backend.take(sample::STAGE, 10).await.is_empty(), "nor does a priority help");

    harness.clock().advance(SECOND);
    let again = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&again), "a1");
    backend.settle(sample::end(&again).complete()).await;
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a0"]);
}

/// What steps aside lets the others go on, and comes behind what is there when its time has come.
pub async fn retry_that_steps_aside_lets_its_key_go_on(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    let first = backend.take_one(sample::STAGE).await;
    let due = harness.clock().now().plus(SECOND);
    backend.settle(sample::end(&first).stepping_aside().retry_at(due)).await;
    let second = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&second), "a2");

    harness.clock().advance(SECOND);
    assert!(backend.take(sample::STAGE, 10).await.is_empty(), "`a2` is out");
    backend.settle(sample::end(&second).complete()).await;
    for expected in ["a3", "a1"] {
        let next = backend.take_one(sample::STAGE).await;
        assert_eq!(job_id_of(&next), expected);
        backend.settle(sample::end(&next).complete()).await;
    }
}

/// A job that is submitted for later takes its place when its time has come.
pub async fn delayed_message_lines_up_when_it_is_due(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let due = harness.clock().now().plus(SECOND);
    backend.submit(sample::job("later").key("a").not_before(due)).await;
    submit(&backend, &["a1", "a2"]).await;
    let first = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&first), "a1");
    harness.clock().advance(SECOND);
    assert!(backend.take(sample::STAGE, 10).await.is_empty());
    submit(&backend, &["a3"]).await;
    backend.settle(sample::end(&first).complete()).await;
    for expected in ["a2", "later", "a3"] {
        let next = backend.take_one(sample::STAGE).await;
        assert_eq!(job_id_of(&next), expected);
        backend.settle(sample::end(&next).complete()).await;
    }
}

/// A higher priority goes first within a key as well, unless the other one was handed out.
pub async fn priority_goes_first_within_a_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2"]).await;
    backend.submit(sample::job("a5").key("a").priority(5)).await;
    let first = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&first), "a5");
    backend.submit(sample::job("a7").key("a").priority(7)).await;
    assert!(backend.take(sample::STAGE, 10).await.is_empty(), "`a5` is out");
    backend.settle(sample::end(&first).complete()).await;
    for expected in ["a7", "a1", "a2"] {
        let next = backend.take_one(sample::STAGE).await;
        assert_eq!(job_id_of(&next), expected);
        backend.settle(sample::end(&next).complete()).await;
    }
}

/// A delivery whose lease ran out is still the first of its key.
pub async fn abandoned_delivery_is_still_the_first_of_its_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2"]).await;
    let lost = backend.take_one(sample::STAGE).await;
    harness.clock().advance(LEASE + SECOND);
    backend.submit(sample::job("a9").key("a").priority(9)).await;
    let again = backend.take(sample::STAGE, 10).await;
    assert_eq!(again.iter().map(job_id_of).collect::<Vec<_>>(), ["a1"]);
    assert_eq!(backend.settle(sample::end(&lost).complete()).await, Settled::Lost);
    assert_eq!(backend.settle(sample::end(&again[0]).hand_back()).await, Settled::Applied);
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a1"]);
}

/// The abort of the first lets the next one go on; that of another one changes nothing for it.
pub async fn abort_of_the_first_lets_its_key_go_on(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3", "a4"]).await;
    assert_eq!(backend.abort("a2").await, Abort::Done);
    assert_eq!(backend.abort("a1").await, Abort::Done);
    let third = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&third), "a3");
    assert_eq!(backend.abort("a3").await, Abort::Requested);
    assert!(backend.take(sample::STAGE, 10).await.is_empty());
    assert_eq!(backend.settle(sample::end(&third).hand_back()).await, Settled::Aborted);
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a4"]);
}

/// A job that waits where it is for children keeps its key; one that comes to a join takes its
/// place there when it can go on.
pub async fn job_that_waits_for_children_keeps_its_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2"]).await;
    let first = backend.take_one(sample::STAGE).await;
    let quorum = |visit| Quorum { visit, completed: 1, failed: NEVER, ended: NEVER };
    let waits = sample::end(&first).fan_out(&["x"], "work", sample::STAGE, quorum);
    backend.settle(waits).await;
    assert!(backend.take(sample::STAGE, 10).await.is_empty(), "`a1` waits in its place");
    let child = backend.take_one("work").await;
    backend.settle(sample::end(&child).complete()).await;
    let again = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&again), "a1");

    let joins = sample::end(&again).key("a").fan_out(&["y"], "work", "join", quorum);
    backend.settle(joins).await;
    backend.submit(sample::job("first-there").at("join").key("a")).await;
    let there = backend.take_one("join").await;
    assert_eq!(job_id_of(&there), "first-there");
    let child = backend.take_one("work").await;
    backend.settle(sample::end(&child).complete()).await;
    assert!(backend.take("join", 10).await.is_empty());
    backend.settle(sample::end(&there).complete()).await;
    assert_eq!(backend.take_ids("join", 10).await, ["a1"]);
}

/// Order within keys is kept while several receivers work, submit, fail and give back.
pub async fn concurrent_receivers_keep_the_order_of_each_key(harness: &mut dyn Harness) {
    const JOBS: usize = 400;
    const KEYS: usize = 7;
    let backend = harness.open().await;
    let done: Arc<Mutex<BTreeMap<usize, Vec<usize>>>> = Arc::default();
    let submitter = {
        let backend = backend.clone();
        tokio::spawn(async move {
            for start in (0..JOBS).step_by(20) {
                let numbers = start..start + 20;
                let job = |n: usize| {
                    let key = (n % KEYS).to_string();
                    sample::job(&format!("job-{n:03}")).key(&key).param("n", n).build()
                };
                backend.submit_all(numbers.map(job).collect()).await;
            }
        })
    };
    let receivers: Vec<_> = (0..6)
        .map(|_| {
            let (backend, done) = (backend.clone(), done.clone());
            tokio::spawn(work_in_order(backend, done, JOBS))
        })
        .collect();
    bounded(submitter).await.expect("all is submitted");
    for receiver in receivers {
        bounded(receiver).await.expect("the receiver ends well");
    }
    for (key, numbers) in &*done.lock().await {
        let expected: Vec<usize> = (0..JOBS).filter(|n| n % KEYS == *key).collect();
        assert_eq!(*numbers, expected, "key {key}");
    }
}

/// Ends what it receives, in one of three ways, until all is done. What is behind one that stays
/// in its place is given back.
async fn work_in_order(
    backend: Backend,
    done: Arc<Mutex<BTreeMap<usize, Vec<usize>>>>,
    jobs: usize,
) {
    let mut random = fastrand::Rng::new();
    loop {
        let together = if random.bool() { 1 } else { 5 };
        let request = request(sample::STAGE, 3, Duration::from_millis(20));
        let received = backend.queue.receive(Receive { together, ..request }).await;
        let mut stopped = BTreeSet::new();
        for delivery in received.expect("deliveries are received") {
            let key = delivery.key.clone().expect("it has a key");
            let contract = waystation_core::contract::Contract::parse(&delivery.body);
            let params = contract.expect("a contract").params;
            let number = params["n"].as_u64().expect("a number") as usize;
            let ending = sample::end(&delivery);
            let settlement = match random.u32(..10) {
                _ if stopped.contains(&key) => ending.hand_back(),
                0 => ending.hand_back(),
                1 => ending.retry_at(crate::FakeClock::START),
                _ => {
                    let key = key.as_str().parse().expect("a number");
                    done.lock().await.entry(key).or_default().push(number);
                    ending.complete()
                }
            };
            let is_rest = stopped.contains(&key);
            if !matches!(settlement.next, Next::End { .. }) {
                stopped.insert(key);
            }
            let answer = backend.settle(settlement).await;
            // Of the rest of a run, given back one by one, some may have gone back by then.
            assert!(answer == Settled::Applied || is_rest, "{answer:?}");
        }
        if done.lock().await.values().map(Vec::len).sum::<usize>() == jobs {
            return;
        }
    }
}
