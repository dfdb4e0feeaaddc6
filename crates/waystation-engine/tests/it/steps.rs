//! Steps are done once in a stage run, however often its attempts are repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler, typed};
use waystation_core::state::JobState;
use waystation_core::{Params, step};

use crate::world::{World, end};

/// Does two steps, and breaks between them so many times.
struct TwoSteps {
    breaks: usize,
    attempts: AtomicUsize,
    first: AtomicUsize,
    second: AtomicUsize,
}

impl TwoSteps {
    fn new(breaks: usize) -> Arc<Self> {
        let (attempts, first, second) = Default::default();
        Arc::new(Self { breaks, attempts, first, second })
    }

    fn done(&self) -> [usize; 3] {
        [&self.attempts, &self.first, &self.second].map(|count| count.load(Ordering::SeqCst))
    }
}

#[async_trait::async_trait]
impl Handler for TwoSteps {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        let count = |count: &AtomicUsize| count.fetch_add(1, Ordering::SeqCst) + 1;
        let first = context.step("first", || async { Ok(count(&self.first)) }).await?;
        if attempt < self.breaks {
            return Err(Failure::transient("between the steps"));
        }
        let second = context.step("second", || async { Ok(count(&self.second)) }).await?;
        let rounds = params.get("rounds").and_then(Value::as_u64).unwrap_or(0) + 1;
        let output = json!({ "first": first, "second": second, "rounds": rounds });
        Ok(Completion::ok(output.as_object().cloned().unwrap_or_default()))
    }
}

const QUICK: &str = "name: test\nstages:\n  - { id: work, type: work, \
                     retry: { max_retries: 2, backoff: none } }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_attempt_skips_the_steps_that_are_done() {
    let handler = TwoSteps::new(2);
    let world = World::new(QUICK, [("work", handler.clone() as _)]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "first": 1, "second": 1, "rounds": 1 }));
    assert_eq!(handler.done(), [3, 1, 1]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letter_that_is_tried_again_goes_on_with_its_steps() {
    let handler = TwoSteps::new(6);
    let world = World::new(QUICK, [("work", handler.clone() as _)]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    for _ in 0..2 {
        world.reach(&job_id, JobState::Failed).await;
        world.client.retry(&job_id).await.expect("it lies with the dead letters");
    }
    world.reach(&job_id, JobState::Completed).await;
    assert_eq!(handler.done(), [7, 1, 1]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loop_that_comes_to_the_stage_anew_does_its_steps_anew() {
    let pipeline = "name: test\nstages: [{ id: work, type: work }]\nroutes:\n  \
                    - { from: work, to: work, when: rounds < 3, at_most: 9 }\n  \
                    - { from: work, to: done }\n";
    let handler = TwoSteps::new(0);
    let world = World::new(pipeline, [("work", handler.clone() as _)]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "first": 3, "second": 3, "rounds": 3 }));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_steps_end_the_job_and_say_why() {
    let handler = typed(|context: Context, params: Params| async move {
        let fill = |size: usize| move || async move { Ok("x".repeat(size)) };
        match params["wrong"].as_str() {
            Some("twice") => {
                context.step("a", fill(1)).await?;
                context.step("a", fill(1)).await?;
            }
            Some("large") => drop(context.step("a", fill(step::RESULT_BYTES_MAX)).await?),
            _ => drop(context.step("", fill(1)).await?),
        }
        Ok(json!({}))
    });
    let world = World::new(QUICK, [("work", Arc::new(handler) as _)]).await;
    let engine = world.start().await;
    for (wrong, kind, why) in [
        ("twice", ErrorKind::Permanent, "step `a` comes twice in one attempt"),
        ("large", ErrorKind::Contract, "is 262146 bytes, more than the 262144 that are kept"),
        ("unnamed", ErrorKind::Permanent, "step `` needs a name"),
    ] {
        let job_id = world.submit(json!({ "wrong": wrong })).await;
        let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(why), "{failure}");
    }
    end(engine).await;
}
