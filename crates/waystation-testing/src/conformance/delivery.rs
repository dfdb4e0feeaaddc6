//! What is submitted comes out, whole and once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::settlement::{Settled, Start, Submitted};
use waystation_core::state::JobState;

use super::backend::{job_id_of, request};
use super::{Harness, bounded};
use crate::sample;

/// The delivery carries the body to the byte, and nobody gets it a second time.
pub async fn submitted_job_is_delivered_once_with_its_body(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let job = sample::job("a").priority(3).param("text", "žluť\u{0}🦀").build();
    let Start::Queue(message) = job.start.clone() else {
        unreachable!("the sample starts in a queue");
    };
    let answer = backend.submit(job).await;
    assert_eq!(answer, Submitted::Created("a".into()));

    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(delivery.body, message.body);
    assert_eq!(delivery.priority, 3);
    assert_eq!(delivery.deliveries, 1);
    assert_eq!(delivery.enqueued_at, harness.clock().now());
    assert_eq!(delivery.lease.queue, message.queue);
    assert!(backend.take(sample::STAGE, 10).await.is_empty());
}

/// Bytes that are no contract, and no text either, travel like any others.
pub async fn body_that_is_no_contract_is_delivered_as_it_is(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for (id, body) in [("empty", vec![]), ("bytes", vec![0, 255, 254, b'{', 0])] {
        backend.submit(sample::job(id).body(body.clone())).await;
        let delivery = backend.take_one(sample::STAGE).await;
        assert_eq!(delivery.body, body);
        assert!(backend.job(id).await.params.is_empty());
    }
}

/// Deliveries of one queue are not handed out from another.
pub async fn queues_are_apart(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").at("left")).await;
    backend.submit(sample::job("b").at("right")).await;
    assert_eq!(backend.take_ids("right", 10).await, ["b"]);
    assert_eq!(backend.take_ids("left", 10).await, ["a"]);
    assert!(backend.take("nowhere", 10).await.is_empty());
}

/// A job runs while its delivery is out, and only then.
pub async fn job_is_running_while_it_is_leased(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").param("n", 1)).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.deliveries), (JobState::Queued, 0));
    assert_eq!(job.running_since, None);
    harness.clock().advance(std::time::Duration::from_secs(1));

    let delivery = backend.take_one(sample::STAGE).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.deliveries), (JobState::Running, 1));
    let now = waystation_core::clock::Clock::now(harness.clock());
    assert_eq!(job.running_since, Some(now));
    assert_eq!(job.params["n"], 1);

    harness.clock().advance(super::LEASE + Duration::from_millis(1));
    assert_eq!(backend.state("a").await, JobState::Queued);
    let settled = backend.settle(sample::end(&delivery).complete()).await;
    assert_eq!(settled, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Completed);
}

/// Giving back unfinished work costs no attempt and no place.
pub async fn hand_back_does_not_count_and_keeps_the_place(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["a", "b", "c"] {
        backend.submit(sample::job(id)).await;
        harness.clock().advance(Duration::from_secs(1));
    }
    let first = backend.take_one(sample::STAGE).await;
    let settled = backend.settle(sample::end(&first).hand_back()).await;
    assert_eq!(settled, Settled::Applied);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.deliveries), (JobState::Queued, 0));
    assert_eq!(backend.kinds("a").await, [EventKind::Created, EventKind::HandedBack]);

    let again = backend.take_one(sample::STAGE).await;
    assert_eq!(job_id_of(&again), "a", "it kept its place");
    assert_eq!(again.deliveries, 1, "handing back does not count");
    assert_eq!(again.enqueued_at, first.enqueued_at);
    assert_ne!(again.lease.token, first.lease.token);
    assert_eq!(again.body, first.body);
}

/// Handing back ends the lease, so it cannot be done twice.
pub async fn handed_back_delivery_cannot_be_settled_again(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).hand_back()).await;
    for late in [sample::end(&delivery).hand_back(), sample::end(&delivery).complete()] {
        assert_eq!(backend.settle(late).await, Settled::Lost);
    }
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// Eight receivers empty a queue of 500 together, and no two get the same.
pub async fn concurrent_receivers_never_share_a_delivery(harness: &mut dyn Harness) {
    const JOBS: usize = 500;
    let backend = harness.open().await;
    let jobs = (0..JOBS).map(|n| sample::job(&format!("job-{n:03}")).build());
    backend.submit_all(jobs.collect()).await;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let (backend, seen) = (backend.clone(), seen.clone());
            tokio::spawn(async move {
                loop {
                    let request = request(sample::STAGE, 7, Duration::ZERO);
                    let received = backend.queue.receive(request).await;
                    let deliveries = received.expect("deliveries are received");
                    if deliveries.is_empty() {
                        break;
                    }
                    seen.lock().await.extend(deliveries.iter().map(job_id_of));
                    let ends = deliveries.iter().map(|one| sample::end(one).complete());
                    let settled = backend.queue.settle(ends.collect()).await;
                    let settled = settled.expect("the settlements are taken");
                    assert!(settled.iter().all(|answer| *answer == Settled::Applied));
                }
            })
        })
        .collect();
    for receiver in receivers {
        bounded(receiver).await.expect("the receiver ends well");
    }
    let mut seen = seen.lock().await.clone();
    assert_eq!(seen.len(), JOBS, "each job is delivered once");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), JOBS, "and no job is left out");
}
