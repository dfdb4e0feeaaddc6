//! What happened to all jobs, read on from a place.

use std::collections::BTreeMap;

use waystation_core::event::EventKind;
use waystation_core::job::{Feed, PAGE_MAX};

use super::{Backend, Harness, bounded};
use crate::sample;

async fn read(backend: &Backend, after: Option<u64>, limit: usize) -> Feed {
    bounded(backend.store.feed(after, limit)).await.expect("the feed is read")
}

/// Reads on until so many events came, in pages of this many. Gives them, and the place behind.
pub(super) async fn read_on(
    backend: &Backend,
    mut after: u64,
    count: usize,
    page: usize,
) -> (Vec<String>, u64) {
    let reading = async {
        let mut told = Vec::new();
        while told.len() < count {
            let feed = read(backend, Some(after), page).await;
            assert!(feed.events.len() <= page, "no page is longer than asked for");
            assert!(feed.next >= after, "no place is before an earlier one");
            assert!(feed.events.is_empty() || feed.next > after, "the place moves with events");
            let tell = |(pipeline, event): &_| {
                let event: &waystation_core::event::Event = event;
                format!("{pipeline} {} {}", event.job_id, event.kind)
            };
            told.extend(feed.events.iter().map(tell));
            after = feed.next;
        }
        (told, after)
    };
    bounded(reading).await
}

/// Behind a place stands what happened since, of all pipelines, with all that is known of it.
pub async fn feed_tells_what_happened_since(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let start = read(&backend, None, 9).await;
    assert_eq!((start.events.len(), start.next), (0, 0));
    backend.submit(sample::job("a")).await;
    let (told, place) = read_on(&backend, 0, 1, 9).await;
    assert_eq!(told, ["samples a created"]);
    let now = read(&backend, None, 9).await;
    assert_eq!((now.events.len(), now.next), (0, place));

    backend.submit(sample::job("b").of("others")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let hop = sample::end(&delivery).forward_to("second");
    backend.settle(hop.clone()).await;
    backend.abort("a").await;
    let (told, end) = read_on(&backend, place, 3, 9).await;
    assert_eq!(told, ["others b created", "samples a completed", "samples a aborted"]);
    let again = read(&backend, Some(place), 9).await;
    assert_eq!(again.events[1].1, hop.events[0]);
    assert_eq!(again.events[2].1.kind, EventKind::Aborted);
    assert!(again.events[2].1.detail.is_some());
    assert_eq!(read(&backend, Some(end), 9).await, Feed { events: Vec::new(), next: end });
}

/// However small the pages, each event comes once.
pub async fn feed_is_read_in_pages(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let ids: Vec<String> = (0..10).map(|number| format!("job-{number}")).collect();
    backend.submit_all(ids.iter().map(|id| sample::job(id).build()).collect()).await;
    let expected: Vec<String> = ids.iter().map(|id| format!("samples {id} created")).collect();
    for page in [1, 3, 10, 11] {
        let (told, end) = read_on(&backend, 0, expected.len(), page).await;
        assert_eq!(told, expected);
        assert!(read(&backend, Some(end), page).await.events.is_empty());
    }
    assert_eq!(read(&backend, Some(0), 0).await, Feed::default());
    let far = u64::MAX;
    assert_eq!(read(&backend, Some(far), 9).await, Feed { events: Vec::new(), next: far });
}

/// No page is longer than [`PAGE_MAX`], whatever was asked for.
pub async fn feed_has_a_longest_page(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for batch in 0..2 {
        let ids = (0..600).map(|number| format!("job-{batch}-{number}"));
        backend.submit_all(ids.map(|id| sample::job(&id).build()).collect()).await;
    }
    read_on(&backend, 0, 1_200, PAGE_MAX).await;
    assert_eq!(read(&backend, Some(0), usize::MAX).await.events.len(), PAGE_MAX);
}

/// Whoever reads while others write misses nothing and gets nothing twice.
pub async fn feed_misses_nothing_while_others_write(harness: &mut dyn Harness) {
    const WRITERS: usize = 4;
    const JOBS: usize = 25;
    let backend = harness.open().await;
    let writers = (0..WRITERS).map(|writer| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for job in 0..JOBS {
                let id = format!("job-{writer}-{job}");
                backend.submit(sample::job(&id)).await;
                backend.abort(&id).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (told, _) = read_on(&backend, 0, WRITERS * JOBS * 2, 7).await;
    for writer in writers {
        writer.await.expect("no panic");
    }
    let mut of_jobs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in &told {
        let (job, kind) = line.rsplit_once(' ').expect("a job and a kind");
        of_jobs.entry(job).or_default().push(kind);
    }
    assert_eq!(of_jobs.len(), WRITERS * JOBS);
    assert!(of_jobs.values().all(|kinds| *kinds == ["created", "aborted"]), "{of_jobs:?}");
}
