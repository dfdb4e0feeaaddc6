//! Stages that are passed by, and failures that are let pass.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::EventKind::{Completed, Created, Failed, Retried, Skipped, Started};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Handler};
use waystation_core::state::JobState;
use waystation_testing::faults::{FailsAtFirst, WrongOutput};

use crate::world::{World, end};

fn adds(name: &str) -> Arc<dyn Handler> {
    let Value::Object(output) = json!({ name: true }) else { unreachable!() };
    Arc::new(WrongOutput(Completion::ok(output)))
}

fn always_fails() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(1_000, Failure::transient("the service is busy")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stage_is_passed_by_unless_its_condition_holds() {
    let text = "name: test\nstages:\n  - { id: a, type: a, when: 'pages > 3', \
                required_params: [path] }\n  - { id: b, type: b, when: 'a == true' }\n  \
                - { id: c, type: c }";
    let world = World::new(text, [("a", adds("a")), ("b", adds("b")), ("c", adds("c"))]).await;
    let engine = world.start().await;
    let short = world.submit(json!({ "pages": 1, "path": "x" })).await;
    let job = world.reach(&short, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "pages": 1, "path": "x", "c": true }));
    assert_eq!(world.kinds(&short).await, [Created, Skipped, Skipped, Started, Completed]);
    let long = world.submit(json!({ "pages": 9, "path": "x" })).await;
    let job = world.reach(&long, JobState::Completed).await;
    let expected = json!({ "pages": 9, "path": "x", "a": true, "b": true, "c": true });
    assert_eq!(json!(job.params), expected);
    // A condition without an answer is no reason to go on.
    let wrong = world.submit(json!({ "pages": "many", "path": "x" })).await;
    let job = world.reach(&wrong, JobState::Failed).await;
    let failure = job.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Contract);
    assert!(failure.message.starts_with("`when` of stage `a`: "), "{}", failure.message);
    end(engine).await;
}

/// Attempts are made as ever; only what comes after the last one is otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_that_may_pass_leaves_the_params_as_they_came() {
    let text = "name: test\nstages:\n  \
                - { id: a, type: busy, on_failure: pass, retry: { max_retries: 1, \
                backoff: none } }\n  - { id: b, type: wrong, on_failure: pass, \
                output_params: [other], retry: { max_retries: 0 } }\n  - { id: c, type: c }";
    let handlers = [("busy", always_fails()), ("wrong", adds("b")), ("c", adds("c"))];
    let world = World::new(text, handlers).await;
    let engine = world.start().await;
    let job_id = world.submit(json!({ "n": 1 })).await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "n": 1, "c": true }));
    let expected =
        [Created, Started, Retried, Started, Completed, Started, Completed, Started, Completed];
    assert_eq!(world.kinds(&job_id).await, expected);
    let events = world.client.backend().store.events(&job_id).await.expect("events");
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| Some(event.detail.as_ref()?["failure"]["message"].as_str()?.to_owned()))
        .collect();
    assert!(told.iter().any(|message| message.contains("the service is busy")), "{told:?}");
    assert!(told.iter().any(|message| message.contains("other keys")), "{told:?}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_ends_the_job_elsewhere_as_ever() {
    let text = "name: test\nstages:\n  \
                - { id: a, type: busy, retry: { max_retries: 0 }, on_failure: fail }\n  \
                - { id: c, type: c }";
    let world = World::new(text, [("busy", always_fails()), ("c", adds("c"))]).await;
    let engine = world.start().await;
    let job_id = world.submit(json!(Params::new())).await;
    world.reach(&job_id, JobState::Failed).await;
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Failed]);
    end(engine).await;
}
