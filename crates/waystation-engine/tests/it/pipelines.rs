//! A process that runs whatever pipelines its store has.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use waystation_core::failure::Failure;
use waystation_core::handler::Handler;
use waystation_core::state::JobState;
use waystation_engine::control::Crew;
use waystation_engine::{Pipelines, Role};
use waystation_testing::faults::FailsAtFirst;

use crate::world::World;

fn fine() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_versions_are_taken_up_and_one_that_cannot_run_stops_no_other() {
    let chain = "name: test\nstages: [{ id: a, type: x }]";
    let world = World::new(chain, [("x", fine())]).await;
    let backend = world.client.backend().clone();
    let bad = "name: bad\nstages: [{ id: a, type: nobody-knows }]";
    backend.store.put_pipeline(&"bad".into(), bad).await.expect("kept");
    let (crew, drain) = (Crew::new(), CancellationToken::new());
    let pipelines = Pipelines {
        backend: backend.clone(),
        registry: world.client.registry().clone(),
        only: Vec::new(),
        role: Role::Processing,
        options: world.options.clone(),
        crew: crew.clone(),
    };
    let running = tokio::spawn(pipelines.run(drain.clone()));
    let job_id = world.submit(json!({})).await;
    world.reach(&job_id, JobState::Completed).await;
    let fault = crew.doing().faults.pop().expect("it is told of the other one");
    assert_eq!(fault.pipeline.as_str(), "bad");
    assert!(fault.message.contains("unknown type `nobody-knows`"), "{}", fault.message);

    let good = "name: bad\nstages: [{ id: a, type: x }]";
    let chain = "name: test\nstages: [{ id: a, type: x }, { id: b, type: x }]";
    let newer = world.beside(chain, [("x", fine())]).await;
    backend.store.put_pipeline(&"bad".into(), good).await.expect("kept");
    world.until("the other one runs", async || crew.doing().faults.is_empty()).await;
    let job_id = newer.submit(json!({})).await;
    assert_eq!(newer.reach(&job_id, JobState::Completed).await.stage.as_str(), "b");
    let serves = crew.doing().serves;
    assert!(serves.iter().any(|serving| serving.pipeline.as_str() == "bad"), "{serves:?}");
    drain.cancel();
    running.await.expect("it does not break").expect("it ends well");
    assert!(crew.doing().serves.is_empty(), "nobody works any more");
}
