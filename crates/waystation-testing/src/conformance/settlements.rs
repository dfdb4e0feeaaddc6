//! The one act that ends a delivery: whole, once, or not at all.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::port::Signal;
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;

use super::backend::job_id_of;
use super::{Harness, bounded};
use crate::sample;

/// A hop takes the message from its queue and puts the next one into the next, with the job's
/// state, stage, params, events and log.
pub async fn settlement_forwards_whole(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").priority(4)).await;
    harness.clock().advance(Duration::from_secs(5));
    let first = backend.take_one(sample::STAGE).await;
    let hop = sample::end(&first).param("width", 640).log("measured");
    let settled = backend.settle(hop.forward_to("second")).await;
    assert_eq!(settled, Settled::Applied);

    let job = backend.job("a").await;
    assert_eq!(job.state, JobState::Queued);
    assert_eq!(job.stage.as_str(), "second");
    assert_eq!(job.params["width"], 640);
    assert_eq!(job.deliveries, 0);
    assert_eq!(job.updated_at, harness.clock().now());
    assert!(job.created_at < job.updated_at);
    assert_eq!(backend.kinds("a").await, [EventKind::Created, EventKind::Completed]);
    let log = bounded(backend.store.log(&"a".into())).await;
    assert_eq!(log.expect("the log is listed")[0].line, "measured");

    assert!(backend.take(sample::STAGE, 1).await.is_empty());
    let second = backend.take_one("second").await;
    assert_eq!(job_id_of(&second), "a");
    assert_eq!((second.priority, second.deliveries), (4, 1));
    assert_eq!(second.enqueued_at, harness.clock().now());
}

/// Every end is kept: the state, the last params, and no message.
pub async fn ended_job_keeps_its_last_contract(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for (id, state) in [("a", JobState::Completed), ("b", JobState::Skipped)] {
        backend.submit(sample::job(id)).await;
        let delivery = backend.take_one(sample::STAGE).await;
        let end = sample::end(&delivery).param("size", 3);
        let settlement = match state {
            JobState::Completed => end.complete(),
            _ => end.skip(),
        };
        assert_eq!(backend.settle(settlement).await, Settled::Applied);
        let job = backend.job(id).await;
        assert_eq!((job.state, job.failure), (state, None));
        assert_eq!(job.params["size"], 3);
        assert!(backend.letters(id).await.is_empty());
    }
    assert_eq!(backend.depth(sample::STAGE).await.leased, 0);
}

/// The same delivery cannot be ended twice, neither in two calls nor in one batch.
pub async fn second_settlement_of_a_delivery_is_lost(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    let deliveries = backend.take(sample::STAGE, 2).await;
    let end = |n: usize| sample::end(&deliveries[n]);
    assert_eq!(backend.settle(end(0).complete()).await, Settled::Applied);
    assert_eq!(backend.settle(end(0).complete()).await, Settled::Lost);

    let batch = vec![end(0).complete(), end(1).forward_to("second"), end(1).complete()];
    let answers = bounded(backend.queue.settle(batch.into())).await;
    let answers = answers.expect("the batch is taken");
    assert_eq!(answers, [Settled::Lost, Settled::Applied, Settled::Lost]);
    assert_eq!(backend.state("b").await, JobState::Queued);
    assert_eq!(backend.take_ids("second", 9).await, ["b"]);
}

/// One settlement that is lost takes nothing from the others of its batch.
pub async fn settlements_of_a_batch_stand_alone(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["a", "b", "c"] {
        backend.submit(sample::job(id)).await;
    }
    let deliveries = backend.take(sample::STAGE, 3).await;
    backend.settle(sample::end(&deliveries[1]).skip()).await;
    let batch = deliveries.iter().map(|one| sample::end(one).complete());
    let answers = bounded(backend.queue.settle(batch.collect())).await;
    let answers = answers.expect("the batch is taken");
    assert_eq!(answers, [Settled::Applied, Settled::Lost, Settled::Applied]);
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert_eq!(backend.state("b").await, JobState::Skipped);
    assert_eq!(backend.state("c").await, JobState::Completed);
}

/// An empty batch of anything is fine and does nothing.
pub async fn empty_batches_are_fine(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let submitted = bounded(backend.queue.submit(Vec::new(), None)).await;
    assert!(submitted.expect("it is taken").is_empty());
    let settled = bounded(backend.queue.settle([].into())).await;
    assert!(settled.expect("it is taken").is_empty());
    let extended = bounded(backend.queue.extend(Vec::new(), super::LEASE)).await;
    assert!(extended.expect("it is taken").is_empty());
    assert!(backend.take(sample::STAGE, 0).await.is_empty());
}

/// Who listens on the bus hears that something changed, after each call that changes jobs.
pub async fn changes_are_told_on_the_bus(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let mut signals = backend.bus.subscribe();
    backend.submit(sample::job("a")).await;
    assert_eq!(bounded(signals.next()).await, Some(Signal::Changed));

    let delivery = backend.take_one(sample::STAGE).await;
    // What receiving tells is not promised; listen to the settlement alone.
    let mut signals = backend.bus.subscribe();
    backend.settle(sample::end(&delivery).complete()).await;
    assert_eq!(bounded(signals.next()).await, Some(Signal::Changed));
}

/// Signals reach every subscriber, and nobody listening is fine.
pub async fn signals_reach_every_subscriber(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let signal = Signal::Progress {
        job_id: "a".into(),
        stage: "first".into(),
        percent: 12.5,
        message: "reading".to_owned(),
    };
    backend.bus.publish(signal.clone());
    let (mut one, mut two) = (backend.bus.subscribe(), backend.bus.subscribe());
    backend.bus.publish(signal.clone());
    assert_eq!(bounded(one.next()).await, Some(signal.clone()));
    assert_eq!(bounded(two.next()).await, Some(signal));
}

/// Events of a job come back as they were given, in the order they happened.
pub async fn events_and_log_are_kept_in_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let mut expected = Vec::new();
    let mut lines = Vec::new();
    for stage in ["second", "third", "fourth"] {
        harness.clock().advance(Duration::from_millis(7));
        let queue = backend.job("a").await.stage;
        let delivery = backend.take_one(queue.as_str()).await;
        let settlement = sample::end(&delivery)
            .happening_at(harness.clock().now())
            .log("one line")
            .log("ünd another 🦀")
            .forward_to(stage);
        expected.extend(settlement.events.clone());
        lines.extend(settlement.log.clone());
        backend.settle(settlement).await;
    }
    let events = bounded(backend.store.events(&"a".into())).await;
    let events = events.expect("the events are listed");
    assert_eq!(events[0].kind, EventKind::Created);
    assert_eq!(events[1..], expected);
    let log = bounded(backend.store.log(&"a".into())).await;
    assert_eq!(log.expect("the log is listed"), lines);

    let unknown = bounded(backend.store.events(&"nobody".into())).await;
    assert!(unknown.expect("the events are listed").is_empty());
    let unknown = bounded(backend.store.log(&"nobody".into())).await;
    assert!(unknown.expect("the log is listed").is_empty());
}
