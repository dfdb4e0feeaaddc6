//! Which delivery comes first, and which not yet.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::state::JobState;

use super::backend::job_id_of;
use super::{Harness, hand_out_the_share};
use crate::sample;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What came first goes first, also across batches and calls.
pub async fn equal_priorities_keep_their_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let ids = ["c", "a", "d", "b", "e"];
    let batch = ids[..3].iter().map(|id| sample::job(id).build()).collect();
    backend.submit_all(batch).await;
    for id in &ids[3..] {
        backend.submit(sample::job(id)).await;
    }
    let mut got = backend.take_ids(sample::STAGE, 2).await;
    got.extend(backend.take_ids(sample::STAGE, 10).await);
    assert_eq!(got, ids);
}

/// Higher priorities overtake; within one, the order of coming holds.
pub async fn priority_goes_before_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let jobs = [
        ("low", -5),
        ("first", 0),
        ("high", 7),
        ("second", 0),
        ("lowest", i16::MIN),
        ("highest", i16::MAX),
    ];
    for (id, priority) in jobs {
        backend.submit(sample::job(id).priority(priority)).await;
    }
    let got = backend.take_ids(sample::STAGE, 10).await;
    assert_eq!(got, ["highest", "high", "first", "second", "low", "lowest"]);
}

/// What is passed over by higher priorities has its share, so that nothing waits for good.
pub async fn lower_priority_has_its_share(harness: &mut dyn Harness) {
    hand_out_the_share(harness.open().await.queue).await;
}

/// A delayed message is invisible until its moment, and deliverable at it.
pub async fn delayed_message_waits_until_its_time(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let due = harness.clock().now().plus(SECOND);
    backend.submit(sample::job("a").not_before(due)).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Delayed, Some(due)));
    assert!(backend.take(sample::STAGE, 1).await.is_empty());

    harness.clock().advance(SECOND.saturating_sub(MILLISECOND));
    assert!(backend.take(sample::STAGE, 1).await.is_empty());
    harness.clock().advance(MILLISECOND);
    assert_eq!(backend.take_ids(sample::STAGE, 1).await, ["a"]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Running, None));
}

/// A time that has come is no delay.
pub async fn message_that_is_due_already_is_queued(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let now = harness.clock().now();
    backend.submit(sample::job("a").not_before(now)).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Queued, None));
    assert_eq!(backend.take_ids(sample::STAGE, 1).await, ["a"]);
}

/// Once due, a delayed message stands where it came, not where it became due.
pub async fn due_messages_stand_in_the_order_of_coming(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let now = harness.clock().now();
    backend.submit(sample::job("a").not_before(now.plus(SECOND * 2))).await;
    backend.submit(sample::job("b").not_before(now.plus(SECOND))).await;
    backend.submit(sample::job("c")).await;
    harness.clock().advance(SECOND * 2);
    assert_eq!(backend.take_ids(sample::STAGE, 10).await, ["a", "b", "c"]);
}

/// A retry waits out its delay and comes back with the body of the settlement.
pub async fn retry_comes_back_after_its_delay_with_the_new_body(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("tries", 0)).await;
    let first = backend.take_one(sample::STAGE).await;
    let due = harness.clock().now().plus(SECOND);
    let retry = sample::end(&first).param("tries", 1).retry_at(due);
    backend.settle(retry).await;

    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Retrying, Some(due)));
    assert_eq!(job.params["tries"], 1);
    assert!(backend.take(sample::STAGE, 1).await.is_empty());

    harness.clock().advance(SECOND);
    let second = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&second), "a");
    assert_eq!(second.deliveries, 1, "the new message counts from the start");
    assert_ne!(second.body, first.body);
    assert_eq!(backend.state("a").await, JobState::Running);
    let kinds = backend.kinds("a").await;
    assert_eq!(kinds, [EventKind::Created, EventKind::Retried]);
}
