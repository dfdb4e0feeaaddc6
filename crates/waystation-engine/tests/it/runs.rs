//! Jobs of one key that a worker takes at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Semaphore;
use waystation_core::Params;
use waystation_core::event::EventKind::{Aborted, Completed, Created, HandedBack, Started};
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_core::state::JobState;
use waystation_engine::Handle;
use waystation_testing::faults::Call;

use crate::world::{World, end};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Notes what comes, and how much of it at a time.
struct Line {
    /// What was done, by key and number.
    came: Mutex<Vec<(String, u64)>>,
    /// At this number it waits until it is let go, or told to stop.
    waits: Option<u64>,
    let_go: Semaphore,
    /// At this number it panics at first.
    panics: Option<u64>,
    panicked: AtomicBool,
    at_work: AtomicUsize,
    most_at_work: AtomicUsize,
}

impl Line {
    fn new(waits: Option<u64>, panics: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            came: Mutex::default(),
            waits,
            let_go: Semaphore::new(0),
            panics,
            panicked: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            most_at_work: AtomicUsize::new(0),
        })
    }

    fn numbers(&self, key: &str) -> Vec<u64> {
        let came = self.came.lock().expect("whole");
        came.iter().filter(|(of, _)| of == key).map(|(_, number)| *number).collect()
    }
}

#[async_trait]
impl Handler for Line {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let number = params["n"].as_u64().expect("a number");
        let now = self.at_work.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_work.fetch_max(now, Ordering::Relaxed);
        tokio::task::yield_now().await;
        if self.waits == Some(number) {
            tokio::select! {
                permit = self.let_go.acquire() => permit.expect("open").forget(),
                () = context.cancellation.cancelled() => {
                    return Err(Failure::transient("told to stop"));
                }
            }
        }
        self.at_work.fetch_sub(1, Ordering::Relaxed);
        let is_well = self.panics != Some(number) || self.panicked.swap(true, Ordering::Relaxed);
        assert!(is_well, "it panics once");
        let key = params["key"].as_str().expect("a text").to_owned();
        self.came.lock().expect("whole").push((key, number));
        Ok(Completion::default())
    }
}

/// A world in which jobs of each key wait, numbered over all keys, and an engine.
async fn start(line: &Arc<Line>, keys: usize, jobs: u64) -> (World, Vec<JobId>, Handle) {
    let pipeline = "name: test\nstages: [{ id: apply, type: x, concurrency: 2, \
         key: { by: key, together: 6 }, \
         retry: { max_retries: 5, backoff: fixed, delay_seconds: 0.02 } }]";
    let world = World::new(pipeline, [("x", Arc::clone(line) as Arc<_>)]).await;
    let mut ids = Vec::new();
    for n in 0..jobs {
        let key = KEYS[n as usize % keys];
        ids.push(world.submit(json!({ "key": key, "n": n })).await);
    }
    let engine = world.start().await;
    (world, ids, engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_takes_one_place_of_the_concurrency_and_keeps_its_order() {
    let line = Line::new(None, None);
    let (_world, _, engine) = start(&line, 4, 80).await;
    engine.until_idle().await.expect("idle");
    end(engine).await;
    for (first, key) in KEYS.iter().enumerate() {
        let expected: Vec<u64> = (first as u64..80).step_by(4).collect();
        assert_eq!(line.numbers(key), expected, "{key}");
    }
    assert!(line.most_at_work.load(Ordering::Relaxed) <= 2, "no more attempts than allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_within_a_run_is_tried_again_before_the_rest() {
    let line = Line::new(None, Some(3));
    let (world, ids, engine) = start(&line, 1, 12).await;
    engine.until_idle().await.expect("idle");
    end(engine).await;
    assert_eq!(line.numbers("a"), (0..12).collect::<Vec<_>>());
    assert_eq!(world.kinds(&ids[4]).await, [Created, Started, Completed], "nothing is told of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_within_a_run_gives_back_the_rest_uncounted() {
    let line = Line::new(Some(2), None);
    let (world, ids, engine) = start(&line, 1, 8).await;
    world
        .until("the first have ended", async || is(&world, &ids[1], JobState::Completed).await)
        .await;
    world.until("the next one runs", async || line.at_work.load(Ordering::Relaxed) == 1).await;
    end(engine).await;
    for (job_id, kinds) in [(&ids[2], &[Created, Started, HandedBack][..]), (&ids[3], &[Created])] {
        let job = world.job(job_id).await;
        assert_eq!((job.state, job.deliveries), (JobState::Queued, 0));
        assert_eq!(world.kinds(job_id).await, kinds);
    }
    line.let_go.add_permits(1);
    let engine = world.start().await;
    world.reach(&ids[7], JobState::Completed).await;
    end(engine).await;
    assert_eq!(line.numbers("a"), (0..8).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_is_aborted_before_its_turn_in_a_run_is_not_begun() {
    let line = Line::new(Some(0), None);
    let (world, ids, engine) = start(&line, 1, 4).await;
    world.until("the run is out", async || is(&world, &ids[2], JobState::Running).await).await;
    let answer = world.client.abort(&ids[2], "changed my mind").await.expect("asked");
    assert_eq!(answer, Abort::Requested);
    // Its worker is told when leases are renewed, if not before. The second time the first is over.
    let renewed = world.flaky.calls(Call::Extend);
    let is_told = async || world.flaky.calls(Call::Extend) >= renewed + 2;
    world.until("the leases are renewed", is_told).await;
    line.let_go.add_permits(1);
    world.reach(&ids[3], JobState::Completed).await;
    assert_eq!(world.job(&ids[2]).await.state, JobState::Aborted);
    assert_eq!(world.kinds(&ids[2]).await.last(), Some(&Aborted));
    end(engine).await;
    assert_eq!(line.numbers("a"), [0, 1, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_of_a_run_is_settled_while_the_rest_goes_on() {
    let line = Line::new(Some(5), None);
    let (world, ids, engine) = start(&line, 1, 12).await;
    for job_id in &ids[..5] {
        world.reach(job_id, JobState::Completed).await;
    }
    assert_eq!(world.job(&ids[5]).await.state, JobState::Running);
    line.let_go.add_permits(1);
    world.reach(&ids[11], JobState::Completed).await;
    end(engine).await;
    assert_eq!(line.numbers("a"), (0..12).collect::<Vec<_>>());
}

async fn is(world: &World, job_id: &JobId, state: JobState) -> bool {
    world.job(job_id).await.state == state
}
