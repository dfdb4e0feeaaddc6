//! Somebody wants a job to end that a broker has.

use waystation_core::event::EventKind;
use waystation_core::failure::ErrorKind;
use waystation_core::port::{Abort, Projected, Signal};
use waystation_core::settlement::{OnDuplicate, Settled, Submitted};
use waystation_core::state::JobState;

use super::{at, forwarded, submit_and_hand_over};
use crate::conformance::{Harness, bounded};
use crate::sample;

/// An abort of a job that a broker has is a mark for whoever tells the broker's workers. It stays
/// over hops, and goes with the job's end.
pub async fn abort_of_a_handed_over_job_is_a_mark(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    submit_and_hand_over(&backend, "b").await;
    assert!(backend.abort_marks().await.is_empty());
    let mut signals = backend.bus.subscribe();
    for id in ["b", "a"] {
        assert_eq!(backend.abort(id).await, Abort::Requested);
        // A signal may be heard twice: at the commit, and when the server tells of it.
        let heard = bounded(async {
            loop {
                match signals.next().await {
                    Some(Signal::Abort { job_id, reason }) if job_id == id.into() => break reason,
                    _ => {}
                }
            }
        });
        assert_eq!(heard.await, "not wanted");
    }
    assert_eq!(backend.state("a").await, JobState::Queued);
    let again = bounded(backend.store.abort(&"a".into(), "another reason")).await;
    assert_eq!(again.expect("it is taken"), Abort::Requested);
    assert_eq!(backend.abort_marks().await, ["a: not wanted", "b: not wanted"]);
    let ledger = backend.ledger.as_ref().expect("it is a ledger");
    for (after, id) in [(None, "a"), (Some("a".into()), "b")] {
        let page = bounded(ledger.abort_marks(after.as_ref(), 1)).await;
        assert_eq!(page.expect("the marks are listed"), [(id.into(), "not wanted".to_owned())]);
    }
    for after in ["b", "unknown"] {
        let page = bounded(ledger.abort_marks(Some(&after.into()), 9)).await;
        assert_eq!(page.expect("the marks are listed"), [], "after {after}");
    }

    let hop = sample::journal(&sample::end(&first).forward_to("second"));
    let second = forwarded(&hop);
    let batch = vec![sample::running(&first, at(0)), hop, sample::running(&second, at(1))];
    assert_eq!(backend.project(batch).await, [Projected::Applied; 3]);
    assert_eq!(backend.abort_marks().await, ["a: not wanted", "b: not wanted"]);
    let retry = sample::end(&second).happening_at(at(2)).retry_at(at(3));
    backend.project(vec![sample::journal(&retry)]).await;
    assert_eq!(backend.abort_marks().await, ["a: not wanted", "b: not wanted"]);

    let aborted = sample::end(&second).happening_at(at(4)).abort("not wanted");
    let mut aborted = sample::journal(&aborted);
    aborted.step.attempt = 2;
    assert_eq!(backend.project(vec![aborted]).await, [Projected::Applied]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.params["kept"].clone()), (JobState::Aborted, true.into()));
    assert_eq!(backend.abort_marks().await, ["b: not wanted"]);
    assert_eq!(backend.abort("a").await, Abort::TooLate);
}

/// A job whose place another takes is marked while a broker has it, as by an abort.
pub async fn replaced_job_that_was_handed_over_is_marked(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let job = |id: &str| sample::job(id).dedupe_key("file-1").on_duplicate(OnDuplicate::Replace);
    backend.submit(job("a")).await;
    let carried = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&carried).hand_over()).await;
    let answer = backend.submit(job("b")).await;
    assert_eq!(answer, Submitted::Replaced { job_id: "b".into(), replaced: "a".into() });
    assert_eq!(backend.state("a").await, JobState::Queued);
    assert_eq!(backend.abort_marks().await, ["a: replaced by job b"]);
    let first = sample::on_broker(sample::STAGE, &carried.body);
    let aborted = sample::end(&first).happening_at(at(1)).abort("replaced by job b");
    assert_eq!(backend.project(vec![sample::journal(&aborted)]).await, [Projected::Applied]);
    assert_eq!(backend.state("a").await, JobState::Aborted);
    assert!(backend.abort_marks().await.is_empty());
}

/// What the courier holds may be marked meanwhile: it is handed over, and the mark stays.
pub async fn marked_delivery_is_handed_over_with_its_mark(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(backend.abort("a").await, Abort::Requested);
    assert!(backend.abort_marks().await.is_empty());
    let settled = backend.settle(sample::end(&delivery).hand_over()).await;
    assert_eq!(settled, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Queued);
    assert_eq!(backend.abort_marks().await, ["a: not wanted"]);
}

/// What comes to the inbox has left the broker: there the abort that somebody wanted is carried
/// out, and nobody is asked.
pub async fn marked_job_does_not_come_to_the_inbox(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    assert_eq!(backend.abort("a").await, Abort::Requested);
    let park = sample::journal(&sample::end(&first).park_at("review"));
    let batch = vec![park.clone(), park];
    assert_eq!(backend.project(batch).await, [Projected::Applied, Projected::Repeated]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Aborted, sample::STAGE));
    assert_eq!(job.failure.expect("it tells why").kind, ErrorKind::Aborted);
    let expected = [EventKind::Created, EventKind::Completed, EventKind::Aborted];
    assert_eq!(backend.kinds("a").await, expected);
    assert!(backend.tasks().await.is_empty());
    assert!(backend.abort_marks().await.is_empty());
    assert!(backend.letters("a").await.is_empty());
}
