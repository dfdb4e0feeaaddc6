//! Families whose stages run on a broker.

use waystation_core::port::Projected;
use waystation_core::settlement::{Quorum, Tally};
use waystation_core::state::JobState;

use super::submit_and_hand_over;
use crate::conformance::{Backend, Harness, bounded};
use crate::sample;

async fn tally(backend: &Backend) -> Option<Tally> {
    let awaited = bounded(backend.store.awaited(&"a".into())).await;
    awaited.expect("it is told what is waited for").map(|awaited| awaited.tally)
}

/// The ledger creates the children, keeps their parent until they have ended, and has all of them
/// carried to the broker.
pub async fn children_that_the_journal_tells_of_are_created_and_awaited(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let quorum = |visit| Quorum { visit, completed: 2, failed: 1, ended: u32::MAX };
    let fanned_out = sample::end(&first).fan_out(&["x", "y"], "work", "count", quorum);
    let entry = sample::journal(&fanned_out);
    let answers = backend.project(vec![entry.clone(), entry]).await;
    assert_eq!(answers, [Projected::Applied, Projected::Repeated]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Waiting, "count"));
    assert!(backend.take("count", 9).await.is_empty());

    let carried = backend.take("work", 9).await;
    assert_eq!(carried.len(), 2);
    for child in &carried {
        let hand_over = sample::end(child).hand_over();
        backend.settle(hand_over).await;
        let delivered = sample::on_broker("work", &child.body);
        let ended = sample::journal(&sample::end(&delivered).complete());
        let answers = backend.project(vec![ended.clone(), ended]).await;
        assert_eq!(answers, [Projected::Applied, Projected::Repeated]);
    }
    assert_eq!(backend.state("a").await, JobState::Queued);
    assert_eq!(backend.take("count", 9).await.len(), 1, "once, for the courier");
}

/// Somebody wants the job aborted: it is, where it would have waited, and nothing is made of it.
pub async fn marked_job_does_not_wait_for_children(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let marked = bounded(backend.store.abort(&"a".into(), "not wanted")).await;
    marked.expect("the abort is taken");
    let quorum = |visit| Quorum { visit, completed: 1, failed: 1, ended: u32::MAX };
    let fanned_out = sample::end(&first).fan_out(&["x"], "work", "count", quorum);
    assert_eq!(backend.project(vec![sample::journal(&fanned_out)]).await, [Projected::Applied]);
    assert_eq!(backend.state("a").await, JobState::Aborted);
    assert_eq!(backend.find_job("a.1-x").await, None);
}

/// A child that fails on the broker counts, until a person has it tried again.
pub async fn child_that_fails_on_the_broker_is_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let quorum = |visit| Quorum { visit, completed: 1, failed: 9, ended: u32::MAX };
    let fanned_out = sample::end(&first).fan_out(&["x"], "work", "count", quorum);
    backend.project(vec![sample::journal(&fanned_out)]).await;
    let child = backend.take_one("work").await;
    backend.settle(sample::end(&child).hand_over()).await;
    let delivered = sample::on_broker("work", &child.body);
    backend.project(vec![sample::journal(&sample::end(&delivered).fail("no such tile"))]).await;
    assert_eq!(tally(&backend).await, Some(Tally { completed: 0, failed: 1 }));
    let letter = backend.letters("a.1-x").await.remove(0);
    backend.settle(sample::resolve(&letter).requeue()).await;
    assert_eq!(tally(&backend).await, Some(Tally::default()));
}
