//! Engines and attempts that end before their time, in a process that lives on.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use waystation_core::event::EventKind::{Abandoned, Aborted, Created};
use waystation_core::handler::{Context, Handler, typed};
use waystation_core::port::Error;
use waystation_core::state::JobState;
use waystation_engine::{EngineError, Handle};
use waystation_testing::faults::{Call, Moment, NeverReturns};

use crate::world::{World, end};

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);
const PIPELINE: &str = "name: test\nstages:\n  - { id: work, type: work, concurrency: 2 }\n";

/// Never returns where the job has `patient` among its params.
fn patient_or_quick() -> Arc<dyn Handler> {
    Arc::new(typed(|_: Context, input: Map<String, Value>| async move {
        if input.contains_key("patient") {
            std::future::pending::<()>().await;
        }
        Ok(json!({}))
    }))
}

async fn broken(engine: Handle) -> EngineError {
    let ended = tokio::time::timeout(WAIT_MAX, engine.join()).await.expect("it ends");
    ended.expect_err("it ends before its time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_that_breaks_gives_back_what_it_had() {
    let world = World::new(PIPELINE, [("work", patient_or_quick())]).await;
    world.flaky.fail(Call::Settle, Moment::ForGood, 1);
    let running = world.submit(json!({ "patient": true })).await;
    let engine = world.start().await;
    world.reach(&running, JobState::Running).await;
    world.submit(json!({})).await;
    let error = broken(engine).await;
    assert!(matches!(error, EngineError::Backend(Error::Broken { .. })), "{error:?}");
    // One that ran, and one whose settlement was refused.
    assert_eq!(world.flaky.abandoned().len(), 2);
    assert_eq!(world.flaky.calls(Call::Leave), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_that_cannot_settle_gives_back_what_it_had() {
    let world = World::new(PIPELINE, [("work", patient_or_quick())]).await;
    world.flaky.fail(Call::Settle, Moment::Before, 1_000);
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Running).await;
    end(engine).await;
    assert_eq!(world.flaky.abandoned().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_that_ends_as_it_should_has_nothing_to_give_back() {
    let world = World::new(PIPELINE, [("work", Arc::new(NeverReturns))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Running).await;
    end(engine).await;
    assert_eq!(world.flaky.abandoned(), []);
}

/// Cannot be dropped in peace.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("not without me");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_that_breaks_gives_its_delivery_back() {
    let began = Arc::new(Notify::new());
    let begin = Arc::clone(&began);
    let handler = typed(move |_: Context, _: Value| {
        let (begin, guard) = (Arc::clone(&begin), PanicsWhenDropped);
        async move {
            let _guard = guard;
            begin.notify_one();
            std::future::pending::<()>().await;
            Ok(json!({}))
        }
    });
    let world = World::new(PIPELINE, [("work", Arc::new(handler))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    tokio::time::timeout(WAIT_MAX, began.notified()).await.expect("it begins");
    world.client.abort(&job_id, "enough").await.expect("asked");
    world.reach(&job_id, JobState::Aborted).await;
    assert_eq!(world.kinds(&job_id).await, [Created, Abandoned, Aborted]);
    assert_eq!(world.flaky.abandoned().len(), 1);
    end(engine).await;
}
