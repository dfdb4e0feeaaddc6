//! Settlements that fail half-way and are asked for again.

use std::sync::Arc;

use waystation_core::port::Queue;
use waystation_core::settlement::{Next, Settled, Settlement};
use waystation_rabbitmq::RabbitMq;
use waystation_testing::sample;

use crate::broker::{Broker, WAIT_MAX, settle, submit, take_one};

/// The settlement of a job that was submitted and taken: it goes on to this queue.
async fn hop(ours: &RabbitMq, job_id: &str, queue: &str) -> Settlement {
    submit(ours, vec![sample::job(job_id).into()]).await;
    onward(sample::end(&take_one(ours, sample::STAGE).await).forward_to("second"), queue)
}

/// The same settlement with another queue to go on to.
fn onward(mut settlement: Settlement, to: &str) -> Settlement {
    if let Next::Enqueue(message) = &mut settlement.next {
        message.queue = to.into();
    }
    settlement
}

async fn refused(ours: &RabbitMq, settlements: &Arc<[Settlement]>) {
    let settled = tokio::time::timeout(WAIT_MAX, ours.settle(Arc::clone(settlements))).await;
    let error = settled.expect("in time").expect_err("a queue is full");
    assert!(error.retryable(), "{error}");
}

impl Broker {
    /// Takes everything out of a queue and counts it.
    async fn empty(&self, queue: &str) -> usize {
        let mut messages = 0;
        while self.get(queue).await.is_some() {
            messages += 1;
        }
        messages
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlement_whose_journal_failed_does_not_forward_again() {
    let broker = Broker::new().await;
    // That the job was created fills it.
    broker.declare_small("job_events", 1).await;
    let ours = broker.open("").await;
    let settlements: Arc<[Settlement]> = [hop(&ours, "a", "detections").await].into();
    for _ in 0..2 {
        refused(&ours, &settlements).await;
    }
    assert_eq!(broker.empty("job_events").await, 1);
    assert_eq!(ours.settle(settlements).await.expect("settled"), [Settled::Applied]);
    assert_eq!(broker.empty("detections").await, 1);
    assert_eq!(broker.empty("job_events").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlements_are_forwarded_again_from_the_first_that_was_refused() {
    let broker = Broker::new().await;
    broker.declare_small("detections", 1).await;
    let ours = broker.open("prefetch=9").await;
    let mut settlements = Vec::new();
    for (job_id, queue) in [("a", "raw_images"), ("b", "detections"), ("c", "detections")] {
        settlements.push(hop(&ours, job_id, queue).await);
    }
    let settlements: Arc<[Settlement]> = settlements.into();
    refused(&ours, &settlements).await;
    assert_eq!(broker.empty("detections").await, 1);
    let settled = ours.settle(settlements).await.expect("settled");
    assert_eq!(settled, [Settled::Applied; 3]);
    assert_eq!(broker.empty("raw_images").await, 1);
    assert_eq!(broker.empty("detections").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlement_that_asks_for_something_else_forwards_that() {
    let broker = Broker::new().await;
    broker.declare_small("job_events", 1).await;
    let ours = broker.open("").await;
    let first = hop(&ours, "a", "detections").await;
    refused(&ours, &[first.clone()].into()).await;
    broker.empty("job_events").await;
    assert_eq!(settle(&ours, onward(first, "raw_images")).await, Settled::Applied);
    assert_eq!(broker.empty("raw_images").await, 1);
    // What went on before cannot be called back.
    assert_eq!(broker.empty("detections").await, 1);
}
