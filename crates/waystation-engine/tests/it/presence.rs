//! What processes tell of themselves.

use std::sync::Arc;

use serde_json::json;
use waystation_core::state::JobState;
use waystation_engine::control::WorkerKind;
use waystation_testing::faults::IgnoresCancellation;

use crate::world::{World, end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_tell_what_they_serve_and_have_in_hand_until_they_end() {
    let (handler, release) = IgnoresCancellation::new();
    let pipeline = "name: test\nstages: [{ id: a, type: x, concurrency: 3 }]";
    let mut world = World::new(pipeline, [("x", Arc::new(handler))]).await;
    world.options.drain = std::time::Duration::from_secs(20);
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    release.attempt_began().await;
    let workers = async || world.client.workers().await.expect("read");
    let has_it = async || {
        let workers = workers().await;
        workers.first().is_some_and(|one| one.jobs.iter().any(|job| job.job_id == job_id))
    };
    world.until("the job is told of", has_it).await;
    let told = workers().await.remove(0);
    assert_eq!((told.kind, told.in_flight, told.draining), (WorkerKind::Engine, 1, false));
    assert_eq!(told.pid, Some(std::process::id()));
    let serving = &told.serves[0];
    assert_eq!((serving.stage.as_str(), serving.queue.as_str()), ("a", "test.a"));
    assert_eq!((serving.concurrency, serving.in_flight), (Some(3), 1));
    assert_eq!((told.jobs[0].stage.as_str(), told.jobs[0].attempt), ("a", 1));
    if cfg!(target_os = "linux") {
        assert!(told.memory_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(told.cpu_seconds.is_some());
    }
    let explained = world.client.why(&job_id).await.expect("read").expect("known");
    assert!(explained.words[0].contains(&format!("runs on {}", told.worker_id)));
    engine.stop();
    let drains = async || workers().await.first().is_some_and(|one| one.draining);
    world.until("that it drains is told", drains).await;
    release.one();
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
    assert_eq!(workers().await, []);
}
