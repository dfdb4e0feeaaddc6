//! Failed jobs that are tried again from elsewhere, or with other params.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_engine::{RetryWith, Submission};

use crate::world::{World, end};

const CHAIN: &str = "
name: test
stages:
  - { id: find, type: finds }
  - { id: a, type: wants }
  - { id: b, type: wants, required_params: [n] }
  - { id: c, type: wants }
";

/// Looks at `n` in a step, and fails at the stage that `bad` names. Gives what the step saw.
struct Wants;

#[async_trait]
impl Handler for Wants {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let look = || async { Ok(params.get("n").cloned().unwrap_or_default()) };
        let seen: Value = context.step("look", look).await?;
        if params.get("bad") == Some(&json!(context.stage)) {
            return Err(Failure::new(ErrorKind::Permanent, "bad"));
        }
        let output = [(context.stage.to_string(), seen)].into_iter().collect();
        Ok(Completion::ok(output))
    }
}

fn params(value: Value) -> Params {
    let Value::Object(params) = value else { panic!("params are an object") };
    params
}

async fn world_with(params: Value) -> (World, JobId) {
    let world = World::new(CHAIN, [("wants", Arc::new(Wants))]).await;
    let job_id = world.submit(params).await;
    (world, job_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edited_params_take_no_step_for_done_that_others_were_given_for() {
    let (world, job_id) = world_with(json!({ "n": 1, "bad": "b" })).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Failed).await;
    let how = RetryWith {
        params: Some(params(json!({ "n": 2 }))),
        by: Some("ann".into()),
        ..RetryWith::default()
    };
    world.client.retry_with(&job_id, how).await.expect("tried again");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "n": 2, "b": 2, "c": 2 }));
    let events = world.client.backend().store.events(&job_id).await.expect("read");
    let requeued = events.iter().find(|event| event.kind == EventKind::Requeued).expect("told");
    assert_eq!(requeued.detail, Some(json!({ "by": "ann", "edited": true })));
    assert_eq!(requeued.stage.as_str(), "b");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_goes_on_from_the_stage_that_is_named() {
    for (from, gives) in
        [("a", json!({ "n": 2, "a": 2, "b": 2, "c": 2 })), ("c", json!({ "n": 2, "c": 2 }))]
    {
        let (world, job_id) = world_with(json!({ "n": 1, "bad": "b" })).await;
        let engine = world.start().await;
        world.reach(&job_id, JobState::Failed).await;
        let how = RetryWith {
            from: Some(from.into()),
            params: Some(params(json!({ "n": 2 }))),
            by: None,
        };
        world.client.retry_with(&job_id, how).await.expect("tried again");
        let job = world.reach(&job_id, JobState::Completed).await;
        assert_eq!(json!(job.params), gives);
        let events = world.client.backend().store.events(&job_id).await.expect("read");
        let requeued = events.iter().find(|event| event.kind == EventKind::Requeued);
        let detail = requeued.expect("told").detail.clone();
        assert_eq!(detail, Some(json!({ "from": from, "edited": true })));
        end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stage_before_the_entry_does_not_pass_a_job_by_that_is_sent_back_there() {
    let (world, _) = world_with(json!({})).await;
    let submission = Submission {
        entry: Some("b".into()),
        params: params(json!({ "n": 1, "bad": "b" })),
        ..Submission::default()
    };
    let answers = world.client.submit(&world.definition, vec![submission]).await;
    let job_id = answers.expect("submitted").remove(0).accepted().expect("created");
    let engine = world.start().await;
    world.reach(&job_id, JobState::Failed).await;
    let how =
        RetryWith { from: Some("a".into()), params: Some(params(json!({ "n": 2 }))), by: None };
    world.client.retry_with(&job_id, how).await.expect("tried again");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(job.params["a"], json!(2));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_tried_again_says_what_can_be_done() {
    let (world, job_id) = world_with(json!({ "n": 1, "bad": "b" })).await;
    let fine = world.submit(json!({ "n": 1 })).await;
    let gone = world.submit(json!({ "n": 1 })).await;
    world.client.abort(&gone, "not wanted").await.expect("aborted");
    let waiting = Submission {
        not_before: Some(waystation_core::clock::Timestamp(i64::MAX / 2)),
        job_id: Some("later".into()),
        ..Submission::default()
    };
    world.client.submit(&world.definition, vec![waiting]).await.expect("submitted");
    let engine = world.start().await;
    world.reach(&job_id, JobState::Failed).await;
    world.reach(&fine, JobState::Completed).await;
    end(engine).await;
    let refused = async |job_id: &JobId, how: RetryWith| {
        let refused = world.client.retry_with(job_id, how).await;
        refused.expect_err("refused").to_string()
    };
    let submit = "only a failed job is tried again (hint: submit it again as a new job)";
    for (job_id, expected) in [
        (&fine, format!("job {fine} is completed, not failed: {submit}")),
        (&gone, format!("job {gone} is aborted, not failed: {submit}")),
        (&"later".into(), "job later is delayed, not failed: it has not ended".to_owned()),
        (&"none".into(), "there is no job none in this store".to_owned()),
    ] {
        let message = refused(job_id, RetryWith::default()).await;
        assert!(message.starts_with(&expected), "{message}");
    }
    let from = |stage: &str| RetryWith { from: Some(stage.into()), ..RetryWith::default() };
    for stage in ["z", "find"] {
        let expected = format!(
            "job {job_id} cannot be tried again: its pipeline has no stage `{stage}` that jobs \
             come to (its stages: a, b, c)"
        );
        assert_eq!(refused(&job_id, from(stage)).await, expected);
    }
    let with = |value: Value| RetryWith { params: Some(params(value)), ..RetryWith::default() };
    let message = refused(&job_id, with(json!({}))).await;
    assert!(message.ends_with("stage `b` requires params: `n` is absent"), "{message}");
    let message = refused(&job_id, with(json!({ "n": "x".repeat(300_000) }))).await;
    assert!(message.contains("more than the 262144 allowed"), "{message}");
    assert_eq!(world.job(&job_id).await.state, JobState::Failed, "its letter stays");
    world.client.drop_dead_as(&job_id, "ann").await.expect("dropped");
    let message = refused(&job_id, RetryWith::default()).await;
    assert!(message.contains("is not with the dead letters: its letter was dropped"), "{message}");
    let events = world.client.backend().store.events(&job_id).await.expect("read");
    assert_eq!(events.last().and_then(|last| last.detail.clone()), Some(json!({ "by": "ann" })));
}
