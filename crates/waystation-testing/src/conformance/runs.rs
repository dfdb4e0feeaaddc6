//! Several messages of one key are handed out together, and settled in their order.

use std::sync::Arc;
use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::port::{Abort, Extended, RECEIVE_MAX, Receive};
use waystation_core::settlement::{Delivery, Settled, Settlement};
use waystation_core::state::JobState;

use super::backend::{job_id_of, request};
use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

const SECOND: Duration = Duration::from_secs(1);

/// Submits jobs, each under its key: `a1` has the key `a`.
async fn submit(backend: &Backend, ids: &[&str]) {
    for id in ids {
        backend.submit(sample::job(id).key(&id[..1])).await;
    }
}

/// What can be received at once: so many by themselves, and so many of a key.
async fn take(backend: &Backend, max: usize, together: usize) -> Vec<Delivery> {
    let request = Receive { together, ..request(sample::STAGE, max, Duration::ZERO) };
    bounded(backend.queue.receive(request)).await.expect("deliveries are received")
}

fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(job_id_of).collect()
}

async fn settle(backend: &Backend, settlements: Vec<Settlement>) -> Vec<Settled> {
    let settlements: Arc<[Settlement]> = settlements.into();
    bounded(backend.queue.settle(settlements)).await.expect("the settlements are taken")
}

/// The first of a key brings those behind it, and nobody else gets one of the key until they are
/// settled, which they are in one batch.
pub async fn run_is_handed_out_in_order_and_settled_in_one_batch(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "b1", "a2", "a3", "b2", "a4"]).await;
    backend.submit(sample::job("free")).await;
    let run = take(&backend, 2, 3).await;
    assert_eq!(ids(&run), ["a1", "a2", "a3", "b1", "b2"]);
    assert!(run.iter().all(|one| one.deliveries == 1));
    let depth = backend.depth(sample::STAGE).await;
    assert_eq!((depth.ready, depth.behind, depth.leased), (1, 1, 5));
    let shown = bounded(backend.store.depths()).await.expect("the depths are told");
    assert_eq!(shown[0].1, depth);
    assert_eq!(backend.state("a3").await, JobState::Running);
    let (third, last) = ("a3".into(), "a4".into());
    let behind = |id| bounded(backend.store.behind(id));
    assert_eq!(behind(&third).await.expect("it is told"), None);
    let last = behind(&last).await.expect("it is told").expect("it is behind");
    assert_eq!((last.first.as_str(), last.ahead), ("a1", 3));

    backend.submit(sample::job("a9").key("a").priority(9)).await;
    assert_eq!(ids(&take(&backend, 9, 9).await), ["free"]);
    let all: Vec<_> = run[..3].iter().map(|one| sample::end(one).complete()).collect();
    assert_eq!(settle(&backend, all).await, [Settled::Applied; 3]);
    assert_eq!(ids(&take(&backend, 9, 9).await), ["a9", "a4"], "the priority did not help before");
}

/// One of a run is counted as handed out once it has come up to the head.
pub async fn run_is_settled_one_by_one(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3", "a4"]).await;
    let run = take(&backend, 1, 3).await;
    assert_eq!(ids(&run), ["a1", "a2", "a3"]);
    for (one, next) in run.iter().zip(["a2", "a3", "a4"]) {
        assert_eq!(backend.job(next).await.deliveries, 0);
        assert!(take(&backend, 9, 9).await.is_empty());
        assert_eq!(backend.settle(sample::end(one).complete()).await, Settled::Applied);
        let is_out = u32::from(next != "a4");
        assert_eq!(backend.job(next).await.deliveries, is_out, "{next}");
    }
    assert_eq!(ids(&take(&backend, 9, 1).await), ["a4"]);
}

/// None of a run is settled before those before it have left.
pub async fn settlement_out_of_order_is_refused(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    let run = take(&backend, 1, 3).await;
    let end = |place: usize| sample::end(&run[place]).complete();
    assert_eq!(backend.settle(end(1)).await, Settled::Lost);
    let answers = settle(&backend, vec![end(2), end(0), end(2)]).await;
    assert_eq!(answers, [Settled::Lost, Settled::Applied, Settled::Lost]);
    let answers = settle(&backend, vec![end(1), end(2), end(2)]).await;
    assert_eq!(answers, [Settled::Applied, Settled::Applied, Settled::Lost]);
}

/// What comes behind one that is tried again is given back, and comes after it.
pub async fn retry_within_a_run_goes_before_the_rest(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3", "a4"]).await;
    let run = take(&backend, 1, 9).await;
    let due = harness.clock().now().plus(SECOND);
    let begun = vec![sample::end(&run[0]).complete(), sample::end(&run[1]).retry_at(due)];
    assert_eq!(settle(&backend, begun).await, [Settled::Applied; 2]);
    assert_eq!(backend.settle(sample::end(&run[2]).complete()).await, Settled::Lost);
    let rest: Vec<_> = run[2..].iter().map(|one| sample::end(one).hand_back()).collect();
    assert_eq!(settle(&backend, rest).await, [Settled::Applied; 2]);
    assert!(take(&backend, 9, 9).await.is_empty());

    harness.clock().advance(SECOND);
    let again = take(&backend, 9, 9).await;
    assert_eq!(ids(&again), ["a2"], "what is tried again goes alone");
    backend.settle(sample::end(&again[0]).complete()).await;
    let rest = take(&backend, 9, 9).await;
    assert_eq!(ids(&rest), ["a3", "a4"]);
    assert!(rest.iter().all(|one| one.deliveries == 1));
}

/// A tail that is given back comes next, in its order and uncounted; a priority goes before it.
pub async fn tail_that_is_given_back_keeps_its_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    let run = take(&backend, 1, 9).await;
    let ends = vec![
        sample::end(&run[0]).complete(),
        sample::end(&run[1]).hand_back(),
        sample::end(&run[2]).hand_back(),
    ];
    assert_eq!(settle(&backend, ends).await, [Settled::Applied; 3]);
    let run = take(&backend, 1, 9).await;
    assert_eq!(ids(&run), ["a2", "a3"]);
    assert!(run.iter().all(|one| one.deliveries == 1));
    backend.submit(sample::job("a9").key("a").priority(9)).await;
    let ends = run.iter().map(|one| sample::end(one).hand_back()).collect();
    assert_eq!(settle(&backend, ends).await, [Settled::Applied; 2]);
    assert_eq!(ids(&take(&backend, 1, 9).await), ["a9", "a2", "a3"]);
}

/// Where some of a run went back, none behind them is let go before them.
pub async fn gap_within_a_run_lets_nobody_pass(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3", "a4"]).await;
    let run = take(&backend, 1, 9).await;
    let ends = vec![sample::end(&run[0]).hand_back(), sample::end(&run[1]).hand_back()];
    assert_eq!(settle(&backend, ends).await, [Settled::Applied; 2]);
    let first = take(&backend, 9, 9).await;
    assert_eq!(ids(&first), ["a1"], "others are still out");
    backend.settle(sample::end(&first[0]).complete()).await;
    assert_eq!(backend.settle(sample::end(&run[2]).hand_back()).await, Settled::Lost);
    assert_eq!(ids(&take(&backend, 9, 9).await), ["a2", "a3", "a4"]);
}

/// Where a run's holder is gone, the first of it is found out alone, and the others were never
/// begun.
pub async fn abandoned_run_returns_and_its_first_goes_alone(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    let lost = take(&backend, 1, 9).await;
    harness.clock().advance(LEASE + SECOND);
    let depth = backend.depth(sample::STAGE).await;
    assert_eq!((depth.ready, depth.behind, depth.leased), (1, 2, 0));

    let again = take(&backend, 9, 9).await;
    assert_eq!(ids(&again), ["a1"]);
    assert_eq!(again[0].deliveries, 2);
    assert!(backend.kinds("a1").await.contains(&EventKind::Abandoned));
    assert!(!backend.kinds("a2").await.contains(&EventKind::Abandoned));
    assert_eq!(backend.settle(sample::end(&lost[1]).complete()).await, Settled::Lost);
    assert_eq!(backend.settle(sample::end(&again[0]).complete()).await, Settled::Applied);
    let rest = take(&backend, 9, 9).await;
    assert_eq!(ids(&rest), ["a2", "a3"]);
    assert!(rest.iter().all(|one| one.deliveries == 1));
}

/// One of a run that came up to the head, and whose holder is gone then, was begun.
pub async fn abandoned_delivery_within_a_run_is_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    let run = take(&backend, 1, 9).await;
    backend.settle(sample::end(&run[0]).complete()).await;
    harness.clock().advance(LEASE / 2);
    let leases = run[1..].iter().map(|one| one.lease.clone()).collect();
    let extended = bounded(backend.queue.extend(leases, LEASE)).await.expect("extended");
    assert_eq!(extended, [Extended::Held, Extended::Held]);
    harness.clock().advance(LEASE / 2 + SECOND);
    assert!(take(&backend, 9, 9).await.is_empty());
    harness.clock().advance(LEASE / 2);
    let again = take(&backend, 9, 9).await;
    assert_eq!((ids(&again), again[0].deliveries), (vec!["a2".to_owned()], 2));
    backend.settle(sample::end(&again[0]).complete()).await;
    let last = take(&backend, 9, 9).await;
    assert_eq!((ids(&last), last[0].deliveries), (vec!["a3".to_owned()], 1));
}

/// One of a run that somebody wants aborted is marked; once nobody has it, it ends.
pub async fn abort_within_a_run_is_told_to_its_holder(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3", "a4"]).await;
    let run = take(&backend, 1, 9).await;
    assert_eq!(backend.abort("a2").await, Abort::Requested);
    assert_eq!(backend.abort("a3").await, Abort::Requested);
    let leases = run.iter().map(|one| one.lease.clone()).collect();
    let told = bounded(backend.queue.extend(leases, LEASE)).await.expect("extended");
    let is_told: Vec<bool> = told.iter().map(|one| *one != Extended::Held).collect();
    assert_eq!(is_told, [false, true, true, false]);
    let ends = vec![sample::end(&run[0]).complete(), sample::end(&run[1]).hand_back()];
    assert_eq!(settle(&backend, ends).await, [Settled::Applied, Settled::Aborted]);
    assert_eq!(backend.state("a2").await, JobState::Aborted);

    harness.clock().advance(LEASE + SECOND);
    assert_eq!(ids(&take(&backend, 9, 9).await), ["a4"]);
    assert_eq!(backend.state("a3").await, JobState::Aborted);
}

/// One of a run ends by an abort where its lease is over; the others stay in order.
pub async fn abort_of_an_abandoned_run_keeps_the_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    submit(&backend, &["a1", "a2", "a3"]).await;
    take(&backend, 1, 9).await;
    harness.clock().advance(LEASE + SECOND);
    assert_eq!(backend.abort("a2").await, Abort::Done);
    assert_eq!(backend.abort("a1").await, Abort::Done);
    assert_eq!(ids(&take(&backend, 9, 9).await), ["a3"]);
}

/// However many come together, no answer is longer than any other.
pub async fn runs_keep_the_limit_of_an_answer(harness: &mut dyn Harness) {
    const OF_A_KEY: usize = RECEIVE_MAX / 2 + 100;
    let backend = harness.open().await;
    for key in ["a", "b"] {
        let jobs = (0..OF_A_KEY).map(|n| sample::job(&format!("{key}{n:03}")).key(key).build());
        backend.submit_all(jobs.collect()).await;
    }
    let first = take(&backend, 9, RECEIVE_MAX).await;
    assert_eq!(first.len(), RECEIVE_MAX);
    let of_a = first.iter().take_while(|one| job_id_of(one).starts_with('a')).count();
    assert_eq!(of_a, OF_A_KEY);
    assert!(ids(&first).is_sorted());
}
