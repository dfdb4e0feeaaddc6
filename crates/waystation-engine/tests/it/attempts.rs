//! What comes of attempts: outputs, failures, retries, poison.

use std::sync::Arc;

use serde_json::json;
use waystation_core::event::EventKind::{Completed, Created, Failed, Retried, Started};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, typed};
use waystation_core::state::JobState;
use waystation_testing::faults::{Call, FailsAtFirst, Moment, NeverReturns, Panics, WrongOutput};

use crate::world::{World, end};

const QUICK_RETRY: &str = "retry: { max_retries: 2, backoff: none }";

fn one_stage(extra: &str) -> String {
    format!("name: test\nstages:\n  - {{ id: work, type: work, {extra} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typed_handler_adds_to_the_params() {
    let double =
        typed(|_: Context, input: serde_json::Map<String, serde_json::Value>| async move {
            Ok(json!({ "doubled": input["n"].as_i64().unwrap_or(0) * 2 }))
        });
    let pipeline = one_stage("output_params: [doubled]");
    let world = World::new(&pipeline, [("work", Arc::new(double))]).await;
    let job_id = world.submit(json!({ "n": 21, "kept": true })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "n": 21, "kept": true, "doubled": 42 }));
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Completed]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_twice_then_well_completes_with_a_fresh_count() {
    let handler = FailsAtFirst::new(2, Failure::transient("not yet"));
    let world = World::new(&one_stage(QUICK_RETRY), [("work", Arc::new(handler))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Completed).await;
    let expected = [Created, Started, Retried, Started, Retried, Started, Completed];
    assert_eq!(world.kinds(&job_id).await, expected);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_three_times_is_final_and_can_be_requeued() {
    let handler = FailsAtFirst::new(3, Failure::transient("still not"));
    let world = World::new(&one_stage(QUICK_RETRY), [("work", Arc::new(handler))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Failed).await;
    assert_eq!(job.failure.expect("a failure").message, "still not");
    world.client.retry(&job_id).await.expect("requeued");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(job.failure, None);
    assert!(world.client.retry(&job_id).await.is_err(), "there is no letter any more");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permanent_failures_are_tried_once() {
    let wrong = WrongOutput(Completion::ok(json!({ "x": 1 }).as_object().cloned().expect("map")));
    let cases: [(Arc<dyn waystation_core::handler::Handler>, &str, ErrorKind, &str); 3] = [
        (
            Arc::new(FailsAtFirst::new(9, Failure::new(ErrorKind::NotFound, "no image 7"))),
            "",
            ErrorKind::NotFound,
            "no image 7",
        ),
        (Arc::new(wrong), "output_params: [y]", ErrorKind::Contract, "missing y; extra x"),
        (
            Arc::new(WrongOutput(Completion::labelled("ko", waystation_core::Params::new()))),
            "",
            ErrorKind::Contract,
            "for outcome `ko`",
        ),
    ];
    for (handler, extra, kind, part) in cases {
        let world = World::new(&one_stage(extra), [("work", handler)]).await;
        let job_id = world.submit(json!({})).await;
        let engine = world.start().await;
        let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(part), "{failure}");
        assert_eq!(world.kinds(&job_id).await, [Created, Started, Failed]);
        end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_is_a_failure_and_harms_nobody() {
    let extra = "retry: { max_retries: 0 }";
    let world = World::new(&one_stage(extra), [("work", Arc::new(Panics("out of cheese")))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Panic);
    assert_eq!(failure.message, "handler panicked: out of cheese");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_that_takes_too_long_is_ended() {
    let extra = "timeout_seconds: 0.05, retry: { max_retries: 1, backoff: none }";
    let world = World::new(&one_stage(extra), [("work", Arc::new(NeverReturns))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Timeout);
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Retried, Started, Failed]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_settlements_lose_nothing_and_repeat_nothing() {
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(&one_stage(""), [("work", Arc::new(handler))]).await;
    world.flaky.fail(Call::Settle, Moment::Before, 2);
    world.flaky.fail(Call::Settle, Moment::After, 1);
    world.flaky.fail(Call::Receive, Moment::Before, 1);
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Completed]);
    assert_eq!(world.flaky.calls(Call::Settle), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_params_are_refused_at_submit_and_before_a_later_stage() {
    let pipeline = "name: test\nstages:\n\
        \x20 - { id: first, type: work, required_params: [a] }\n\
        \x20 - { id: second, type: work, required_params: [b] }\n";
    let handler = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(pipeline, [("work", Arc::new(handler))]).await;
    let submission = waystation_engine::Submission::default();
    let refused = world.client.submit(&world.definition, vec![submission]).await;
    let message = refused.expect_err("`a` is absent").to_string();
    assert!(message.contains("stage `first` requires params: `a` is absent"), "{message}");
    let job_id = world.submit(json!({ "a": 1 })).await;
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::MissingParam);
    assert!(failure.message.contains("stage `second` requires params: `b` is absent"), "{failure}");
    end(engine).await;
}
