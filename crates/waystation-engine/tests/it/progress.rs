//! How far an attempt is can be seen in the store, some seconds late.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Context, typed};
use waystation_core::state::JobState;

use crate::world::{World, end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_progress_is_on_the_job_while_it_runs() {
    let handler = typed(|context: Context, _: Params| async move {
        for percent in 0..50 {
            context.progress(f64::from(percent), "counting");
        }
        context.progress(100.0, "all but done");
        context.cancellation.cancelled().await;
        Err::<Params, _>(Failure::transient("told to stop"))
    });
    let pipeline = "name: test\nstages: [{ id: work, type: work }]\n";
    let world = World::new(pipeline, [("work", Arc::new(handler) as _)]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Running).await;
    let store = Arc::clone(&world.client.backend().store);
    let seen = async {
        loop {
            let job = store.job(&job_id).await.expect("it is looked up").expect("it is there");
            if let Some(progress) = job.progress {
                return progress;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(10), seen).await.expect("in time");
    assert_eq!((seen.message.as_str(), seen.attempt), ("all but done", 1));
    assert_eq!(seen.stage.as_str(), "work");
    end(engine).await;
}
