//! Jobs wait for people, and each answer counts once.

use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::event::EventKind;
use waystation_core::job::TaskFilter;
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;

use super::{Harness, bounded};
use crate::sample;

/// A job that comes to a manual stage leaves its queue and opens a task with its contract.
pub async fn park_opens_a_task(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    harness.clock().advance(Duration::from_secs(3));
    let park = sample::end(&delivery).param("page", 2).park_at("review");
    assert_eq!(backend.settle(park).await, Settled::Applied);

    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Waiting, "review"));
    assert_eq!(job.params["page"], 2);
    let tasks = backend.tasks().await;
    let [task] = &tasks[..] else {
        panic!("one task is open, not {tasks:?}");
    };
    assert_eq!(task.job_id.as_str(), "a");
    assert_eq!(task.pipeline.as_str(), sample::PIPELINE);
    assert_eq!(task.stage.as_str(), "review");
    assert_eq!(task.created_at, harness.clock().now());
    let contract = waystation_core::contract::Contract::parse(&task.body);
    assert_eq!(contract.expect("the task holds it").params, job.params);
    let found = bounded(backend.store.task(task.task_id)).await;
    assert_eq!(found.expect("the task is looked up").as_ref(), Some(task));
    assert!(backend.take(sample::STAGE, 1).await.is_empty());
}

/// Two people answer: the first answer counts, the second is told that it does not.
pub async fn task_is_answered_exactly_once(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").waiting_at("review")).await;
    let task = backend.tasks().await.remove(0);
    let yes = sample::answer(&task).param("ok", true).forward_to("second");
    let no = sample::answer(&task).param("ok", false).complete();
    assert_eq!(backend.settle(yes).await, Settled::Applied);
    assert_eq!(backend.settle(no).await, Settled::Lost);

    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Queued, "second"));
    assert_eq!(job.params["ok"], true);
    assert_eq!(backend.kinds("a").await, [EventKind::Created, EventKind::Completed]);
    assert!(backend.tasks().await.is_empty());
    let gone = bounded(backend.store.task(task.task_id)).await;
    assert_eq!(gone.expect("the task is looked up"), None);
    assert_eq!(backend.take_ids("second", 9).await, ["a"]);
}

/// An answer may lead to another manual stage, which is another task, or to the end.
pub async fn answer_may_park_again_or_end_the_job(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a").waiting_at("review")).await;
    let first = backend.tasks().await.remove(0);
    backend.settle(sample::answer(&first).park_at("correct")).await;
    let second = backend.tasks().await.remove(0);
    assert_ne!(first.task_id, second.task_id);
    assert_eq!(second.stage.as_str(), "correct");
    let late = sample::answer(&first).complete();
    assert_eq!(backend.settle(late).await, Settled::Lost);

    let end = sample::answer(&second).complete();
    assert_eq!(backend.settle(end).await, Settled::Applied);
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert!(backend.tasks().await.is_empty());
}

/// Tasks are listed oldest first, of one pipeline or of all, up to the limit.
pub async fn tasks_are_listed_oldest_first(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for (id, pipeline) in [("c", "left"), ("a", "right"), ("b", "left")] {
        backend.submit(sample::job(id).of(pipeline).waiting_at("review")).await;
    }
    let list = async |pipeline: Option<&str>, limit| {
        let filter = TaskFilter { pipeline: pipeline.map(Into::into), ..TaskFilter::first(limit) };
        let tasks = bounded(backend.store.tasks(filter)).await;
        let tasks = tasks.expect("the tasks are listed");
        tasks.iter().map(|task| task.job_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, ["c", "a", "b"]);
    assert_eq!(list(Some("left"), 9).await, ["c", "b"]);
    assert_eq!(list(None, 2).await, ["c", "a"]);
    assert!(list(Some("nowhere"), 9).await.is_empty());
}
