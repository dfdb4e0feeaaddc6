//! Which dead letters are listed, and every queue in which something waits.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::id::QueueName;
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord};
use waystation_core::port::Depth;

use super::listings::EMPTY;
use super::{Backend, Harness, bounded};
use crate::sample;

async fn list(backend: &Backend, filter: DeadLetterFilter) -> Vec<DeadLetterRecord> {
    bounded(backend.store.dead_letters(filter)).await.expect("the letters are listed")
}

/// Filters narrow together, and pages follow each other.
pub async fn letters_are_filtered_and_paged(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for number in 0..8 {
        let (pipeline, stage) =
            (["samples", "others"][number % 2], ["first", "second"][number / 4]);
        backend.submit(sample::job(&format!("job-{number}")).of(pipeline).at(stage)).await;
        let request = super::backend::request(stage, 1, Duration::ZERO);
        let queue = format!("{pipeline}.{stage}").as_str().into();
        let request = waystation_core::port::Receive { queue, ..request };
        let taken = bounded(backend.queue.receive(request)).await.expect("one is there");
        backend.settle(sample::end(&taken[0]).fail("no such page")).await;
    }
    let all = list(&backend, DeadLetterFilter::newest(99)).await;
    assert_eq!(all.len(), 8);
    let any = DeadLetterFilter::newest(9);
    let mut filters = vec![any.clone()];
    for pipeline in [None, Some("others"), Some("nowhere")] {
        for stage in [None, Some("second"), Some("nowhere")] {
            for job_id in [None, Some("job-7"), Some("nobody")] {
                filters.push(DeadLetterFilter {
                    pipeline: pipeline.map(Into::into),
                    stage: stage.map(Into::into),
                    job_id: job_id.map(Into::into),
                    ..any.clone()
                });
            }
        }
    }
    for filter in filters {
        let fits = |letter: &&DeadLetterRecord| {
            filter.pipeline.as_ref().is_none_or(|name| letter.pipeline == *name)
                && filter.stage.as_ref().is_none_or(|stage| letter.stage == *stage)
                && filter.job_id.as_ref().is_none_or(|job_id| letter.job_id == *job_id)
        };
        let expected: Vec<_> = all.iter().filter(fits).cloned().collect();
        let mut found: Vec<DeadLetterRecord> = Vec::new();
        loop {
            let before = found.last().map(|letter| letter.dead_letter_id);
            let page = DeadLetterFilter { before, limit: 3, ..filter.clone() };
            let page = list(&backend, page).await;
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

/// Every queue in which something waits or is out is told of, as it is by itself.
pub async fn depths_are_those_of_every_queue(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let depths = async || bounded(backend.store.depths()).await.expect("the depths are told");
    assert_eq!(depths().await, []);
    let start = harness.clock().now();
    let due = start.plus(Duration::from_secs(5));
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    backend.submit(sample::job("c").at("second").not_before(due)).await;
    backend.submit(sample::job("d").waiting_at("review")).await;
    let taken = backend.take(sample::STAGE, 1).await;
    let queue = |stage: &str| -> QueueName { sample::queue(stage) };
    let expected = [
        (queue("first"), Depth { ready: 1, leased: 1, oldest: Some(start), ..EMPTY }),
        (queue("second"), Depth { delayed: 1, ..EMPTY }),
    ];
    assert_eq!(depths().await, expected);
    for (queue, depth) in depths().await {
        let alone = bounded(backend.queue.depth(&queue)).await.expect("the depth is told");
        assert_eq!(alone, depth, "{queue}");
    }
    harness.clock().advance(Duration::from_secs(5));
    assert_eq!(depths().await[1].1, Depth { ready: 1, oldest: Some(start), ..EMPTY });
    backend.settle(sample::end(&taken[0]).complete()).await;
    backend.abort("b").await;
    backend.abort("c").await;
    assert_eq!(depths().await, []);
}
