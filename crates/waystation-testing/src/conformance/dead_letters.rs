//! Jobs that nobody will try again until a person says so.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord};
use waystation_core::settlement::{Ended, Next, Settled, Settlement};
use waystation_core::state::JobState;

use super::{Backend, Harness};
use crate::sample;

/// Who cannot read a delivery does not know whose it is: the lease alone tells what ends.
pub async fn unreadable_delivery_ends_as_a_dead_letter(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let body = b"no contract".to_vec();
    backend.submit(sample::job("a").body(body.clone())).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let failure = Failure::new(ErrorKind::Contract, "unreadable");
    let settlement = Settlement {
        job_id: JobId::from(""),
        pipeline: sample::PIPELINE.into(),
        pipeline_version: 1,
        ended: Ended::Delivery(delivery.lease),
        next: Next::End { body: body.clone(), failure: Some(failure) },
        state: JobState::Failed,
        stage: StageId::from(sample::STAGE),
        events: Vec::new(),
        log: Vec::new(),
        children: Vec::new(),
    };
    assert_eq!(backend.settle(settlement).await, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Failed);
    assert_eq!(backend.letters("a").await[0].body, body);
}

/// Fails a job that waits at the samples' first stage.
async fn fail(backend: &Backend, job_id: &str) -> DeadLetterRecord {
    let delivery = backend.take_one(sample::STAGE).await;
    let failing = sample::end(&delivery).param("page", 2).fail("no such page");
    assert_eq!(backend.settle(failing).await, Settled::Applied);
    let mut letters = backend.letters(job_id).await;
    assert_eq!(letters.len(), 1, "the job lies with the dead letters once");
    letters.remove(0)
}

/// The job tells why it failed, and its message lies with the dead letters as it was.
pub async fn failed_job_lies_with_the_dead_letters(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    harness.clock().advance(Duration::from_secs(3));
    let letter = fail(&backend, "a").await;
    let job = backend.job("a").await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.params["page"], 2);
    let failure = job.failure.expect("the job tells why it failed");
    assert_eq!(failure.kind, ErrorKind::Error);
    assert_eq!(failure.message, "no such page");

    assert_eq!(letter.job_id.as_str(), "a");
    assert_eq!(letter.pipeline.as_str(), sample::PIPELINE);
    assert_eq!(letter.stage.as_str(), sample::STAGE);
    assert_eq!(letter.failure, failure);
    assert_eq!(letter.at, harness.clock().now());
    let contract = waystation_core::contract::Contract::parse(&letter.body);
    assert_eq!(contract.expect("the letter holds it").params, job.params);
    assert!(backend.take(sample::STAGE, 1).await.is_empty());
}

/// A person brings the job back, once; its failure is forgiven.
pub async fn requeue_brings_a_failed_job_back(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let letter = fail(&backend, "a").await;
    let requeue = sample::resolve(&letter).requeue();
    assert_eq!(backend.settle(requeue.clone()).await, Settled::Applied);
    assert_eq!(backend.settle(requeue).await, Settled::Lost);

    let job = backend.job("a").await;
    assert_eq!((job.state, job.failure), (JobState::Queued, None));
    assert!(backend.letters("a").await.is_empty());
    let kinds = backend.kinds("a").await;
    let expected = [EventKind::Created, EventKind::Failed, EventKind::Requeued];
    assert_eq!(kinds, expected);
    let again = fail(&backend, "a").await;
    assert_ne!(again.dead_letter_id, letter.dead_letter_id);
}

/// A person gives the job up: the letter goes, the job stays failed and says why.
pub async fn drop_leaves_the_job_failed(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let letter = fail(&backend, "a").await;
    let before = backend.job("a").await;
    let dropping = sample::resolve(&letter).drop_letter();
    assert_eq!(backend.settle(dropping.clone()).await, Settled::Applied);
    assert_eq!(backend.settle(dropping).await, Settled::Lost);

    let job = backend.job("a").await;
    assert_eq!((job.state, job.failure), (JobState::Failed, before.failure));
    assert_eq!(job.params, before.params);
    assert!(backend.letters("a").await.is_empty());
    assert_eq!(backend.kinds("a").await.last(), Some(&EventKind::Dropped));
}

/// Dead letters are listed newest first, of one job or of all, up to the limit.
pub async fn dead_letters_are_listed_newest_first(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["c", "a", "b"] {
        backend.submit(sample::job(id)).await;
        fail(&backend, id).await;
    }
    let letters = backend.store.dead_letters(DeadLetterFilter::newest(2));
    let letters = super::bounded(letters).await.expect("the letters are listed");
    let ids: Vec<_> = letters.iter().map(|letter| letter.job_id.as_str()).collect();
    assert_eq!(ids, ["b", "a"]);
    assert!(backend.letters("nobody").await.is_empty());
}

/// A handler that stopped for an abort has not failed: there is nothing for a person to retry.
pub async fn aborted_job_leaves_no_dead_letter(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).abort("not wanted")).await;
    let job = backend.job("a").await;
    assert_eq!(job.state, JobState::Aborted);
    let failure = job.failure.expect("the job tells why it ended");
    assert_eq!(failure.kind, ErrorKind::Aborted);
    assert!(backend.letters("a").await.is_empty());
}
