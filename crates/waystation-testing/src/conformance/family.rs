//! Jobs that make children and wait for them.

use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::job::{Family, JobFilter};
use waystation_core::port::Abort;
use waystation_core::settlement::{Delivery, Parent, Quorum, Settled, Tally};
use waystation_core::state::JobState;

use super::{Backend, Harness, bounded};
use crate::sample;

/// Never.
const NEVER: u32 = u32::MAX;
/// Where children start, and where they come together.
const WORK: &str = "work";
const JOIN: &str = "count";

/// When this many have completed, or one has failed.
fn all_of(children: u32) -> impl FnOnce(u32) -> Quorum {
    move |visit| Quorum { visit, completed: children, failed: 1, ended: NEVER }
}

/// Submits a job and fans it out into children of these names.
async fn fan_out(backend: &Backend, job_id: &str, names: &[&str], quorum: Quorum) {
    backend.submit(sample::job(job_id).param("image", "x")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let settlement = sample::end(&delivery).fan_out(names, WORK, JOIN, |_| quorum);
    assert_eq!(backend.settle(settlement).await, Settled::Applied);
}

fn quorum(completed: u32, failed: u32, ended: u32) -> Quorum {
    Quorum { visit: 1, completed, failed, ended }
}

async fn complete(backend: &Backend, child: &Delivery) {
    let settlement = sample::end(child).complete();
    assert_eq!(backend.settle(settlement).await, Settled::Applied);
}

async fn fail(backend: &Backend, child: &Delivery) {
    let settlement = sample::end(child).fail("no such tile");
    assert_eq!(backend.settle(settlement).await, Settled::Applied);
}

async fn abort(backend: &Backend, job_id: &str) -> Abort {
    let answer = bounded(backend.store.abort(&job_id.into(), "not wanted")).await;
    answer.expect("the abort is taken")
}

async fn tally(backend: &Backend, job_id: &str) -> Option<Tally> {
    let awaited = bounded(backend.store.awaited(&job_id.into())).await;
    awaited.expect("it is told what is waited for").map(|awaited| awaited.tally)
}

async fn states(backend: &Backend, job_id: &str) -> Vec<JobState> {
    let children = bounded(backend.store.children(&job_id.into(), 1, 0, 9)).await;
    children.expect("the children are listed").iter().map(|child| child.state).collect()
}

/// The job waits where nobody receives it; its children are in their queue.
pub async fn fanned_out_job_waits_and_its_children_are_delivered(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(2, 1, NEVER)).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Waiting, JOIN));
    assert_eq!(job.parent, None);
    assert_eq!(job.params["image"], "x");
    assert_eq!(tally(&backend, "a").await, Some(Tally::default()));
    assert!(backend.take(JOIN, 9).await.is_empty());

    let child = backend.job("a.1-y").await;
    assert_eq!((child.state, child.stage.as_str()), (JobState::Queued, WORK));
    let parent = Parent { job_id: "a".into(), visit: 1, position: 1 };
    assert_eq!(child.parent, Some(parent));
    assert_eq!(backend.kinds("a.1-y").await, [EventKind::Created]);
    let delivered = backend.take(WORK, 9).await;
    let ids: Vec<_> = delivered
        .iter()
        .map(|delivery| Contract::parse(&delivery.body).expect("a contract").job_id)
        .collect();
    assert_eq!(ids, ["a.1-x".into(), "a.1-y".into()], "in the order of their positions");
}

/// The last child that is waited for takes its parent into the queue of the join, once.
pub async fn last_child_lets_its_parent_go_on(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y", "z"], quorum(2, 1, NEVER)).await;
    let children = backend.take(WORK, 9).await;
    complete(&backend, &children[0]).await;
    assert_eq!(tally(&backend, "a").await, Some(Tally { completed: 1, failed: 0 }));
    assert_eq!(backend.state("a").await, JobState::Waiting);
    complete(&backend, &children[1]).await;
    assert_eq!(tally(&backend, "a").await, None);
    assert_eq!(backend.state("a").await, JobState::Queued);
    let parent = backend.take_one(JOIN).await;
    complete(&backend, &children[2]).await;
    assert!(backend.take(JOIN, 9).await.is_empty(), "only once");
    let settlement = sample::end(&parent).complete();
    assert_eq!(backend.settle(settlement).await, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert_eq!(states(&backend, "a").await, [JobState::Completed; 3]);
}

/// A failed child counts as failed until it is tried again.
pub async fn failed_child_counts_until_it_is_tried_again(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(2, 2, NEVER)).await;
    let children = backend.take(WORK, 9).await;
    fail(&backend, &children[0]).await;
    assert_eq!(tally(&backend, "a").await, Some(Tally { completed: 0, failed: 1 }));
    let letter = backend.letters("a.1-x").await.remove(0);
    let again = sample::resolve(&letter).requeue();
    assert_eq!(backend.settle(again).await, Settled::Applied);
    assert_eq!(tally(&backend, "a").await, Some(Tally::default()));
    complete(&backend, &children[1]).await;
    complete(&backend, &backend.take_one(WORK).await).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// One failure is enough where the quorum says so, and what failed is told.
pub async fn failed_child_lets_its_parent_be_looked_at(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(2, 1, NEVER)).await;
    let children = backend.take(WORK, 9).await;
    fail(&backend, &children[1]).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
    let records = bounded(backend.store.children(&"a".into(), 1, 0, 9)).await;
    let records = records.expect("the children are listed");
    let shown: Vec<_> = records.iter().map(|child| (child.position, child.state)).collect();
    assert_eq!(shown, [(0, JobState::Running), (1, JobState::Failed)]);
    let failure = records[1].failure.as_ref().expect("it tells why it failed");
    assert_eq!(failure.message, "no such tile");
    assert_eq!(Contract::parse(&records[1].body).expect("a contract").params["image"], "x");
    let rest = bounded(backend.store.children(&"a".into(), 1, 1, 9)).await;
    assert_eq!(rest.expect("the rest is listed"), records[1..]);
    let none = bounded(backend.store.children(&"a".into(), 2, 0, 9)).await;
    assert_eq!(none.expect("those of another run are listed"), []);
}

/// An aborted child counts as failed, whether it waited or ran.
pub async fn aborted_child_counts_as_failed(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(NEVER, NEVER, 2)).await;
    let running = backend.take_one(WORK).await;
    assert_eq!(abort(&backend, "a.1-y").await, Abort::Done);
    assert_eq!(tally(&backend, "a").await, Some(Tally { completed: 0, failed: 1 }));
    assert_eq!(abort(&backend, "a.1-x").await, Abort::Requested);
    let settlement = sample::end(&running).forward_to(WORK);
    assert_eq!(backend.settle(settlement).await, Settled::Aborted);
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// A job that waits for children is aborted at once. Its children go on, and tell nobody.
pub async fn job_that_waits_for_children_is_aborted_at_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x"], quorum(1, 1, NEVER)).await;
    assert_eq!(abort(&backend, "a").await, Abort::Done);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.params["image"].as_str()), (JobState::Aborted, Some("x")));
    assert_eq!(tally(&backend, "a").await, None);
    complete(&backend, &backend.take_one(WORK).await).await;
    assert_eq!(backend.state("a").await, JobState::Aborted);
    assert!(backend.take(JOIN, 9).await.is_empty());
}

/// A mark comes first: the job ends, and nothing is made of it.
pub async fn marked_job_makes_no_children(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(abort(&backend, "a").await, Abort::Requested);
    let settlement = sample::end(&delivery).fan_out(&["x"], WORK, JOIN, all_of(1));
    assert_eq!(backend.settle(settlement).await, Settled::Aborted);
    assert_eq!(backend.state("a").await, JobState::Aborted);
    assert_eq!(backend.find_job("a.1-x").await, None);
}

/// A child whose id is another job's cannot be made: it counts as failed, and the other job is left
/// alone.
pub async fn child_whose_id_is_taken_counts_as_failed(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a.1-x").at("elsewhere").param("mine", true)).await;
    fan_out(&backend, "a", &["x", "y"], quorum(NEVER, NEVER, 2)).await;
    assert_eq!(tally(&backend, "a").await, Some(Tally { completed: 0, failed: 1 }));
    assert_eq!(backend.job("a.1-x").await.params["mine"], true);
    complete(&backend, &backend.take_one(WORK).await).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
    assert_eq!(states(&backend, "a").await, [JobState::Completed]);
}

/// Children may make children: each waits for its own.
pub async fn children_of_children_come_together_first(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x"], quorum(1, 1, NEVER)).await;
    let child = backend.take_one(WORK).await;
    let deeper = sample::end(&child).fan_out(&["p", "q"], "deep", "inner", all_of(2));
    assert_eq!(backend.settle(deeper).await, Settled::Applied);
    assert_eq!(backend.state("a.1-x").await, JobState::Waiting);
    for grandchild in backend.take("deep", 9).await {
        complete(&backend, &grandchild).await;
    }
    assert_eq!(backend.state("a").await, JobState::Waiting);
    complete(&backend, &backend.take_one("inner").await).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// Whole families that end in one batch are counted whole.
pub async fn children_that_end_in_one_batch_are_all_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["p", "q", "r"], quorum(3, 1, NEVER)).await;
    fan_out(&backend, "b", &["p", "q"], quorum(NEVER, NEVER, 2)).await;
    let children = backend.take(WORK, 9).await;
    let ends = children.iter().map(|child| sample::end(child).complete());
    let ends: Vec<_> = ends.collect();
    let answers = bounded(backend.queue.settle(ends.into())).await.expect("settled");
    assert_eq!(answers, [Settled::Applied; 5]);
    for parent in ["a", "b"] {
        assert_eq!(backend.state(parent).await, JobState::Queued);
    }
    assert_eq!(backend.take(JOIN, 9).await.len(), 2);
}

/// A second fan-out of a job waits for its own children, not for those of the first.
pub async fn children_of_an_earlier_run_are_not_waited_for(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(1, 1, NEVER)).await;
    let first = backend.take(WORK, 9).await;
    complete(&backend, &first[0]).await;
    let joined = backend.take_one(JOIN).await;
    let second = sample::end(&joined).fan_out(&["x"], "more", JOIN, all_of(1));
    assert_eq!(backend.settle(second).await, Settled::Applied);
    complete(&backend, &first[1]).await;
    assert_eq!(backend.state("a").await, JobState::Waiting);
    assert_eq!(tally(&backend, "a").await, Some(Tally::default()));
    complete(&backend, &backend.take_one("more").await).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// Listings tell families apart.
pub async fn jobs_are_listed_by_family(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    fan_out(&backend, "a", &["x", "y"], quorum(2, 1, NEVER)).await;
    backend.submit(sample::job("b")).await;
    let cases = [
        (Family::All, vec!["b", "a.1-y", "a.1-x", "a"]),
        (Family::Parents, vec!["b", "a"]),
        (Family::ChildrenOf("a".into()), vec!["a.1-y", "a.1-x"]),
        (Family::ChildrenOf("b".into()), vec![]),
        (Family::ChildrenOf("nobody".into()), vec![]),
    ];
    for (family, expected) in cases {
        let filter = JobFilter { family, limit: 9, ..JobFilter::default() };
        let jobs = bounded(backend.store.jobs(filter)).await.expect("the jobs are listed");
        let ids: Vec<_> = jobs.jobs.iter().map(|job| job.job_id.as_str()).collect();
        assert_eq!(ids, expected);
    }
    let counts = bounded(backend.store.counts(None)).await.expect("the jobs are counted");
    let waiting = counts.iter().find(|count| count.state == JobState::Waiting);
    assert_eq!(waiting.map(|count| (count.stage.as_str(), count.jobs)), Some((JOIN, 1)));
}
