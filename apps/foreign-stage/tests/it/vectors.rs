//! Our stages as the services around them see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use waystation::core::state::JobState;
use waystation::{Context, ErrorKind, Failure, OpenApp};

use crate::site::{Site, start, stop, timeline, until_ended, vector};

/// How often the handler of `detect` was called.
type Calls = Arc<AtomicU32>;

/// An app whose `detect` fails so often, and then gives this.
async fn with_detect(site: &Site, failures: u32, output: Value) -> (OpenApp, Calls) {
    let calls = Calls::default();
    let counted = Arc::clone(&calls);
    let detect = move |_: Context, _: Value| {
        let (call, output) = (counted.fetch_add(1, Ordering::SeqCst), output.clone());
        async move {
            if call < failures {
                return Err(Failure::new(ErrorKind::Error, "out of memory"));
            }
            Ok(output)
        }
    };
    let predict = |_: Context, _: Value| async { Ok(json!({ "prediction_id": "p" })) };
    let app = site.app().stage("detect", detect).stage("predict", predict);
    (app.open().await.expect("the servers answer"), calls)
}

fn job_id(contract: &Value) -> &str {
    contract["job_id"].as_str().expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn what_detect_passes_on_is_the_same_object_with_its_output() {
    for failures in [0, 2] {
        let site = Site::new().await;
        let (app, calls) = with_detect(&site, failures, json!({ "detection_run_id": "d" })).await;
        let engine = start(&app, &["detect"]).await;
        let mut contract = vector();
        contract["trace"] = json!({ "kept": [1, null] });
        for contract in [&vector(), &contract] {
            site.publish("raw_images", contract).await;
            let mut expected = contract.clone();
            expected["params"]["detection_run_id"] = json!("d");
            assert_eq!(site.get("detections").await, expected, "after {failures} failures");
        }
        assert_eq!(calls.load(Ordering::SeqCst), failures + 2);
        stop(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn what_detect_may_not_pass_on_is_failed() {
    let mut empty = vector();
    empty["params"] = json!({});
    for (contract, failures, output, kind, expected_calls) in [
        (vector(), 0, json!({ "wrong_key": 1 }), ErrorKind::Contract, 1),
        (empty, 0, json!({ "detection_run_id": "d" }), ErrorKind::MissingParam, 0),
        (vector(), 9, json!({}), ErrorKind::Error, 3),
    ] {
        let site = Site::new().await;
        let (app, calls) = with_detect(&site, failures, output).await;
        let engine = start(&app, &["detect"]).await;
        site.publish("raw_images", &contract).await;
        let job = until_ended(&app, job_id(&contract), JobState::Failed).await;
        assert_eq!(job.failure.map(|failure| failure.kind), Some(kind));
        assert_eq!(calls.load(Ordering::SeqCst), expected_calls, "{kind}");
        assert_eq!(site.get_now("detections").await, None, "{kind}");
        assert_eq!(
            timeline(&app, job_id(&contract)).await.last().map(|last| last.2),
            Some(expected_calls.max(1))
        );
        stop(engine).await;
    }
}
