//! Somebody wants a job to end.

use std::time::Duration;

use serde_json::json;
use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::failure::ErrorKind;
use waystation_core::port::{Abort, Extended, Signal};
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;

use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

/// Checks that a job is aborted, says why, and kept its params.
async fn check_aborted(backend: &Backend, job_id: &str) {
    let job = backend.job(job_id).await;
    assert_eq!(job.state, JobState::Aborted);
    assert_eq!(job.not_before, None);
    assert_eq!(job.params["kept"], true);
    let failure = job.failure.expect("the job tells why it ended");
    assert_eq!(failure.kind, ErrorKind::Aborted);
    assert_eq!(failure.message, "not wanted");
    let events = bounded(backend.store.events(&job_id.into())).await;
    let events = events.expect("the events are listed");
    let last = events.last().expect("there are events");
    assert_eq!(last.kind, EventKind::Aborted);
    assert_eq!(last.detail, Some(json!({ "reason": "not wanted" })));
    assert!(backend.letters(job_id).await.is_empty());
}

/// A job that nobody works on is aborted at once, wherever it waits.
pub async fn job_that_waits_is_aborted_at_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let later = harness.clock().now().plus(Duration::from_secs(1));
    let job = |id: &str| sample::job(id).param("kept", true);
    backend.submit(job("retrying")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).retry_at(later)).await;
    backend.submit(job("queued")).await;
    backend.submit(job("delayed").not_before(later)).await;
    backend.submit(job("waiting").waiting_at("review")).await;

    for id in ["queued", "delayed", "retrying", "waiting"] {
        assert_eq!(backend.state(id).await.as_str(), id);
        assert_eq!(backend.abort(id).await, Abort::Done);
        check_aborted(&backend, id).await;
        assert_eq!(backend.abort(id).await, Abort::TooLate);
    }
    harness.clock().advance(Duration::from_secs(2));
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    assert!(backend.tasks().await.is_empty());
    assert_eq!(backend.depth(sample::STAGE).await, super::listings::EMPTY);
}

/// An ended job cannot be aborted, and an unknown one neither.
pub async fn abort_of_an_ended_or_unknown_job_says_so(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["completed", "skipped", "failed"] {
        backend.submit(sample::job(id)).await;
        let delivery = backend.take_one(sample::STAGE).await;
        let end = sample::end(&delivery);
        let settlement = match id {
            "completed" => end.complete(),
            "skipped" => end.skip(),
            _ => end.fail("no such page"),
        };
        backend.settle(settlement).await;
        assert_eq!(backend.abort(id).await, Abort::TooLate);
        assert_eq!(backend.state(id).await.as_str(), id);
    }
    assert_eq!(backend.letters("failed").await.len(), 1);
    assert_eq!(backend.abort("nobody").await, Abort::Unknown);
}

/// A running job is marked, its worker hears of it, and no later stage sees the job.
pub async fn running_job_is_aborted_by_its_settlement(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("kept", true)).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let mut signals = backend.bus.subscribe();
    assert_eq!(backend.abort("a").await, Abort::Requested);
    let heard = bounded(async {
        loop {
            match signals.next().await {
                Some(Signal::Abort { job_id, reason }) => break (job_id, reason),
                Some(_) => {}
                None => panic!("the bus is gone"),
            }
        }
    });
    assert_eq!(heard.await, ("a".into(), "not wanted".to_owned()));
    assert_eq!(backend.state("a").await, JobState::Running);
    let extended = backend.queue.extend(vec![delivery.lease.clone()], LEASE);
    let extended = bounded(extended).await.expect("the lease is extended");
    assert_eq!(extended, [Extended::AbortRequested { reason: "not wanted".into() }]);

    // Asking again changes nothing, not even the reason.
    let again = bounded(backend.store.abort(&"a".into(), "another reason")).await;
    assert_eq!(again.expect("it is taken"), Abort::Requested);

    let hop = sample::end(&delivery).forward_to("second");
    assert_eq!(backend.settle(hop).await, Settled::Aborted);
    check_aborted(&backend, "a").await;
    let kinds = backend.kinds("a").await;
    let expected = [EventKind::Created, EventKind::Completed, EventKind::Aborted];
    assert_eq!(kinds, expected);
    assert!(backend.take("second", 1).await.is_empty());
    assert_eq!(backend.abort("a").await, Abort::TooLate);
}

/// Whatever a worker does next with a marked delivery, it goes nowhere; what ends it, ends it.
pub async fn marked_delivery_goes_nowhere_else(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let later = harness.clock().now().plus(Duration::from_secs(1));
    let ids = ["retried", "parked", "handed_back", "completed", "failed"];
    for id in ids {
        backend.submit(sample::job(id).param("kept", true)).await;
    }
    let deliveries = backend.take(sample::STAGE, 9).await;
    for (id, delivery) in ids.iter().zip(&deliveries) {
        assert_eq!(backend.abort(id).await, Abort::Requested);
        let end = sample::end(delivery);
        let (settlement, expected) = match *id {
            "retried" => (end.retry_at(later), Settled::Aborted),
            "parked" => (end.park_at("review"), Settled::Aborted),
            "handed_back" => (end.hand_back(), Settled::Aborted),
            "completed" => (end.complete(), Settled::Applied),
            _ => (end.fail("no such page"), Settled::Applied),
        };
        assert_eq!(backend.settle(settlement).await, expected, "{id}");
    }
    for id in &ids[..3] {
        check_aborted(&backend, id).await;
    }
    assert_eq!(backend.state("completed").await, JobState::Completed);
    assert_eq!(backend.state("failed").await, JobState::Failed);
    harness.clock().advance(LEASE);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    assert!(backend.tasks().await.is_empty());
}

/// A marked delivery whose worker died is not handed to another: its job ends as aborted.
pub async fn marked_delivery_is_not_delivered_again(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("kept", true)).await;
    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(backend.abort("a").await, Abort::Requested);
    harness.clock().advance(LEASE);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    check_aborted(&backend, "a").await;
    let late = sample::end(&delivery).complete();
    assert_eq!(backend.settle(late).await, Settled::Lost);
    assert_eq!(backend.state("a").await, JobState::Aborted);
}

/// Where the worker died before anybody asked, the job is aborted at once.
pub async fn abandoned_job_is_aborted_at_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("kept", true)).await;
    let delivery = backend.take_one(sample::STAGE).await;
    harness.clock().advance(LEASE);
    assert_eq!(backend.abort("a").await, Abort::Done);
    check_aborted(&backend, "a").await;
    let late = sample::end(&delivery).complete();
    assert_eq!(backend.settle(late).await, Settled::Lost);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
}
