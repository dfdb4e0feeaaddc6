//! The right to work on a delivery: until when, and who has it no more.

use std::time::Duration;

use serde_json::json;
use waystation_core::event::EventKind;
use waystation_core::port::Extended;
use waystation_core::settlement::{Lease, Settled};
use waystation_core::state::JobState;

use super::backend::job_id_of;
use super::{Backend, Harness, LEASE, WAIT_MAX, bounded};
use crate::sample;

const MILLISECOND: Duration = Duration::from_millis(1);

async fn extend(backend: &Backend, lease: &Lease) -> Extended {
    let answers = bounded(backend.queue.extend(vec![lease.clone()], LEASE))
        .await
        .expect("the lease is extended");
    let [answer] = &answers[..] else {
        panic!("one answer for one lease, not {answers:?}");
    };
    answer.clone()
}

/// A worker that died loses its delivery to the next one, and the job's history says so.
pub async fn abandoned_delivery_returns(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    let first = backend.take_one(sample::STAGE).await;
    harness.clock().advance(LEASE.saturating_sub(MILLISECOND));
    assert_eq!(backend.take_ids(sample::STAGE, 1).await, ["b"]);

    harness.clock().advance(MILLISECOND);
    let second = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&second), "a");
    assert_eq!(second.deliveries, 2);
    assert_ne!(second.lease.token, first.lease.token);
    assert_eq!(second.body, first.body);
    assert_eq!(second.enqueued_at, first.enqueued_at);
    assert_eq!(backend.job("a").await.deliveries, 2);

    let events = bounded(backend.store.events(&"a".into())).await;
    let events = events.expect("the events are listed");
    let last = events.last().expect("there are events");
    assert_eq!(last.kind, EventKind::Abandoned);
    assert_eq!(last.stage.as_str(), sample::STAGE);
    assert_eq!((last.visit, last.attempt), (1, 1));
    assert_eq!(last.detail, Some(json!({ "deliveries": 1 })));
}

/// An abandoned delivery stands in its old place, before what came later.
pub async fn abandoned_delivery_keeps_its_place(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["a", "b", "c"] {
        backend.submit(sample::job(id)).await;
    }
    assert_eq!(backend.take_ids(sample::STAGE, 2).await, ["a", "b"]);
    harness.clock().advance(LEASE);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["a", "b", "c"]);
}

/// Extending counts from the present moment, as often as it is done.
pub async fn extended_lease_does_not_run_out(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    for _ in 0..3 {
        harness.clock().advance(LEASE.saturating_sub(MILLISECOND));
        assert_eq!(extend(&backend, &delivery.lease).await, Extended::Held);
        assert_eq!(backend.state("a").await, JobState::Running);
        assert!(backend.take(sample::STAGE, 1).await.is_empty());
    }
    let settled = backend.settle(sample::end(&delivery).complete()).await;
    assert_eq!(settled, Settled::Applied);
}

/// Also a lease that was made shorter, and one that was renewed after it had run out: whoever waits
/// gets the delivery in time, without anything else having to happen.
pub async fn extended_lease_runs_out_when_it_is_not_extended_again(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let short = Duration::from_millis(300);
    let extended = bounded(backend.queue.extend(vec![delivery.lease.clone()], short)).await;
    assert_eq!(extended.expect("extended"), [Extended::Held]);
    let request = super::backend::request(sample::STAGE, 1, WAIT_MAX);
    let mut waiting = backend.queue.receive(request);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err(), "the lease holds");
    harness.clock().advance(short);
    let deliveries = bounded(waiting).await.expect("received");
    assert_eq!(deliveries.len(), 1);
}

/// Who lost a lease hears it, in the place of that lease among the answers.
pub async fn extending_a_lost_lease_says_so(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["done", "taken", "held"] {
        backend.submit(sample::job(id)).await;
    }
    let deliveries = backend.take(sample::STAGE, 3).await;
    backend.settle(sample::end(&deliveries[0]).complete()).await;
    harness.clock().advance(LEASE / 2);
    assert_eq!(extend(&backend, &deliveries[2].lease).await, Extended::Held);
    harness.clock().advance(LEASE / 2);
    assert_eq!(backend.take_ids(sample::STAGE, 3).await, ["taken"]);

    let leases = deliveries.iter().map(|one| one.lease.clone()).collect();
    let answers = bounded(backend.queue.extend(leases, LEASE)).await;
    let answers = answers.expect("the leases are extended");
    assert_eq!(answers, [Extended::Lost, Extended::Lost, Extended::Held]);
}

/// A completion under a lost lease is refused whole: state, events, log and message.
pub async fn stale_token_is_refused(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("by", "nobody")).await;
    let stale = backend.take_one(sample::STAGE).await;
    harness.clock().advance(LEASE);
    let fresh = backend.take_one(sample::STAGE).await;

    let late = sample::end(&stale).param("by", "late").log("late");
    assert_eq!(backend.settle(late.forward_to("second")).await, Settled::Lost);
    assert_eq!(backend.kinds("a").await, [EventKind::Created, EventKind::Abandoned]);
    let job = backend.job("a").await;
    assert_eq!(job.state, JobState::Running);
    assert_eq!(job.stage.as_str(), sample::STAGE);
    assert_eq!(job.params["by"], "nobody");
    assert!(backend.take("second", 1).await.is_empty());
    let log = bounded(backend.store.log(&"a".into())).await;
    assert!(log.expect("the log is listed").is_empty());

    let settled = backend.settle(sample::end(&fresh).complete()).await;
    assert_eq!(settled, Settled::Applied);
}

/// Work that is late but was given to nobody else yet is not thrown away.
pub async fn expired_lease_holds_until_another_takes_it(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    let deliveries = backend.take(sample::STAGE, 2).await;
    harness.clock().advance(LEASE * 2);
    let settled = backend.settle(sample::end(&deliveries[0]).complete()).await;
    assert_eq!(settled, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert_eq!(extend(&backend, &deliveries[1].lease).await, Extended::Held);
    assert_eq!(backend.state("b").await, JobState::Running);
    assert!(backend.take(sample::STAGE, 2).await.is_empty());
}
