//! Stages as their authors write them: what they need is there, and what they give is what they
//! said. The cases are the vectors of the chain that the contract comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{
    Context, Handler, Service, Validator, check, check_async, required, service, typed,
};
use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_engine::Submission;

use crate::world::{World, end};

/// `detect` as a service that fails a few times first. Its next stage is somebody else's, so that
/// what was forwarded can be looked at.
struct Detect {
    calls: Arc<AtomicUsize>,
    fails: usize,
    returns: Value,
}

#[async_trait]
impl Service for Detect {
    fn stage_name(&self) -> &'static str {
        "detect"
    }

    fn required_params(&self) -> Vec<(&'static str, Box<dyn Validator>)> {
        vec![("image_id", Box::new(required()))]
    }

    fn output_params(&self) -> Vec<&'static str> {
        vec!["detection_run_id"]
    }

    async fn process(&self, _: Context, _: Params) -> Result<Params, Failure> {
        if self.calls.fetch_add(1, Ordering::SeqCst) < self.fails {
            return Err(Failure::new(ErrorKind::Error, "out of memory"));
        }
        Ok(self.returns.as_object().cloned().expect("an object"))
    }
}

const CHAIN: &str = "
name: images
stages:
  - { id: detect, type: detect, queue: raw_images, retry: { max_retries: 2, backoff: none } }
  - { id: predict, type: manual, form: {} }
";

const VECTOR: &str = r#"{"job_id":"9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1","entry_stage":"detect",
    "exit_stage":"predict","retry_count":0,"params":{"image_id":"img_123"}}"#;

/// Puts a contract into the queue as any program could, and waits for the state.
async fn run(
    contract: &str,
    fails: usize,
    returns: Value,
    state: JobState,
) -> (usize, Value, World) {
    let calls = Arc::new(AtomicUsize::new(0));
    let detect = service(Detect { calls: Arc::clone(&calls), fails, returns });
    let world = World::new(CHAIN, [("detect", Arc::new(detect))]).await;
    let body: Value = serde_json::from_str(contract).expect("JSON");
    let job_id = JobId::from(body["job_id"].as_str().expect("an id"));
    world.put(&job_id, "detect", "raw_images", contract.into()).await;
    let engine = world.start().await;
    let body = world.reach(&job_id, state).await.body;
    end(engine).await;
    let body = serde_json::from_slice(&body).expect("a contract");
    (calls.load(Ordering::SeqCst), body, world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stage_gives_is_forwarded_with_everything_else() {
    let found = || json!({ "detection_run_id": "det_456" });
    let (_, body, _) = run(VECTOR, 0, found(), JobState::Waiting).await;
    let mut expected: Value = serde_json::from_str(VECTOR).expect("JSON");
    expected["params"] = json!({ "image_id": "img_123", "detection_run_id": "det_456" });
    assert_eq!(body, expected);
    let strange = VECTOR.replacen('{', r#"{"trace":{"id":[1,2.5,null]},"#, 1);
    let (_, body, _) = run(&strange, 0, found(), JobState::Waiting).await;
    assert_eq!(body["trace"], json!({ "id": [1, 2.5, null] }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_keys_than_promised_end_the_job_at_once() {
    let (calls, _, world) = run(VECTOR, 0, json!({ "wrong_key": 1 }), JobState::Failed).await;
    let job = world.job(&"9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1".into()).await;
    let failure = job.failure.expect("a failure");
    assert_eq!((calls, failure.kind), (1, ErrorKind::Contract));
    assert!(failure.message.contains("missing detection_run_id; extra wrong_key"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_ends_the_job_before_the_work() {
    for (params, part) in [
        ("{}", "`image_id` is absent"),
        (r#"{"image_id":""}"#, "param `image_id` of stage `detect` is an empty text"),
        (r#"{"image_id":null}"#, "param `image_id` of stage `detect` is null"),
    ] {
        let contract = VECTOR.replace(r#"{"image_id":"img_123"}"#, params);
        let (calls, _, world) = run(&contract, 0, json!({}), JobState::Failed).await;
        let job = world.job(&"9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1".into()).await;
        let failure = job.failure.expect("a failure");
        assert_eq!((calls, failure.kind), (0, ErrorKind::MissingParam));
        assert!(failure.message.contains(part), "{failure}");
    }
    let blank = VECTOR.replace("img_123", " ");
    let (calls, ..) = run(&blank, 0, json!({ "detection_run_id": "d" }), JobState::Waiting).await;
    assert_eq!(calls, 1, "a blank is a text");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_failures_are_tried_three_times() {
    let found = || json!({ "detection_run_id": "det_456" });
    let (calls, _, _) = run(VECTOR, 3, found(), JobState::Failed).await;
    assert_eq!(calls, 3);
    let (calls, body, _) = run(VECTOR, 2, found(), JobState::Waiting).await;
    assert_eq!((calls, &body["retry_count"]), (3, &json!(0)));
}

struct Look;

#[async_trait]
impl Service for Look {
    fn stage_name(&self) -> &'static str {
        "look"
    }

    fn required_params(&self) -> Vec<(&'static str, Box<dyn Validator>)> {
        let small = check(|value| match value.as_u64() {
            Some(0..10) => Ok(()),
            _ => {
                Err(Failure::new(ErrorKind::InvalidParam, format!("must be below 10, not {value}")))
            }
        });
        let known = check_async(|value| async move {
            tokio::task::yield_now().await;
            if value == json!("img_1") {
                return Ok(());
            }
            Err(Failure::new(ErrorKind::NotFound, format!("names no image: {value}")))
        });
        vec![("n", Box::new(small)), ("image_id", Box::new(known))]
    }

    async fn process(&self, _: Context, _: Params) -> Result<Params, Failure> {
        Ok(Params::new())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_of_ones_own_name_the_param_and_the_value() {
    let look: Arc<dyn Handler> = Arc::new(service(Look));
    let world =
        World::new("name: test\nstages: [{ id: look, type: look }]", [("look", look)]).await;
    let engine = world.start().await;
    for (params, kind, message) in [
        (
            json!({ "n": 12, "image_id": "img_1" }),
            ErrorKind::InvalidParam,
            "param `n` of stage `look` must be below 10, not 12",
        ),
        (
            json!({ "n": 1, "image_id": "img_2" }),
            ErrorKind::NotFound,
            r#"param `image_id` of stage `look` names no image: "img_2""#,
        ),
    ] {
        let job_id = world.submit(params).await;
        let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
    }
    let job_id = world.submit(json!({ "n": 1, "image_id": "img_1" })).await;
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
}

#[derive(Deserialize, JsonSchema)]
struct Photo {
    image_id: String,
    #[serde(default = "half")]
    threshold: f64,
    #[serde(flatten)]
    extras: Params,
}

fn half() -> f64 {
    0.5
}

#[derive(Serialize, JsonSchema)]
struct Found {
    found: String,
}

async fn find(_: Context, photo: Photo) -> Result<Found, Failure> {
    Ok(Found { found: format!("{} {} {}", photo.image_id, photo.threshold, json!(photo.extras)) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_say_what_a_stage_takes_and_a_submission_is_held_to_it() {
    let handler: Arc<dyn Handler> = Arc::new(typed(find));
    let world =
        World::new("name: test\nstages: [{ id: find, type: find }]", [("find", handler)]).await;
    for (params, message) in [
        (json!({}), "missing_param: params do not fit stage `find`: `image_id` is absent"),
        (
            json!({ "image_id": "a", "threshold": "low" }),
            concat!(
                "invalid_param: params do not fit stage `find`: ",
                r#"`threshold`: "low" is not of type "number""#
            ),
        ),
    ] {
        let params = params.as_object().cloned().expect("an object");
        let submission = Submission { params, ..Submission::default() };
        let refused = world.client.submit(&world.definition, vec![submission]).await;
        assert_eq!(refused.expect_err("refused").to_string(), message);
    }
    let job_id = world.submit(json!({ "image_id": "a", "more": 1 })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(job.params["found"], r#"a 0.5 {"more":1}"#);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_promises_other_keys_than_the_code_is_refused() {
    let handler: Arc<dyn Handler> = Arc::new(typed(find));
    let world =
        World::new("name: test\nstages: [{ id: find, type: find }]", [("find", handler)]).await;
    let other = "name: test\nstages: [{ id: find, type: find, output_params: [lost] }]";
    let error = world.client.registry().install("test", other).await.err().expect("refused");
    let error = error.to_string();
    assert!(
        error.contains("declares other output_params than its code gives: lost instead of found"),
        "{error}"
    );
}
