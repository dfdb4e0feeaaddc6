//! What becomes of a job whose dedupe key another job has.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::failure::ErrorKind;
use waystation_core::port::Signal;
use waystation_core::settlement::{NewJob, OnDuplicate, Rejected, Settled, Submitted};
use waystation_core::state::JobState;

use super::{Backend, Harness, bounded};
use crate::sample;

fn keyed(job_id: &str, policy: OnDuplicate) -> NewJob {
    sample::job(job_id).dedupe_key("file-1").on_duplicate(policy).build()
}

fn created(job_id: &str) -> Submitted {
    Submitted::Created(job_id.into())
}

fn replaced(job_id: &str, replaced: &str) -> Submitted {
    Submitted::Replaced { job_id: job_id.into(), replaced: replaced.into() }
}

fn rejected(by: &str) -> Submitted {
    Submitted::Rejected(Rejected { key: "file-1".to_owned(), job_id: by.into() })
}

/// Checks that a job is aborted, and that it says in whose favour.
async fn check_gave_way(backend: &Backend, job_id: &str, to: &str) {
    let job = backend.job(job_id).await;
    assert_eq!(job.state, JobState::Aborted, "{job_id}");
    let failure = job.failure.expect("the job tells why it ended");
    assert_eq!(failure.kind, ErrorKind::Aborted);
    assert_eq!(failure.message, format!("replaced by job {to}"));
    assert_eq!(backend.kinds(job_id).await.last(), Some(&EventKind::Aborted));
    assert!(backend.letters(job_id).await.is_empty());
}

/// A job that is to be the only one with its key is refused by name, also after the other's end.
/// Nothing is written of it, and the others of its batch are created.
pub async fn duplicate_is_rejected_alone(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    assert_eq!(backend.submit(keyed("a", OnDuplicate::Reject)).await, created("a"));
    let batch = vec![
        sample::job("b").build(),
        keyed("c", OnDuplicate::Reject),
        sample::job("d").dedupe_key("file-2").on_duplicate(OnDuplicate::Reject).build(),
    ];
    assert_eq!(backend.submit_all(batch).await, [created("b"), rejected("a"), created("d")]);
    assert_eq!(backend.find_job("c").await, None);
    let others = sample::job("e").of("others").dedupe_key("file-1");
    assert_eq!(backend.submit(others.on_duplicate(OnDuplicate::Reject)).await, created("e"));

    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).complete()).await;
    assert_eq!(backend.submit(keyed("f", OnDuplicate::Reject)).await, rejected("a"));
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["b", "d"]);
}

/// A job that is submitted again by its id is there already, whatever its key and whoever has it.
pub async fn id_goes_before_the_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let again = |job_id: &str| Submitted::Duplicate(job_id.into());
    backend.submit(keyed("a", OnDuplicate::Reject)).await;
    assert_eq!(backend.submit(keyed("a", OnDuplicate::Reject)).await, again("a"));
    assert_eq!(backend.submit(keyed("a", OnDuplicate::Replace)).await, again("a"));
    assert_eq!(backend.state("a").await, JobState::Queued);

    assert_eq!(backend.submit(keyed("b", OnDuplicate::Replace)).await, replaced("b", "a"));
    let policies = [OnDuplicate::Reject, OnDuplicate::ReturnExisting, OnDuplicate::Replace];
    for policy in policies {
        assert_eq!(backend.submit(keyed("a", policy)).await, again("a"), "{policy:?}");
    }
    assert_eq!(backend.state("b").await, JobState::Queued, "the key is still its own");

    // A job that exists takes no further key either.
    backend.submit(sample::job("plain")).await;
    let other = |id: &str| sample::job(id).dedupe_key("file-2");
    assert_eq!(backend.submit(other("plain")).await, again("plain"));
    assert_eq!(backend.submit(other("c")).await, created("c"));
}

/// Where nobody works on it, the other job ends at once, wherever it waits. The key is the new
/// job's from then on.
pub async fn waiting_job_gives_way_at_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let later = harness.clock().now().plus(Duration::from_secs(1));
    let job = |id: &str| sample::job(id).dedupe_key("file-1").on_duplicate(OnDuplicate::Replace);
    assert_eq!(backend.submit(job("queued")).await, created("queued"));
    let answer = backend.submit(job("delayed").not_before(later)).await;
    assert_eq!(answer, replaced("delayed", "queued"));
    let answer = backend.submit(job("waiting").waiting_at("review")).await;
    assert_eq!(answer, replaced("waiting", "delayed"));
    assert_eq!(backend.submit(job("last")).await, replaced("last", "waiting"));
    for (gone, to) in [("queued", "delayed"), ("delayed", "waiting"), ("waiting", "last")] {
        check_gave_way(&backend, gone, to).await;
    }
    harness.clock().advance(Duration::from_secs(2));
    assert!(backend.tasks().await.is_empty());
    let known = backend.submit(sample::job("more").dedupe_key("file-1")).await;
    assert_eq!(known, Submitted::Duplicate("last".into()));
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["last"]);
}

/// Where somebody works on it, the other job is marked and its worker hears of it.
pub async fn running_job_gives_way_at_its_settlement(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(keyed("a", OnDuplicate::Replace)).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let mut signals = backend.bus.subscribe();
    assert_eq!(backend.submit(keyed("b", OnDuplicate::Replace)).await, replaced("b", "a"));
    let heard = bounded(async {
        loop {
            match signals.next().await {
                Some(Signal::Abort { job_id, reason }) => break (job_id, reason),
                Some(_) => {}
                None => panic!("the bus is gone"),
            }
        }
    });
    assert_eq!(heard.await, ("a".into(), "replaced by job b".to_owned()));
    assert_eq!(backend.state("a").await, JobState::Running);
    let hop = sample::end(&delivery).forward_to("second");
    assert_eq!(backend.settle(hop).await, Settled::Aborted);
    check_gave_way(&backend, "a", "b").await;
    assert!(backend.take("second", 9).await.is_empty());
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["b"]);
}

/// A job that has ended is followed: it stays as it ended, and only its key goes over.
pub async fn ended_job_is_followed(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(keyed("a", OnDuplicate::Replace)).await;
    let delivery = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&delivery).fail("no such page")).await;
    assert_eq!(backend.submit(keyed("b", OnDuplicate::Replace)).await, created("b"));
    assert_eq!(backend.state("a").await, JobState::Failed);
    assert_eq!(backend.letters("a").await.len(), 1);
    assert_eq!(backend.submit(keyed("c", OnDuplicate::Reject)).await, rejected("b"));
}

/// Jobs of one batch are taken one after the other.
pub async fn jobs_of_a_batch_give_way_to_each_other(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(keyed("old", OnDuplicate::Replace)).await;
    let batch = vec![
        keyed("a", OnDuplicate::Reject),
        keyed("b", OnDuplicate::Replace),
        keyed("c", OnDuplicate::ReturnExisting),
        keyed("d", OnDuplicate::Replace),
        keyed("b", OnDuplicate::Replace),
        keyed("e", OnDuplicate::Reject),
    ];
    let expected = [
        rejected("old"),
        replaced("b", "old"),
        Submitted::Duplicate("b".into()),
        replaced("d", "b"),
        Submitted::Duplicate("b".into()),
        rejected("d"),
    ];
    assert_eq!(backend.submit_all(batch).await, expected);
    check_gave_way(&backend, "old", "b").await;
    check_gave_way(&backend, "b", "d").await;
    assert_eq!(backend.kinds("b").await, [EventKind::Created, EventKind::Aborted]);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["d"]);
}
