//! Pages of jobs, by every filter.

use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};
use waystation_core::id::JobId;
use waystation_core::job::{Family, JobFilter, JobRecord};
use waystation_core::settlement::Quorum;
use waystation_core::state::JobState;

use super::{Backend, Harness, bounded};
use crate::sample;

/// Follows the pages of a filter to their end. No page is longer than this, and none but the last
/// one says that there is no other.
async fn walk(backend: &Backend, filter: &JobFilter, limit: usize) -> Vec<JobRecord> {
    let mut jobs = Vec::new();
    let mut before = filter.before.clone();
    loop {
        let page = JobFilter { before, limit, ..filter.clone() };
        let page = bounded(backend.store.jobs(page)).await.expect("the jobs are listed");
        assert!(page.jobs.len() <= limit, "no page is longer than asked for");
        jobs.extend(page.jobs);
        before = page.next;
        if before.is_none() {
            return jobs;
        }
    }
}

async fn ids(backend: &Backend, filter: &JobFilter) -> Vec<String> {
    let jobs = walk(backend, filter, 4).await;
    jobs.iter().map(|job| job.job_id.to_string()).collect()
}

/// Jobs that stand in every way in which jobs can stand, one second after the other.
async fn fill(harness: &mut dyn Harness, backend: &Backend) {
    let second = Duration::from_secs(1);
    for round in 0..4 {
        let pipeline = ["samples", "others"][round % 2];
        let job = |name: &str| sample::job(&format!("{name}-{round}")).of(pipeline);
        let ends = ["completes", "skips", "fails", "aborts", "runs", "retries", "parks"];
        for name in ends {
            backend.submit(job(name).param("City", "Delft").priority(9)).await;
            harness.clock().advance(second);
            let queue = format!("{pipeline}.{}", sample::STAGE);
            let request = super::backend::request(sample::STAGE, 1, Duration::ZERO);
            let request = waystation_core::port::Receive {
                queue: queue.as_str().into(),
                lease: Duration::from_hours(1),
                ..request
            };
            let taken = bounded(backend.queue.receive(request)).await.expect("one is there");
            let end = sample::end(&taken[0]).param("note", format!("Seen By {name}"));
            let later = harness.clock().now().plus(Duration::from_hours(1));
            let settlement = match name {
                "completes" => end.complete(),
                "skips" => end.skip(),
                "fails" => end.fail("no such page"),
                "aborts" => end.abort("not wanted"),
                "retries" => end.retry_at(later),
                "parks" => end.park_at("review"),
                _ => continue,
            };
            backend.settle(settlement).await;
        }
        let later = harness.clock().now().plus(Duration::from_hours(1));
        backend.submit(job("waits").at("second")).await;
        backend.submit(job("delays").not_before(later)).await;
        backend.submit(job("asks").waiting_at("review")).await;
        backend.submit(job("opaque").body(b"\xff\xfe no contract, \x00 but TEXT".to_vec())).await;
    }
}

/// The jobs of a filter, by a plain look at each of all jobs.
fn expected(all: &[JobRecord], filter: &JobFilter) -> Vec<String> {
    let has_text = |job: &JobRecord, text: &str| {
        let text = text.to_lowercase();
        let body = String::from_utf8_lossy(&job.body).to_lowercase();
        body.contains(&text) || job.job_id.as_str().contains(&text)
    };
    let fits = |job: &&JobRecord| {
        filter.pipeline.as_ref().is_none_or(|name| job.pipeline == *name)
            && filter.stage.as_ref().is_none_or(|stage| job.stage == *stage)
            && (filter.states.is_empty() || filter.states.contains(&job.state))
            && filter.created_from.is_none_or(|from| job.created_at >= from)
            && filter.created_before.is_none_or(|before| job.created_at < before)
            && filter.text.as_ref().is_none_or(|text| has_text(job, text))
    };
    all.iter().filter(fits).map(|job| job.job_id.to_string()).collect()
}

/// Every filter, and those that belong together, gives the same as a look at each job.
pub async fn pages_hold_what_each_filter_lets_through(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let start = harness.clock().now();
    fill(harness, &backend).await;
    let any = JobFilter::default();
    let all = walk(&backend, &any, 1_000).await;
    assert_eq!(all.len(), 44);
    let moment = |second: u64| Some(start.plus(Duration::from_secs(second)));
    let mut filters = vec![any.clone()];
    for state in JobState::ALL {
        for other in [None, Some(JobState::Failed), Some(JobState::Queued)] {
            let states: Vec<_> = [Some(state), other].into_iter().flatten().collect();
            for pipeline in [None, Some("others".into())] {
                filters.push(JobFilter { states: states.clone(), pipeline, ..any.clone() });
            }
        }
    }
    for stage in ["first", "second", "review", "nowhere"] {
        filters.push(JobFilter { stage: Some(stage.into()), ..any.clone() });
        let pipeline = Some("samples".into());
        filters.push(JobFilter { stage: Some(stage.into()), pipeline, ..any.clone() });
    }
    filters.push(JobFilter { pipeline: Some("nowhere".into()), ..any.clone() });
    for (from, before) in [(0, 99), (0, 0), (7, 14), (7, 8), (8, 7), (27, 99), (99, 100)] {
        let (created_from, created_before) = (moment(from), moment(before));
        filters.push(JobFilter { created_from, created_before, ..any.clone() });
        let states = vec![JobState::Failed, JobState::Running];
        filters.push(JobFilter { created_from, created_before, states, ..any.clone() });
    }
    filters.push(JobFilter { created_from: moment(9), ..any.clone() });
    filters.push(JobFilter { created_before: moment(9), ..any.clone() });
    for text in ["seen by", "FAILS", "delft\"", "\"city\":\"delft\"", "-2", "but text", "", "zzz"] {
        filters.push(JobFilter { text: Some(text.into()), ..any.clone() });
        let states = vec![JobState::Failed, JobState::Waiting];
        filters.push(JobFilter { text: Some(text.into()), states, ..any.clone() });
    }
    for filter in filters {
        assert_eq!(ids(&backend, &filter).await, expected(&all, &filter), "{filter:?}");
    }
}

/// There is a next page exactly when there is more to be found.
pub async fn last_page_says_that_it_is_the_last(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for number in 0..6 {
        let stage = ["first", "second"][number % 2];
        backend.submit(sample::job(&format!("job-{number}")).at(stage)).await;
    }
    let next = async |limit, stage: Option<&str>, before: Option<&str>| {
        let (stage, before) = (stage.map(Into::into), before.map(Into::into));
        let filter = JobFilter { stage, before, limit, ..JobFilter::default() };
        let page = bounded(backend.store.jobs(filter)).await.expect("the jobs are listed");
        (page.jobs.len(), page.next.map(|id: JobId| id.to_string()))
    };
    assert_eq!(next(5, None, None).await, (5, Some("job-1".to_owned())));
    assert_eq!(next(6, None, None).await, (6, None));
    assert_eq!(next(7, None, None).await, (6, None));
    assert_eq!(next(2, Some("first"), None).await, (2, Some("job-2".to_owned())));
    assert_eq!(next(3, Some("first"), None).await, (3, None));
    assert_eq!(next(2, Some("second"), Some("job-5")).await, (2, None));
    assert_eq!(next(2, None, Some("job-0")).await, (0, None));
    assert_eq!(next(2, None, Some("nobody")).await, (0, None));
    assert_eq!(next(2, Some("nowhere"), None).await, (0, None));
    assert_eq!(next(0, None, None).await, (0, None));
}

/// Texts are found whatever the case of their letters, also those beyond ASCII, in jobs that live
/// and in jobs that have ended.
pub async fn text_is_found_in_any_case(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("Lives").param("city", "Zürich 100%_")).await;
    backend.submit(sample::job("ends").param("city", "ZÜRICH \\ 'quoted'")).await;
    backend.submit(sample::job("raw").body(vec![0xc3, 0x28, b'Z', 0x00, 0x9c, b'\\', b'3'])).await;
    let taken = backend.take(sample::STAGE, 2).await;
    backend.settle(sample::end(&taken[1]).complete()).await;
    backend.settle(sample::end(&taken[0]).hand_back()).await;
    let cases: [(&str, &[&str]); 11] = [
        ("zürich", &["ends", "Lives"]),
        ("ZÜRICH", &["ends", "Lives"]),
        ("lives", &["Lives"]),
        ("LIVES", &["Lives"]),
        ("100%_", &["Lives"]),
        ("100_%", &[]),
        ("'QUOTED'", &["ends"]),
        // In JSON a backslash is two.
        ("\\\\", &["ends"]),
        ("(z", &["raw"]),
        ("303", &[]),
        ("234", &[]),
    ];
    for (text, expected) in cases {
        let filter = JobFilter { text: Some(text.into()), ..JobFilter::default() };
        assert_eq!(ids(&backend, &filter).await, expected, "{text}");
    }
}

/// Children are listed by every other filter as well.
pub async fn children_are_filtered_too(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("parent")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let quorum = |visit| Quorum { visit, completed: 9, failed: 9, ended: 9 };
    let names = ["a", "b", "c", "d", "e"];
    backend.settle(sample::end(&delivery).fan_out(&names, "second", "third", quorum)).await;
    for delivery in backend.take("second", 2).await {
        backend.settle(sample::end(&delivery).fail("no such page")).await;
    }
    let of = |states: &[JobState]| JobFilter {
        family: Family::ChildrenOf("parent".into()),
        states: states.to_vec(),
        ..JobFilter::default()
    };
    let count = async |filter: JobFilter| ids(&backend, &filter).await.len();
    assert_eq!(count(of(&[])).await, 5);
    assert_eq!(count(of(&[JobState::Failed])).await, 2);
    assert_eq!(count(of(&[JobState::Queued])).await, 3);
    assert_eq!(count(JobFilter { stage: Some("first".into()), ..of(&[]) }).await, 0);
    let parents = JobFilter {
        family: Family::Parents,
        states: vec![JobState::Waiting, JobState::Failed],
        ..JobFilter::default()
    };
    assert_eq!(ids(&backend, &parents).await, ["parent"]);
}

/// A running job says until when its worker has it; nobody else's does.
pub async fn lease_shows_until_when_a_job_runs(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let until = async || backend.job("a").await.leased_until;
    assert_eq!(until().await, None);
    let delivery = backend.take_one(sample::STAGE).await;
    let now = || -> Timestamp { harness.clock().now() };
    assert_eq!(until().await, Some(now().plus(super::LEASE)));
    harness.clock().advance(Duration::from_secs(5));
    let lease = Duration::from_mins(5);
    bounded(backend.queue.extend(vec![delivery.lease.clone()], lease)).await.expect("extended");
    assert_eq!(until().await, Some(now().plus(lease)));
    backend.settle(sample::end(&delivery).forward_to("second")).await;
    assert_eq!(until().await, None);
}
