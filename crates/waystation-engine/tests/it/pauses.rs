//! What is paused or drained, and for how long.

use std::sync::Arc;

use serde_json::json;
use waystation_core::failure::Failure;
use waystation_core::handler::Handler;
use waystation_core::state::JobState;
use waystation_engine::control::{Mode, PauseError, Target};
use waystation_engine::{Client, Sources, Submission, SubmitError};
use waystation_testing::faults::{Call, FailsAtFirst, IgnoresCancellation};

use crate::world::{World, end};

const CHAIN: &str = "name: test\nstages: [{ id: a, type: x }, { id: b, type: x }]";

fn fine() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

fn target(text: &str) -> Target {
    Target::parse(text).expect("a target")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_stage_takes_nothing_until_it_is_resumed_also_over_a_restart() {
    let world = World::new(CHAIN, [("x", fine())]).await;
    for text in ["stage/test/b", "queue/test.b"] {
        let target = target(text);
        world.client.pause(target.clone(), Mode::Pause, "ann", "a look").await.expect("paused");
        let job_id = world.submit(json!({})).await;
        for _ in 0..2 {
            let engine = world.start().await;
            engine.until_idle().await.expect("idle");
            let job = world.job(&job_id).await;
            assert_eq!((job.state, job.stage.as_str()), (JobState::Queued, "b"), "{text}");
            end(engine).await;
        }
        let engine = world.start().await;
        let pauses = world.client.pauses().await.expect("read");
        assert_eq!((pauses.len(), pauses[0].by.as_str()), (1, "ann"));
        assert!(world.client.resume(&target).await.expect("resumed"));
        assert!(!world.client.resume(&target).await.expect("it was not paused"));
        world.reach(&job_id, JobState::Completed).await;
        end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_goes_on_when_its_pipeline_is_paused() {
    let (handler, release) = IgnoresCancellation::new();
    let chain = "name: test\nstages: [{ id: a, type: x, concurrency: 1 }]";
    let world = World::new(chain, [("x", Arc::new(handler))]).await;
    let engine = world.start().await;
    let first = world.submit(json!({})).await;
    release.attempt_began().await;
    let second = world.submit(json!({})).await;
    world.client.pause(target("pipeline/test"), Mode::Pause, "ann", "x").await.expect("paused");
    world.until("the engine knows", async || !engine.paused().is_empty()).await;
    let left = async || world.flaky.calls(Call::Leave) == 1;
    world.until("what was fetched ahead goes back", left).await;
    release.one();
    world.reach(&first, JobState::Completed).await;
    engine.until_idle().await.expect("idle");
    assert_eq!(world.job(&second).await.state, JobState::Queued);
    world.client.resume(&target("pipeline/test")).await.expect("resumed");
    release.attempt_began().await;
    release.one();
    world.reach(&second, JobState::Completed).await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drained_pipeline_takes_no_new_jobs_and_ends_the_old_ones() {
    let world = World::new(CHAIN, [("x", fine())]).await;
    let job_id = world.submit(json!({})).await;
    let drained = target("pipeline/test");
    world.client.pause(drained.clone(), Mode::Drain, "ann", "moving").await.expect("drained");
    let other = Client::new(world.client.backend().clone(), world.client.registry().clone());
    for client in [&world.client, &other] {
        let refused = client.submit(&world.definition, vec![Submission::default()]).await;
        let error = refused.expect_err("refused");
        assert!(matches!(error, SubmitError::Draining { .. }));
        assert_eq!(
            error.to_string(),
            "pipeline `test` takes no new jobs: ann drains it (moving) (hint: wait until it is \
             resumed)"
        );
    }
    let engine = world.start().await;
    world.reach(&job_id, JobState::Completed).await;
    world.client.resume(&drained).await.expect("resumed");
    let next = world.submit(json!({})).await;
    world.reach(&next, JobState::Completed).await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_of_paused_and_drained_pipelines_do_not_discover() {
    let found = "name: test\nstages: [{ id: find, type: finds }, { id: a, type: x }]";
    for sources in [Sources::Once, Sources::Continuous] {
        for (text, mode) in [
            ("pipeline/test", Mode::Drain),
            ("pipeline/test", Mode::Pause),
            ("stage/test/find", Mode::Pause),
        ] {
            let mut world = World::new(found, [("x", fine())]).await;
            world.options.sources = sources;
            world.client.pause(target(text), mode, "ann", "quiet").await.expect("paused");
            let engine = world.start().await;
            if sources == Sources::Once {
                engine.until_idle().await.expect("idle");
            } else {
                // Were it to discover, it would do so before this.
                let other = "name: other\nstages: [{ id: a, type: x }]";
                let beside = world.beside(other, [("x", fine())]).await;
                let engine = beside.start().await;
                let job_id = beside.submit(json!({})).await;
                beside.reach(&job_id, JobState::Completed).await;
                end(engine).await;
            }
            let counts = world.client.backend().store.counts(Some(&"test".into())).await;
            assert_eq!(counts.expect("counted"), [], "{text} {mode:?}");
            world.client.resume(&target(text)).await.expect("resumed");
            if sources == Sources::Continuous {
                let completed = async || {
                    let counts = world.client.backend().store.counts(Some(&"test".into())).await;
                    counts.expect("counted").iter().any(|one| one.state == JobState::Completed)
                };
                world.until("the item is found", completed).await;
            }
            end(engine).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_queue_goes_on_for_the_pipeline_that_is_not_paused() {
    let shared =
        |name: &str| format!("name: {name}\nstages: [{{ id: a, type: x, queue: shared }}]");
    let world = World::new(&shared("test"), [("x", fine())]).await;
    let other = world.beside(&shared("other"), [("x", fine())]).await;
    other.client.pause(target("stage/other/a"), Mode::Pause, "ann", "x").await.expect("paused");
    let theirs = other.submit(json!({})).await;
    let ours = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&ours, JobState::Completed).await;
    let job = world.reach(&theirs, JobState::Retrying).await;
    assert_eq!(job.deliveries, 0, "nothing is counted");
    let explained = world.client.why(&theirs).await.expect("read").expect("known");
    assert!(explained.words[0].starts_with("stage `a` of pipeline `other` is paused by ann"));
    assert!(explained.words[1].contains("put back uncounted"), "{:?}", explained.words);
    end(engine).await;
}

#[tokio::test]
async fn only_what_there_is_can_be_paused_and_only_pipelines_drained() {
    let world = World::new(CHAIN, [("x", fine())]).await;
    for (text, mode, expected) in [
        ("stage/test/z", Mode::Pause, "pipeline `test` has no stage `z` (its stages: a, b)"),
        ("pipeline/none", Mode::Pause, "pipeline `none` is unknown to this store"),
        ("stage/test/a", Mode::Drain, "stage/test/a cannot be drained, only a pipeline can"),
        ("queue/q", Mode::Drain, "queue/q cannot be drained"),
    ] {
        let refused = world.client.pause(target(text), mode, "ann", "x").await;
        let error: PauseError = refused.expect_err(text);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert_eq!(world.client.pauses().await.expect("read"), []);
}
