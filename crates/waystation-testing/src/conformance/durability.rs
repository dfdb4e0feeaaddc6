//! What was acknowledged survives the end of the process.

use serde_json::json;
use waystation_core::event::EventKind;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Abort, Expected, Put, TaskChange};
use waystation_core::settlement::{Settled, Submitted};
use waystation_core::state::JobState;
use waystation_core::statistics::Period;
use waystation_core::step::StepKey;

use super::feed::read_on;
use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

async fn crash(harness: &mut dyn Harness, backend: Backend) -> Backend {
    assert!(
        backend.queue.capabilities().durable,
        "a backend that is not durable runs the suite with `keeps_nothing`"
    );
    harness.crash_and_reopen(backend).await.expect("a durable backend can be opened again")
}

/// Stands in for every case below where a backend keeps nothing over a crash: it must say so
/// itself, so that no pipeline that needs durability is run on it.
pub async fn backend_that_keeps_nothing_says_so(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    assert!(
        !backend.queue.capabilities().durable,
        "a durable backend runs the suite without `keeps_nothing`"
    );
    backend.submit(sample::job("a")).await;
    let left = harness.crash_and_reopen(backend).await;
    assert!(left.is_none(), "what can be opened again is durable");
}

/// Submitted jobs, their order, their keys and their source's note survive.
pub async fn submitted_jobs_survive_a_crash_in_order(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let jobs = [("c", 0), ("a", 0), ("top", 5), ("b", 0)];
    let jobs = jobs.map(|(id, priority)| sample::job(id).priority(priority).dedupe_key(id));
    let checkpoint = Checkpoint::new("samples/find", json!({ "page": 7 }));
    let batch = jobs.map(sample::Sample::build).to_vec();
    bounded(backend.queue.submit(batch, Some(checkpoint))).await.expect("the jobs are submitted");

    let backend = crash(harness, backend).await;
    let noted = bounded(backend.store.checkpoint("samples/find")).await;
    assert_eq!(noted.expect("it is looked up"), Some(json!({ "page": 7 })));
    let again = backend.submit(sample::job("z").dedupe_key("a")).await;
    assert_eq!(again, Submitted::Duplicate("a".into()));
    assert_eq!(backend.kinds("a").await, [EventKind::Created]);
    let got = backend.take_ids(sample::STAGE, 9).await;
    assert_eq!(got, ["top", "c", "a", "b"]);
}

/// What was settled stays settled: state, stage, events, log, tasks and dead letters.
pub async fn settled_states_survive_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["done", "hops", "parks", "fails", "aborts"] {
        backend.submit(sample::job(id)).await;
    }
    let taken = backend.take(sample::STAGE, 5).await;
    let end = |n: usize| sample::end(&taken[n]);
    assert_eq!(backend.abort("aborts").await, Abort::Requested);
    let batch = vec![
        end(0).log("a line").complete(),
        end(1).param("n", 1).forward_to("second"),
        end(2).park_at("review"),
        end(3).fail("no such page"),
        end(4).forward_to("second"),
    ];
    let settled = bounded(backend.queue.settle(batch.into())).await;
    let settled = settled.expect("the batch is taken");
    assert_eq!(settled[4], Settled::Aborted);
    let mut before = Vec::new();
    for id in ["done", "hops", "parks", "fails", "aborts"] {
        before.push((backend.job(id).await, backend.kinds(id).await));
    }
    let (tasks, letters) = (backend.tasks().await, backend.letters("fails").await);

    let backend = crash(harness, backend).await;
    for (job, kinds) in before {
        assert_eq!(backend.job(job.job_id.as_str()).await, job);
        assert_eq!(backend.kinds(job.job_id.as_str()).await, kinds);
    }
    assert_eq!(backend.tasks().await, tasks);
    assert_eq!(backend.letters("fails").await, letters);
    let log = bounded(backend.store.log(&"done".into())).await;
    assert_eq!(log.expect("the log is listed").len(), 1);
    assert_eq!(backend.take_ids("second", 9).await, ["hops"]);
    assert_eq!(backend.settle(end(0).complete()).await, Settled::Lost);
    let answer = sample::answer(&tasks[0]).complete();
    assert_eq!(backend.settle(answer).await, Settled::Applied);
}

/// Deliveries that were out when the process ended come back, at the latest after their lease,
/// and what their dead holder still says is refused.
pub async fn leased_deliveries_return_after_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    let first = backend.take_one(sample::STAGE).await;

    let backend = crash(harness, backend).await;
    harness.clock().advance(LEASE);
    let deliveries = backend.take(sample::STAGE, 9).await;
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0].body, first.body);
    assert_eq!(deliveries[0].deliveries, 2);
    assert_ne!(deliveries[0].lease.token, first.lease.token);
    let late = sample::end(&first).complete();
    assert_eq!(backend.settle(late).await, Settled::Lost);
    assert_eq!(backend.state("a").await, JobState::Running);
}

/// A wish to abort outlives the process that it was told to.
pub async fn abort_mark_survives_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.take_one(sample::STAGE).await;
    assert_eq!(backend.abort("a").await, Abort::Requested);

    let backend = crash(harness, backend).await;
    harness.clock().advance(LEASE);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    assert_eq!(backend.state("a").await, JobState::Aborted);
}

/// Pipelines and their versions survive.
pub async fn pipelines_survive_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let name = "scans".into();
    for source in ["one", "two"] {
        bounded(backend.store.put_pipeline(&name, source)).await.expect("the pipeline is kept");
    }
    let backend = crash(harness, backend).await;
    let version = bounded(backend.store.put_pipeline(&name, "two")).await;
    assert_eq!(version.expect("the pipeline is kept"), 2);
    let first = bounded(backend.store.pipeline(&name, Some(1))).await;
    let first = first.expect("it is looked up").expect("it exists");
    assert_eq!(first.source, "one");
}

/// What a step gave survives, and is not kept anew.
pub async fn steps_survive_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let step = StepKey {
        job_id: "a".into(),
        stage: sample::STAGE.into(),
        first_visit: 1,
        name: "fetch".to_owned(),
    };
    bounded(backend.store.keep_step(&step, b"1")).await.expect("it is kept");

    let backend = crash(harness, backend).await;
    let kept = bounded(backend.store.step_result(&step)).await.expect("it is looked up");
    assert_eq!(kept.as_deref(), Some(&b"1"[..]));
    assert_eq!(bounded(backend.store.keep_step(&step, b"2")).await.expect("it is kept"), b"1");
}

/// Records with their revisions, counts, the feed's places, and whose tasks are survive.
pub async fn what_others_look_at_survives_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let put = async |backend: &Backend, value| {
        let put = backend.records.put_record("pauses", "a", &value, Expected::Any, None);
        bounded(put).await.expect("the record is taken")
    };
    let first = put(&backend, json!(1)).await;
    let removed = backend.records.remove_record("pauses", "a", Expected::Any);
    assert!(bounded(removed).await.expect("the request is taken"));
    let second = put(&backend, json!(2)).await;
    backend.submit(sample::job("a").waiting_at("review")).await;
    let task = backend.tasks().await.remove(0);
    let assign = TaskChange::Assign { to: Some("ann".to_owned()) };
    bounded(backend.store.change_task(task.task_id, assign)).await.expect("it is assigned");
    let counted = bounded(backend.store.statistics(Period::Ever)).await.expect("told");
    let (_, place) = read_on(&backend, 0, 1, 9).await;

    let backend = crash(harness, backend).await;
    let found = bounded(backend.records.record("pauses", "a")).await.expect("it is looked up");
    let Put::Kept(revision) = second else { panic!("it was kept after {first:?}") };
    assert_eq!(found.map(|record| (record.revision, record.value)), Some((revision, json!(2))));
    let Put::Kept(third) = put(&backend, json!(3)).await else { panic!("it is kept") };
    assert!(third > revision);
    assert_eq!(backend.tasks().await[0].assignee.as_deref(), Some("ann"));
    let again = bounded(backend.store.statistics(Period::Ever)).await.expect("told");
    assert_eq!(again, counted);
    backend.submit(sample::job("b")).await;
    let (told, _) = read_on(&backend, place, 1, 9).await;
    assert_eq!(told, ["samples b created"]);
}
