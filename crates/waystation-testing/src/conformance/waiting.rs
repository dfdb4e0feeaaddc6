//! Receivers wait for work and are woken by it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::port::Error;
use waystation_core::settlement::Delivery;

use super::backend::{WAIT_MAX, job_id_of, request};
use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

/// Longer than any case lasts: whoever comes back before was woken.
const LONG: Duration = WAIT_MAX.saturating_mul(3);

/// A call that is under way.
type Receiver = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, Error>> + Send>>;

/// A receiver that has asked, found nothing, and waits. It was polled, so that what comes next
/// comes after it, which a task on its own would leave to the scheduler.
async fn waiting_receiver(backend: &Backend, stage: &str) -> Receiver {
    let receive = request(stage, 1, LONG);
    let queue = backend.queue.clone();
    let mut receiver: Receiver = Box::pin(async move { queue.receive(receive).await });
    let first = poll_fn(|context| Poll::Ready(receiver.as_mut().poll(context))).await;
    assert!(first.is_pending(), "there is nothing to receive yet");
    receiver
}

async fn check_woken(receiver: Receiver, job_id: &str) {
    let deliveries = bounded(receiver).await.expect("deliveries are received");
    let ids: Vec<_> = deliveries.iter().map(job_id_of).collect();
    assert_eq!(ids, [job_id]);
}

/// A job that is submitted reaches the receiver that waits for it.
pub async fn receive_is_woken_by_submit(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let receiver = waiting_receiver(&backend, sample::STAGE).await;
    backend.submit(sample::job("a")).await;
    check_woken(receiver, "a").await;
}

/// A hop reaches the receiver that waits at the next stage.
pub async fn receive_is_woken_by_a_hop(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let receiver = waiting_receiver(&backend, "second").await;
    backend.settle(sample::end(&delivery).forward_to("second")).await;
    check_woken(receiver, "a").await;
}

/// What is handed back reaches the receiver that waits for it.
pub async fn receive_is_woken_by_a_hand_back(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let receiver = waiting_receiver(&backend, sample::STAGE).await;
    backend.settle(sample::end(&delivery).hand_back()).await;
    check_woken(receiver, "a").await;
}

/// A person's answer reaches the receiver that waits at the next stage.
pub async fn receive_is_woken_by_an_answer(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").waiting_at("review")).await;
    let task = backend.tasks().await.remove(0);
    let receiver = waiting_receiver(&backend, "second").await;
    backend.settle(sample::answer(&task).forward_to("second")).await;
    check_woken(receiver, "a").await;
}

/// What becomes due, and what was abandoned, is noticed by a receiver that waits already, without
/// any other call.
pub async fn receive_notices_what_becomes_due(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let soon = Duration::from_millis(200);
    let due = harness.clock().now().plus(soon);
    backend.submit(sample::job("a").not_before(due)).await;
    let receiver = waiting_receiver(&backend, sample::STAGE).await;
    harness.clock().advance(soon);
    check_woken(receiver, "a").await;

    harness.clock().advance(LEASE.saturating_sub(soon));
    let receiver = waiting_receiver(&backend, sample::STAGE).await;
    harness.clock().advance(soon);
    check_woken(receiver, "a").await;
}

/// With nothing to receive, the call comes back empty, not before its wait is over.
pub async fn receive_of_nothing_returns_empty_after_its_wait(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let later = harness.clock().now().plus(Duration::from_hours(1));
    backend.submit(sample::job("later").not_before(later)).await;
    backend.submit(sample::job("elsewhere").at("second")).await;
    let wait = Duration::from_millis(50);
    let began = std::time::Instant::now();
    let deliveries = bounded(backend.queue.receive(request(sample::STAGE, 1, wait))).await;
    assert!(deliveries.expect("the call succeeds").is_empty());
    assert!(began.elapsed() >= wait, "it waited");
}

/// Deliveries that were leased for a receive whose caller went away before it looked are nobody's:
/// they return at once and uncounted.
pub async fn answered_receive_that_is_dropped_returns_its_deliveries(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let receiver = waiting_receiver(&backend, sample::STAGE).await;
    backend.submit(sample::job("a")).await;
    drop(receiver);
    let request = request(sample::STAGE, 1, WAIT_MAX / 2);
    let deliveries = bounded(backend.queue.receive(request)).await.expect("received");
    assert_eq!(deliveries.len(), 1, "the delivery came back");
    assert_eq!(deliveries[0].deliveries, 1, "nobody had it before");
}

/// A receive that is given up, at whatever point, leaves its deliveries to others, at the latest
/// when the leases run out.
pub async fn dropped_receive_loses_nothing(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let ids: Vec<_> = (0..20).map(|n| format!("job-{n:02}")).collect();
    for (turns, id) in ids.iter().enumerate() {
        let receive = request(sample::STAGE, 1, LONG);
        let queue = backend.queue.clone();
        let receiver = tokio::spawn(async move { queue.receive(receive).await });
        backend.submit(sample::job(id)).await;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        receiver.abort();
        // What it received before it was stopped is lost with it, as in a crash.
        let _ = bounded(receiver).await;
    }
    harness.clock().advance(LEASE);
    assert_eq!(backend.take_ids(sample::STAGE, 99).await, ids);
}
