//! Jobs come into being once, with their source's checkpoint, or not at all.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::clock::{Clock, Timestamp};
use waystation_core::job::Checkpoint;
use waystation_core::port::{Error, Expected, Held, LOCKS, Put};
use waystation_core::settlement::{NewJob, Submitted};
use waystation_core::state::JobState;

use super::{Backend, Harness, bounded};
use crate::sample;

fn created(job_id: &str) -> Submitted {
    Submitted::Created(job_id.into())
}

fn duplicate(job_id: &str) -> Submitted {
    Submitted::Duplicate(job_id.into())
}

/// A job that exists is answered as such and left alone, in one batch as in two.
pub async fn duplicate_id_is_one_job(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let original = sample::job("a").param("n", 1);
    assert_eq!(backend.submit(original).await, created("a"));
    let again = sample::job("a").of("others").at("second").param("n", 2);
    assert_eq!(backend.submit(again).await, duplicate("a"));

    let batch = vec![
        sample::job("b").build(),
        sample::job("a").build(),
        sample::job("b").build(),
        sample::job("c").build(),
    ];
    let answers = backend.submit_all(batch).await;
    let expected = [created("b"), duplicate("a"), duplicate("b"), created("c")];
    assert_eq!(answers, expected);

    let job = backend.job("a").await;
    assert_eq!(job.pipeline.as_str(), sample::PIPELINE);
    assert_eq!(job.params["n"], 1);
    assert_eq!(backend.kinds("a").await.len(), 1);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["a", "b", "c"]);
}

/// Jobs of one pipeline with the same dedupe key are one job, also after its end, and the answer
/// names it. Another pipeline's keys are its own.
pub async fn duplicate_dedupe_key_is_one_job(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let job = |id: &str| sample::job(id).dedupe_key("file-1");
    assert_eq!(backend.submit(job("a")).await, created("a"));
    assert_eq!(backend.submit(job("b")).await, duplicate("a"));
    assert_eq!(backend.submit(job("c").of("others")).await, created("c"));
    assert_eq!(backend.find_job("b").await, None);

    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).complete()).await;
    assert_eq!(backend.submit(job("d")).await, duplicate("a"));

    let batch = ["e", "f"].map(|id| sample::job(id).dedupe_key("file-2").build());
    let answers = backend.submit_all(batch.to_vec()).await;
    assert_eq!(answers, [created("e"), duplicate("e")]);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["e"]);
}

/// Jobs that start at a manual stage wait in the inbox.
pub async fn job_may_start_in_the_inbox(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").waiting_at("review")).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.deliveries), (JobState::Waiting, 0));
    assert_eq!(job.stage.as_str(), "review");
    assert_eq!(backend.tasks().await.len(), 1);
}

async fn checkpoint(backend: &Backend) -> Option<Value> {
    bounded(backend.store.checkpoint("samples/find")).await.expect("the checkpoint is looked up")
}

/// Takes a lock for a while, or goes on having it.
async fn take(backend: &Backend, until: Timestamp, expected: Expected) -> Put {
    let (records, owner) = (&backend.records, json!("ann"));
    let put = records.put_record(LOCKS, "samples/find", &owner, expected, Some(until));
    bounded(put).await.expect("it is answered")
}

/// What was found under a lock is written while that is held, and not after: neither where it
/// expired, nor where somebody else has it, nor where it was renewed without this one's knowledge.
pub async fn lost_locks_fence_the_checkpoint(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let clock = harness.clock().clone();
    let soon = || clock.now().plus(Duration::from_mins(1));
    let submit = async |token, job_id: &str, value: i64| {
        let held = Some(Held { lock: "samples/find".to_owned(), token });
        let checkpoint = Checkpoint { held, ..Checkpoint::new("samples/find", json!(value)) };
        let jobs = vec![sample::job(job_id).build()];
        bounded(backend.queue.submit(jobs, Some(checkpoint))).await
    };
    let refused = async |token| {
        let error = submit(token, "late", 9).await.expect_err("the lock is lost");
        assert!(matches!(&error, Error::Fenced { lock } if lock == "samples/find"), "{error}");
        assert!(!error.retryable());
        let late = bounded(backend.store.job(&"late".into())).await.expect("it is looked up");
        assert!(late.is_none(), "the jobs are refused with the checkpoint");
    };
    let Put::Kept(first) = take(&backend, soon(), Expected::Absent).await else { panic!("taken") };
    assert_eq!(submit(first, "a", 1).await.expect("it is held"), [created("a")]);
    let renewed = take(&backend, soon(), Expected::Revision(first)).await;
    let Put::Kept(renewed) = renewed else { panic!("it could not be renewed") };
    refused(first).await;
    assert_eq!(submit(renewed, "b", 2).await.expect("it is held"), [created("b")]);

    clock.advance(Duration::from_mins(2));
    refused(renewed).await;
    let Put::Kept(second) = take(&backend, soon(), Expected::Absent).await else { panic!("free") };
    refused(renewed).await;
    assert_eq!(submit(second, "c", 3).await.expect("it is held"), [created("c")]);
    assert_eq!(checkpoint(&backend).await, Some(json!(3)));
}

async fn submit_with(
    backend: &Backend,
    jobs: Vec<NewJob>,
    value: Value,
) -> Result<Vec<Submitted>, waystation_core::port::Error> {
    let checkpoint = Checkpoint::new("samples/find", value);
    bounded(backend.queue.submit(jobs, Some(checkpoint))).await
}

/// A source's note is written with its jobs, the newest one counts, and none is written when the
/// jobs are not.
pub async fn checkpoint_stands_and_falls_with_the_jobs(harness: &mut dyn Harness) {
    let too_large = vec![b'x'; harness.payload_bytes_max() + 1];
    let backend = harness.open().await;
    assert_eq!(checkpoint(&backend).await, None);

    let first = json!({ "seen": ["a", null, 1.5], "page": 7 });
    let jobs = vec![sample::job("a").build()];
    submit_with(&backend, jobs, first.clone()).await.expect("it is taken");
    assert_eq!(checkpoint(&backend).await, Some(first.clone()));

    let jobs = vec![sample::job("b").build(), sample::job("c").body(too_large).build()];
    submit_with(&backend, jobs, json!(8)).await.expect_err("a body is too large");
    assert_eq!(checkpoint(&backend).await, Some(first));

    // Nothing new was found: the source has still moved on.
    let jobs = vec![sample::job("a").build()];
    submit_with(&backend, jobs, json!(9)).await.expect("it is taken");
    assert_eq!(checkpoint(&backend).await, Some(json!(9)));
    submit_with(&backend, Vec::new(), json!(null)).await.expect("it is taken");
    assert_eq!(checkpoint(&backend).await, Some(json!(null)));
}
