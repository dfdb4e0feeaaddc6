//! Stages that take jobs by key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::state::JobState;
use waystation_engine::{Submission, SubmitError};

use crate::world::{World, end};

/// Notes which numbers come in of which key, fails one of them at first, and sees that no key is
/// worked on twice at a time.
#[derive(Default)]
struct Ledger {
    came: Mutex<HashMap<String, Vec<u64>>>,
    busy: Mutex<HashMap<String, u64>>,
    /// A key was worked on twice at a time.
    overlapped: AtomicBool,
    /// The number that fails, until its last attempt.
    fails: Option<u64>,
}

#[async_trait]
impl Handler for Ledger {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let key = params["key"].as_str().expect("a text").to_owned();
        let number = params["n"].as_u64().expect("a number");
        let before = self.busy.lock().expect("whole").insert(key.clone(), number);
        // A panic here would be an attempt that failed, and nothing more.
        self.overlapped.fetch_or(before.is_some(), Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.busy.lock().expect("whole").remove(&key);
        if self.fails == Some(number) && context.attempt < 3 {
            return Err(Failure::transient("not yet"));
        }
        self.came.lock().expect("whole").entry(key).or_default().push(number);
        Ok(Completion::default())
    }
}

fn pipeline(stage: &str) -> String {
    format!(
        "name: test\nstages: [{{ id: apply, type: x, concurrency: 8, {stage}, \
         retry: {{ max_retries: 5, backoff: fixed, delay_seconds: 0.02 }} }}]"
    )
}

async fn run(stage: &str, fails: Option<u64>) -> HashMap<String, Vec<u64>> {
    let ledger = Arc::new(Ledger { fails, ..Ledger::default() });
    let world = World::new(&pipeline(stage), [("x", Arc::clone(&ledger) as Arc<_>)]).await;
    for n in 0..60 {
        let key = ["a", "b", "c"][n % 3];
        world.submit(json!({ "key": key, "n": n })).await;
    }
    let engine = world.start().await;
    engine.until_idle().await.expect("idle");
    end(engine).await;
    assert!(!ledger.overlapped.load(Ordering::Relaxed), "one of a key at a time");
    ledger.came.lock().expect("whole").clone()
}

fn in_order(first: u64) -> Vec<u64> {
    (first..60).step_by(3).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_key_run_one_at_a_time_in_order_also_when_one_is_tried_again() {
    let came = run("key: key", Some(9)).await;
    for (key, first) in [("a", 0), ("b", 1), ("c", 2)] {
        assert_eq!(came[key], in_order(first), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_steps_aside_comes_later_and_the_rest_keeps_its_order() {
    let came = run("key: { by: key, on_failure: skip }", Some(9)).await;
    let mut stepped = came["a"].clone();
    let place = stepped.iter().position(|n| *n == 9).expect("it came");
    assert!(place > 3, "others went before it: {stepped:?}");
    stepped.remove(place);
    let expected: Vec<u64> = in_order(0).into_iter().filter(|n| *n != 9).collect();
    assert_eq!(stepped, expected);
    assert_eq!(came["b"], in_order(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_without_a_key_is_refused_or_fails_where_it_comes_to_the_stage() {
    let ledger = || Arc::new(Ledger::default()) as Arc<dyn Handler>;
    let chain = "name: test\nstages: [{ id: first, type: pass }, { id: apply, type: x, key: key }]";
    let pass = Arc::new(Passes) as Arc<dyn Handler>;
    let world = World::new(chain, [("x", ledger()), ("pass", pass)]).await;
    let Value::Object(params) = json!({ "n": 1 }) else { unreachable!() };
    let entry = Some("apply".into());
    let submission = Submission { params, entry, ..Submission::default() };
    let refused = world.client.submit(&world.definition, vec![submission]).await;
    let Err(SubmitError::Params(failure)) = refused else { panic!("{refused:?}") };
    let why = "stage `apply`: key `key` gives Null, and must give a text, a whole number or a \
               boolean";
    assert_eq!(failure.message, why);

    let job_id = world.submit(json!({ "n": 1 })).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Failed).await;
    let failure = world.job(&job_id).await.failure.expect("it failed");
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Contract, why));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_that_came_past_the_order_lines_up() {
    let ledger = Arc::new(Ledger::default());
    let world = World::new(&pipeline("key: key"), [("x", Arc::clone(&ledger) as Arc<_>)]).await;
    world.submit(json!({ "key": "a", "n": 1 })).await;
    let body = json!({ "job_id": "foreign", "params": { "key": "a", "n": 2 } }).to_string();
    world.put(&"foreign".into(), "apply", "test.apply", body.into_bytes()).await;
    let engine = world.start().await;
    world.reach(&"foreign".into(), JobState::Completed).await;
    end(engine).await;
    assert_eq!(ledger.came.lock().expect("whole")["a"], [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_behind_others_says_which() {
    let ledger = Arc::new(Ledger::default()) as Arc<dyn Handler>;
    let world = World::new(&pipeline("key: key"), [("x", ledger)]).await;
    let first = world.submit(json!({ "key": "a", "n": 1 })).await;
    let second = world.submit(json!({ "key": "a", "n": 2 })).await;
    let told = world.client.why(&second).await.expect("read").expect("it is there");
    let expected = format!("waits for job `{first}` before it with the same key `a`");
    assert_eq!(told.words.last(), Some(&expected), "{:?}", told.words);
}

/// Does nothing.
struct Passes;

#[async_trait]
impl Handler for Passes {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        Ok(Completion::default())
    }
}
