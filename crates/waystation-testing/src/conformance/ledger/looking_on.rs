//! What others look at while a broker moves the jobs.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::port::Depth;
use waystation_core::statistics::{Measure, Period, UNTIMED, bucket};

use super::{at, forwarded, submit_and_hand_over};
use crate::conformance::feed::read_on;
use crate::conformance::listings::EMPTY;
use crate::conformance::{Harness, bounded};
use crate::sample;

/// What a broker has is told of queue by queue, with what waits for a courier: as the journal told
/// of it last.
pub async fn depths_tell_of_what_a_broker_has(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let start = harness.clock().now();
    let depths = async || bounded(backend.store.depths()).await.expect("the depths are told");
    let deliveries = [
        submit_and_hand_over(&backend, "lies").await,
        submit_and_hand_over(&backend, "runs").await,
        submit_and_hand_over(&backend, "retries").await,
        submit_and_hand_over(&backend, "hops").await,
    ];
    harness.clock().advance(Duration::from_secs(7));
    backend.submit(sample::job("waits")).await;
    let [_, runs, retries, hops] = &deliveries;
    let retry = sample::end(retries).happening_at(at(7)).retry_at(at(60));
    let hop = sample::end(hops).happening_at(at(7)).forward_to("second");
    let told = vec![sample::running(runs, at(7)), sample::journal(&retry), sample::journal(&hop)];
    backend.project(told).await;
    let first = Depth { ready: 2, delayed: 1, leased: 1, oldest: Some(start), ..EMPTY };
    let second = Depth { ready: 1, oldest: Some(at(7)), ..EMPTY };
    let expected =
        |first, second| [(sample::queue(sample::STAGE), first), (sample::queue("second"), second)];
    assert_eq!(depths().await, expected(first, second));
    // Whoever carries to the broker has that one alone.
    let waits = backend.depth(sample::STAGE).await;
    assert_eq!(waits, Depth { ready: 1, oldest: Some(at(7)), ..EMPTY });
    // Nobody here is told that the broker lets it go.
    harness.clock().advance(Duration::from_mins(1));
    let first = Depth { ready: 3, delayed: 0, ..first };
    assert_eq!(depths().await, expected(first, second));
    backend.project(vec![sample::journal(&sample::end(runs).complete())]).await;
    assert_eq!(depths().await, expected(Depth { leased: 0, ..first }, second));
}

/// However often the journal tells something, it is counted and fed once. How long an attempt took
/// is known also where its beginning was told of before; how long it waited is the broker's to
/// know.
pub async fn journal_is_counted_and_fed_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let begin = sample::running(&first, at(1));
    let hop = sample::end(&first).happening_at(at(3)).forward_to("second");
    let hop = sample::journal(&hop);
    let done = sample::end(&forwarded(&hop)).happening_at(at(4)).complete();
    let done = sample::journal(&done);
    harness.clock().advance(Duration::from_secs(9));
    for _ in 0..2 {
        for entry in [&begin, &hop, &done] {
            backend.project(vec![entry.clone()]).await;
        }
        backend.project(vec![begin.clone(), hop.clone(), done.clone()]).await;
    }
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let expected = [
        (sample::STAGE, Measure::Created, UNTIMED, 0),
        (sample::STAGE, Measure::Started, UNTIMED, 0),
        (sample::STAGE, Measure::Completed, bucket(seconds(2)), 2_000),
        ("second", Measure::Completed, UNTIMED, 0),
        ("second", Measure::JobCompleted, bucket(seconds(9)), 9_000),
    ];
    let counted = bounded(backend.store.statistics(Period::Ever)).await.expect("they are told");
    let told = counted.iter().map(|one| {
        assert_eq!(one.sum.count, 1, "{:?}", one.key);
        (one.key.stage.as_str(), one.key.measure, one.key.bucket, one.sum.total_ms)
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);

    let (told, end) = read_on(&backend, 0, 4, 9).await;
    let expected = ["created", "started", "completed", "completed"];
    assert_eq!(told, expected.map(|kind| format!("samples a {kind}")));
    let rest = bounded(backend.store.feed(Some(end), 9)).await.expect("the feed is read");
    assert!(rest.events.is_empty());
}

/// A job that the journal makes known ends as one that was submitted here does.
pub async fn end_of_a_foreign_job_is_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = sample::on_broker(sample::STAGE, &sample::body("a"));
    let failed = sample::journal(&sample::end(&first).happening_at(at(1)).fail("no such page"));
    for _ in 0..2 {
        backend.project(vec![failed.clone()]).await;
    }
    let counted = bounded(backend.store.statistics(Period::Ever)).await.expect("they are told");
    let told: Vec<_> = counted.iter().map(|one| (one.key.measure, one.sum.count)).collect();
    assert_eq!(told, [(Measure::Failed, 1), (Measure::JobFailed, 1)]);
}
