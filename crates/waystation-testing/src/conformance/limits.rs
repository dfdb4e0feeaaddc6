//! Nothing grows without limit, and what is too large changes nothing.

use std::time::Duration;

use waystation_core::port::{Error, RECEIVE_MAX, SETTLE_MAX};
use waystation_core::settlement::{Lease, Next, Settled, Settlement, Submitted};
use waystation_core::state::JobState;

use super::backend::request;
use super::{Harness, LEASE, bounded};
use crate::sample;

/// The largest body passes; one byte more is refused together with the batch it came in.
pub async fn oversized_payload_is_refused_at_submit(harness: &mut dyn Harness) {
    let bytes_max = harness.payload_bytes_max();
    let backend = harness.open().await;
    assert_eq!(backend.queue.capabilities().payload_bytes_max, bytes_max);
    for (id, manual) in [("queued", false), ("waiting", true)] {
        let sample = sample::job(id).body(vec![b'x'; bytes_max + 1]);
        let sample = if manual { sample.waiting_at("review") } else { sample };
        let jobs = vec![sample::job("small").build(), sample.build()];
        let error =
            bounded(backend.queue.submit(jobs, None)).await.expect_err("the body is too large");
        let Error::TooLarge { job_id, bytes, bytes_max: told } = &error else {
            panic!("{error}");
        };
        assert_eq!((job_id.as_str(), *bytes, *told), (id, bytes_max + 1, bytes_max));
        assert!(!error.retryable());
        assert_eq!(backend.find_job("small").await, None);
        assert_eq!(backend.find_job(id).await, None);
    }
    assert!(backend.take(sample::STAGE, 9).await.is_empty());

    let largest = sample::job("largest").body(vec![b'x'; bytes_max]);
    let answer = backend.submit(largest).await;
    assert_eq!(answer, Submitted::Created("largest".into()));
    assert_eq!(backend.take_one(sample::STAGE).await.body.len(), bytes_max);
}

/// A body that grew too large on the way is refused whatever becomes of the job, and the whole
/// batch can be settled otherwise afterwards.
pub async fn oversized_payload_is_refused_at_settle(harness: &mut dyn Harness) {
    let bytes_max = harness.payload_bytes_max();
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    let deliveries = backend.take(sample::STAGE, 2).await;
    let fine = || sample::end(&deliveries[0]).complete();
    let big = || sample::end(&deliveries[1]).param("big", "x".repeat(bytes_max));
    for settlement in [big().forward_to("second"), big().park_at("review"), big().complete()] {
        let error = backend.settle_error(vec![fine(), settlement]).await;
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
    for id in ["a", "b"] {
        assert_eq!(backend.state(id).await, JobState::Running);
        assert_eq!(backend.kinds(id).await.len(), 1);
    }
    let batch = vec![fine(), sample::end(&deliveries[1]).fail("too large")];
    bounded(backend.queue.settle(batch.into())).await.expect("it is taken");
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert_eq!(backend.state("b").await, JobState::Failed);
}

/// What was delivered can always be put with the dead letters, although the limit may be lower by
/// now than it was when the job came.
pub async fn failed_payload_is_kept_whatever_its_size(harness: &mut dyn Harness) {
    let bytes_max = harness.payload_bytes_max();
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let failing = sample::end(&delivery).param("big", "x".repeat(bytes_max)).fail("too large");
    assert_eq!(backend.settle(failing).await, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Failed);
    assert!(backend.letters("a").await[0].body.len() > bytes_max);
}

/// Batches of [`SETTLE_MAX`] pass; one entry more is refused whole.
pub async fn batches_have_a_limit(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let jobs = |count: usize| {
        let ids = (0..count).map(|n| format!("job-{n:04}"));
        ids.map(|id| sample::job(&id).build()).collect::<Vec<_>>()
    };
    let error = bounded(backend.queue.submit(jobs(SETTLE_MAX + 1), None)).await;
    check_refusal(&error.expect_err("the batch is refused"));
    assert_eq!(backend.find_job("job-0000").await, None);
    backend.submit_all(jobs(SETTLE_MAX)).await;

    let mut deliveries = backend.take(sample::STAGE, RECEIVE_MAX).await;
    assert_eq!(deliveries.len(), RECEIVE_MAX.min(SETTLE_MAX));
    deliveries.push(deliveries[0].clone());
    let leases: Vec<Lease> = deliveries.iter().map(|one| one.lease.clone()).collect();
    let error = bounded(backend.queue.extend(leases, LEASE)).await;
    check_refusal(&error.expect_err("the batch is refused"));

    let ends: Vec<Settlement> = deliveries.iter().map(|one| sample::end(one).complete()).collect();
    check_refusal(&backend.settle_error(ends.clone()).await);
    assert_eq!(backend.state("job-0000").await, JobState::Running);
    let settled = bounded(backend.queue.settle(ends[1..].into())).await;
    assert_eq!(settled.expect("it is taken").len(), SETTLE_MAX);
}

fn check_refusal(error: &Error) {
    let Error::BatchTooLarge { entries, entries_max } = error else {
        panic!("{error}");
    };
    assert_eq!((*entries, *entries_max), (SETTLE_MAX + 1, SETTLE_MAX));
}

/// A receiver gets no more than it asked for, and never more than [`RECEIVE_MAX`].
pub async fn receive_gives_no_more_than_was_asked(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for batch in 0..2 {
        let ids = (0..600).map(|n| format!("job-{batch}-{n:03}"));
        backend.submit_all(ids.map(|id| sample::job(&id).build()).collect()).await;
    }
    assert_eq!(backend.take(sample::STAGE, 3).await.len(), 3);
    let greedy = request(sample::STAGE, usize::MAX, Duration::ZERO);
    let deliveries = bounded(backend.queue.receive(greedy)).await;
    assert_eq!(deliveries.expect("deliveries are received").len(), RECEIVE_MAX);
    assert_eq!(backend.take(sample::STAGE, 999).await.len(), 197);
}

/// What makes no sense is refused and changes nothing: a task cannot be handed back, and only a
/// dead letter can be dropped.
pub async fn senseless_settlements_are_refused(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b").waiting_at("review")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let task = backend.tasks().await.remove(0);
    let dropped = Settlement { next: Next::Drop, ..sample::end(&delivery).complete() };
    let handed_back = Settlement { next: Next::HandBack, ..sample::answer(&task).complete() };
    for settlement in [dropped, handed_back] {
        let error = backend.settle_error(vec![settlement]).await;
        assert!(matches!(error, Error::Broken { .. }), "{error}");
    }
    assert_eq!(backend.state("a").await, JobState::Running);
    assert_eq!(backend.state("b").await, JobState::Waiting);
}
