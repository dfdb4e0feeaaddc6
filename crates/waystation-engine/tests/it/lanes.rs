//! Bounded lanes: outsiders wait for room, workers never do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waystation_core::failure::Failure;
use waystation_core::handler::Handler;
use waystation_core::job::JobFilter;
use waystation_core::settlement::priority;
use waystation_core::state::JobState;
use waystation_engine::control::{Mode, Target};
use waystation_engine::sources::{CrawlState, SourceId};
use waystation_engine::{Full, Submission, SubmitError};
use waystation_testing::faults::FailsAtFirst;

use crate::world::{World, end};

const WAIT: Duration = Duration::from_secs(10);

fn fine() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

async fn submit(world: &World, count: usize, priority: i16) -> Result<usize, SubmitError> {
    let jobs = (0..count).map(|_| Submission { priority, ..Submission::default() }).collect();
    world.client.submit(&world.definition, jobs).await.map(|all| all.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_lane_refuses_outsiders_and_lets_priority_in() {
    let chain = "name: test\nstages: [{ id: a, type: x, lane_limit: 3 }]";
    let world = World::new(chain, [("x", fine())]).await;
    assert_eq!(submit(&world, 2, 0).await.expect("room"), 2);
    let full = submit(&world, 2, 0).await.expect_err("no room for two");
    let SubmitError::Full(full) = full else { panic!("{full}") };
    assert_eq!(full, Full { stage: "a".into(), waiting: 2, new: 2, limit: 3 });
    assert!(full.to_string().contains("2 jobs wait there, 2 more would be above its limit of 3"));
    assert_eq!(submit(&world, 1, 0).await.expect("room for one"), 1);
    assert!(submit(&world, 1, 0).await.is_err());
    assert_eq!(submit(&world, 5, priority::HIGH).await.expect("always"), 5);

    let engine = world.start().await;
    engine.until_idle().await.expect("idle");
    end(engine).await;
    assert_eq!(submit(&world, 9, 0).await.expect("more than all of it, where nothing waits"), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_room_gets_it_or_is_told_at_the_deadline() {
    let chain = "name: test\nstages: [{ id: a, type: x, lane_limit: 1 }]";
    let world = World::new(chain, [("x", fine())]).await;
    submit(&world, 1, 0).await.expect("room");
    let one = || vec![Submission::default()];
    let short = Duration::from_millis(50);
    let refused = world.client.submit_within(&world.definition, one(), short).await;
    assert!(matches!(refused, Err(SubmitError::Full(_))), "{refused:?}");

    let (client, definition) = (world.client.clone(), Arc::clone(&world.definition));
    let waiting = tokio::spawn(async move {
        client.submit_within(&definition, vec![Submission::default()], WAIT).await
    });
    let engine = world.start().await;
    let taken = waiting.await.expect("it ends").expect("there is room by then");
    let job_id = taken[0].clone().accepted().expect("a new job");
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_workers_make_and_pass_on_comes_in_over_the_limit() {
    let chain = "name: test\nstages: [{ id: a, type: x }, { id: b, type: x, lane_limit: 1 }]";
    let world = World::new(chain, [("x", fine())]).await;
    for _ in 0..5 {
        world.submit(json!({})).await;
    }
    let engine = world.start().await;
    engine.until_idle().await.expect("nobody waits for himself");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_waits_for_room_with_what_it_found() {
    let chain = "name: test\nstages: [{ id: find, type: finds, \
                 schedule: { every_seconds: 3600 } }, \
                 { id: a, type: x, lane_limit: 1 }]";
    let world = World::new(chain, [("x", fine())]).await;
    world.submit_at("a", json!({})).await;
    let target = Target::parse("stage/test/a").expect("a target");
    world.client.pause(target.clone(), Mode::Pause, "ann", "to fill it").await.expect("paused");
    let engine = world.start().await;
    let id = SourceId { pipeline: "test".into(), stage: "find".into() };
    let crawl = async || world.client.source(&id).await.expect("read").last;
    world.until("it looks", async || crawl().await.is_some()).await;
    assert!(world.client.resume(&target).await.expect("resumed"));
    let resumed_at = world.client.backend().clock.now();
    let is_over = async || crawl().await.is_some_and(|last| last.state == CrawlState::Completed);
    world.until("it is through", is_over).await;
    let page = world
        .client
        .backend()
        .store
        .jobs(JobFilter { limit: 10, ..JobFilter::default() })
        .await
        .expect("read");
    assert_eq!(page.jobs.len(), 2);
    assert!(page.jobs[0].created_at >= resumed_at, "there was no room for it before");
    end(engine).await;
}
