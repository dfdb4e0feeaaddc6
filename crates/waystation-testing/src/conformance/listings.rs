//! What people see: jobs, counts, depths and pipelines.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::id::PipelineName;
use waystation_core::job::{Count, DeadLetterFilter, JobFilter, PAGE_MAX, TaskFilter};
use waystation_core::port::Depth;
use waystation_core::state::JobState;

use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

/// The depth of a queue with nothing in it.
pub(super) const EMPTY: Depth =
    Depth { ready: 0, priority: 0, delayed: 0, behind: 0, leased: 0, oldest: None };

async fn page(backend: &Backend, filter: JobFilter) -> Vec<String> {
    let jobs = bounded(backend.store.jobs(filter)).await;
    let jobs = jobs.expect("the jobs are listed");
    jobs.jobs.iter().map(|job| job.job_id.to_string()).collect()
}

fn first(limit: usize) -> JobFilter {
    JobFilter { limit, ..JobFilter::default() }
}

/// Jobs are listed by their creation, newest first, whatever their ids, page by page.
pub async fn jobs_are_listed_newest_first_in_pages(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for ids in [&["m", "z", "b"][..], &["a"], &["y", "c"]] {
        let jobs = ids.iter().map(|id| sample::job(id).build());
        backend.submit_all(jobs.collect()).await;
        harness.clock().advance(Duration::from_millis(1));
    }
    let mut seen = Vec::new();
    loop {
        let filter =
            JobFilter { before: seen.last().map(|id: &String| id.as_str().into()), ..first(4) };
        let ids = page(&backend, filter).await;
        if ids.is_empty() {
            break;
        }
        assert!(ids.len() <= 4, "no page is longer than asked for");
        seen.extend(ids);
    }
    assert_eq!(seen, ["c", "y", "a", "b", "z", "m"]);
    let unknown = JobFilter { before: Some("nobody".into()), ..first(9) };
    assert!(page(&backend, unknown).await.is_empty());
    assert!(page(&backend, first(0)).await.is_empty());
}

/// No page is longer than [`PAGE_MAX`], whatever was asked for.
pub async fn no_page_is_longer_than_the_limit(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for batch in 0..2 {
        let ids = (0..PAGE_MAX).map(|n| format!("job-{batch}-{n:04}"));
        let jobs = ids.map(|id| sample::job(&id).waiting_at("review").build());
        backend.submit_all(jobs.take(600).collect()).await;
    }
    assert_eq!(page(&backend, first(usize::MAX)).await.len(), PAGE_MAX);
    let tasks = bounded(backend.store.tasks(TaskFilter::first(usize::MAX))).await;
    assert_eq!(tasks.expect("the tasks are listed").len(), PAGE_MAX);
    let letters = backend.store.dead_letters(DeadLetterFilter::newest(usize::MAX));
    let letters = bounded(letters).await;
    assert!(letters.expect("the letters are listed").is_empty());
}

/// Filters narrow together, and `running` is found by the lease.
pub async fn jobs_are_filtered_by_what_they_show(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("runs")).await;
    backend.submit(sample::job("waits")).await;
    backend.submit(sample::job("other").of("others")).await;
    backend.submit(sample::job("next").at("second")).await;
    backend.take_one(sample::STAGE).await;

    let of = |name: &str| JobFilter { pipeline: Some(name.into()), ..first(9) };
    let in_state = |state| JobFilter { states: vec![state], ..first(9) };
    assert_eq!(page(&backend, of("others")).await, ["other"]);
    assert_eq!(page(&backend, of("samples")).await, ["next", "waits", "runs"]);
    assert_eq!(page(&backend, in_state(JobState::Running)).await, ["runs"]);
    let queued = page(&backend, in_state(JobState::Queued)).await;
    assert_eq!(queued, ["next", "other", "waits"]);
    let all_three = JobFilter {
        stage: Some(sample::STAGE.into()),
        states: vec![JobState::Queued],
        ..of("samples")
    };
    assert_eq!(page(&backend, all_three).await, ["waits"]);

    harness.clock().advance(LEASE);
    assert!(page(&backend, in_state(JobState::Running)).await.is_empty());
}

/// Counts say how many jobs stand where, of one pipeline or of each.
pub async fn counts_say_where_jobs_stand(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["a", "b", "c"] {
        backend.submit(sample::job(id)).await;
    }
    backend.submit(sample::job("d").of("others")).await;
    let deliveries = backend.take(sample::STAGE, 2).await;
    backend.settle(sample::end(&deliveries[0]).forward_to("second")).await;

    let count = |stage: &str, state, jobs| Count {
        pipeline: sample::PIPELINE.into(),
        stage: stage.into(),
        state,
        jobs,
    };
    let of_samples = PipelineName::from(sample::PIPELINE);
    let expected = [
        count("first", JobState::Queued, 1),
        count("first", JobState::Running, 1),
        count("second", JobState::Queued, 1),
    ];
    assert_eq!(counts(&backend, Some(&of_samples)).await, expected);
    let mut all = expected.to_vec();
    all.insert(0, Count { pipeline: "others".into(), ..count("first", JobState::Queued, 1) });
    assert_eq!(counts(&backend, None).await, all);
    assert!(counts(&backend, Some(&"nowhere".into())).await.is_empty());
}

/// Counts in the order of pipelines, stages and states; a backend may list them in any.
pub(super) async fn counts(backend: &Backend, pipeline: Option<&PipelineName>) -> Vec<Count> {
    let counts = bounded(backend.store.counts(pipeline)).await;
    let mut counts = counts.expect("the counts are told");
    let place = |count: &Count| (count.pipeline.clone(), count.stage.clone(), count.state);
    counts.sort_by_key(place);
    counts
}

/// Depth tells apart what is ready, held back and out, and since when the oldest waits.
pub async fn depth_tells_ready_delayed_and_leased(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    assert_eq!(backend.depth(sample::STAGE).await, EMPTY);
    let start = harness.clock().now();
    let second = Duration::from_secs(1);
    let due = start.plus(second * 3);
    backend.submit(sample::job("low").priority(-1)).await;
    backend.submit(sample::job("held").not_before(due)).await;
    harness.clock().advance(second);
    backend.submit(sample::job("high").priority(1)).await;
    backend.submit(sample::job("other").at("second")).await;
    let depth = Depth { ready: 2, priority: 1, delayed: 1, oldest: Some(start), ..EMPTY };
    assert_eq!(backend.depth(sample::STAGE).await, depth);

    let deliveries = backend.take(sample::STAGE, 2).await;
    assert_eq!(deliveries.len(), 2);
    let depth = Depth { delayed: 1, leased: 2, ..EMPTY };
    assert_eq!(backend.depth(sample::STAGE).await, depth);

    backend.settle(sample::end(&deliveries[1]).complete()).await;
    harness.clock().advance(LEASE);
    let oldest = Some(start);
    let depth = Depth { ready: 2, priority: 1, oldest, ..EMPTY };
    assert_eq!(backend.depth(sample::STAGE).await, depth);
}

/// A pipeline's text gets a new version when it changes, and only then.
pub async fn pipeline_versions_count_changes(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let name = PipelineName::from("scans");
    let put = async |source| {
        let version = bounded(backend.store.put_pipeline(&name, source)).await;
        version.expect("the pipeline is kept")
    };
    let find = async |version| {
        let record = bounded(backend.store.pipeline(&name, version)).await;
        record.expect("the pipeline is looked up")
    };
    let all = async || bounded(backend.store.pipelines()).await.expect("they are listed");
    assert_eq!(find(None).await, None);
    assert_eq!(all().await, []);
    assert_eq!(put("one").await, 1);
    assert_eq!(put("one").await, 1);
    assert_eq!(put("two").await, 2);
    // Back to an older text is another change: only the newest one is compared.
    assert_eq!(put("one").await, 3);

    let newest = find(None).await.expect("it exists");
    assert_eq!((newest.version, newest.source.as_str()), (3, "one"));
    assert_eq!(newest.name, name);
    assert_eq!(find(Some(2)).await.expect("it exists").source, "two");
    assert_eq!(find(Some(4)).await, None);
    assert_eq!(find(Some(0)).await, None);
    let other = bounded(backend.store.put_pipeline(&"others".into(), "one")).await;
    assert_eq!(other.expect("the pipeline is kept"), 1);
    let upper = bounded(backend.store.put_pipeline(&"Zoo".into(), "one")).await;
    assert_eq!(upper.expect("the pipeline is kept"), 1);
    assert_eq!(all().await, [("Zoo".into(), 1), ("others".into(), 1), (name.clone(), 3)]);
}

/// A version lives as long as a job on it has not ended.
pub async fn live_versions_are_those_of_jobs_that_go_on(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let name = PipelineName::from(sample::PIPELINE);
    let live = async || {
        let versions = bounded(backend.store.live_versions(&name)).await;
        versions.expect("the versions are told")
    };
    assert!(live().await.is_empty());
    backend.submit(sample::job("a").version(3)).await;
    backend.submit(sample::job("b").version(1).waiting_at("review")).await;
    backend.submit(sample::job("c").version(3).at("second")).await;
    backend.submit(sample::job("d").version(9).of("others")).await;
    assert_eq!(live().await, [1, 3]);
    assert_eq!(backend.job("a").await.pipeline_version, 3);

    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(live().await, [1, 3]);
    backend.settle(sample::end(&delivery).complete()).await;
    backend.abort("b").await;
    assert_eq!(live().await, [3]);
    backend.abort("c").await;
    assert!(live().await.is_empty());
}
