//! Jobs that are to have ended at a moment.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind::{Created, Failed, Requeued, Retried, Started};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_engine::Submission;
use waystation_engine::decide::Answer;
use waystation_testing::faults::{FailsAtFirst, NeverReturns};

use crate::world::{World, end};

/// Gives the deadline that its context tells.
struct TellsDeadline;

#[async_trait]
impl Handler for TellsDeadline {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        let deadline = context.deadline.map(|moment| moment.to_string());
        let told = json!({ "told": deadline });
        Ok(Completion::ok(told.as_object().cloned().unwrap_or_default()))
    }
}

fn in_time(world: &World, milliseconds: u64) -> Timestamp {
    world.client.backend().clock.now().plus(Duration::from_millis(milliseconds))
}

/// Waits until this moment has come.
async fn come(world: &World, moment: Timestamp) {
    let now = || world.client.backend().clock.now();
    while now() < moment {
        tokio::time::sleep(moment.since(now())).await;
    }
}

async fn submit(world: &World, deadline: Timestamp) -> JobId {
    submit_with(world, deadline, Params::new()).await
}

async fn submit_with(world: &World, deadline: Timestamp, params: Params) -> JobId {
    let submission = Submission { params, deadline: Some(deadline), ..Submission::default() };
    let answers = world.client.submit(&world.definition, vec![submission]).await;
    answers.expect("submitted").remove(0).accepted().expect("created")
}

fn one_stage(extra: &str) -> String {
    format!("name: test\nstages:\n  - {{ id: work, type: work, {extra} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_is_told_the_earlier_of_timeout_and_deadline() {
    for (timeout, of_job) in [("timeout_seconds: 3600", true), ("timeout_seconds: 5", false)] {
        let world = World::new(&one_stage(timeout), [("work", Arc::new(TellsDeadline))]).await;
        let deadline = in_time(&world, 60_000);
        let job_id = submit(&world, deadline).await;
        let engine = world.start().await;
        let job = world.reach(&job_id, JobState::Completed).await;
        let told = job.params["told"].as_str().and_then(Timestamp::parse).expect("a moment");
        assert_eq!(told == deadline, of_job, "{told}");
        assert!(told <= deadline, "{told}");
        end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_is_ended_at_the_deadline_and_not_made_again() {
    let extra = "retry: { max_retries: 5, backoff: none }";
    let world = World::new(&one_stage(extra), [("work", Arc::new(NeverReturns))]).await;
    let deadline = in_time(&world, 1_000);
    let job_id = submit(&world, deadline).await;
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Timeout);
    let expected = format!("stage `work` was still at work at the job's deadline {deadline}");
    assert_eq!(failure.message, expected);
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Failed]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_comes_too_late_fails_at_once_and_can_be_tried_again() {
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(&one_stage(""), [("work", Arc::new(handler))]).await;
    let deadline = in_time(&world, 300);
    let job_id = submit(&world, deadline).await;
    come(&world, deadline).await;
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Timeout);
    let expected = format!("the job came to stage `work` after its deadline {deadline}");
    assert_eq!(failure.message, expected);
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Failed]);

    world.client.retry(&job_id).await.expect("tried again");
    world.reach(&job_id, JobState::Completed).await;
    assert_eq!(world.kinds(&job_id).await[3], Requeued);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_that_would_come_too_late_fails_instead() {
    let handler = FailsAtFirst::new(2, Failure::transient("busy").retry_after(Duration::ZERO));
    let extra = "retry: { max_retries: 5, backoff: fixed, delay_seconds: 3600 }";
    let world = World::new(&one_stage(extra), [("work", Arc::new(handler))]).await;
    let early = submit(&world, in_time(&world, 60_000)).await;
    let engine = world.start().await;
    let failure = world.reach(&early, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Transient);
    assert!(failure.message.starts_with("busy (not tried again: the next"), "{failure}");
    assert_eq!(world.kinds(&early).await, [Created, Started, Failed]);

    let late = submit(&world, in_time(&world, 2 * 3_600_000)).await;
    world.reach(&late, JobState::Retrying).await;
    assert_eq!(world.kinds(&late).await, [Created, Started, Retried]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_have_the_deadline_of_their_parent() {
    let pipeline = "
name: test
stages:
  - { id: cut, type: work }
  - { id: look, type: manual }
  - { id: count, type: work, join: all }
routes:
  - { from: cut, to: look, each: tiles }
  - { from: look, to: count }
";
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(pipeline, [("work", Arc::new(handler))]).await;
    let deadline = in_time(&world, 60_000);
    let params = json!({ "tiles": [1, 2] }).as_object().cloned().expect("an object");
    let job_id = submit_with(&world, deadline, params).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Waiting).await;
    for child in ["0", "1"] {
        let child = world.job(&format!("{job_id}.1-{child}").as_str().into()).await;
        let contract = Contract::parse(&child.body).expect("a contract");
        assert_eq!(contract.deadline, Some(deadline));
    }
    end(engine).await;
}

/// Nobody looks at a job that waits for a person: it is found late when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_waits_is_found_late_when_it_goes_on() {
    let pipeline =
        "name: test\nstages:\n  - { id: ask, type: manual }\n  - { id: work, type: work }";
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(pipeline, [("work", Arc::new(handler))]).await;
    let deadline = in_time(&world, 300);
    let job_id = submit(&world, deadline).await;
    let engine = world.start().await;
    come(&world, deadline).await;
    assert_eq!(world.job(&job_id).await.state, JobState::Waiting);
    let tasks = world
        .client
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(1))
        .await
        .expect("listed");
    let answer = Answer { fields: Params::new(), by: None };
    world.client.answer(tasks[0].task_id, answer).await.expect("answered");
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert!(failure.message.starts_with("the job came to stage `work` after"), "{failure}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_without_time_before_it_is_refused() {
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(&one_stage(""), [("work", Arc::new(handler))]).await;
    let now = in_time(&world, 0);
    let cases = [
        (now, None, "is not after the moment at which the job can begin"),
        (now.plus(Duration::from_mins(1)), Some(now.plus(Duration::from_mins(2))), "can begin, "),
        (Timestamp(i64::MAX), None, "cannot be written as a date"),
    ];
    for (deadline, not_before, part) in cases {
        let deadline = Some(deadline);
        let submission = Submission { deadline, not_before, ..Submission::default() };
        let refused = world.client.submit(&world.definition, vec![submission]).await;
        let message = refused.expect_err(part).to_string();
        assert!(message.contains(part), "{message}");
    }
}
