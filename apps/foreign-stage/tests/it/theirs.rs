//! The Python service as ours see it, and what the store makes of what it tells.

use serde_json::{Value, json};
use waystation::JobId;
use waystation::core::event::EventKind::{Aborted, Completed, Created, Failed, Requeued, Started};
use waystation::core::port::Abort;
use waystation::core::state::JobState;

use crate::site::{Site, start, stop, timeline, until, until_ended, vector};

/// The vector's contract with another job and what the service is to do with it.
fn wishing(job_id: &str, wish: &str) -> Value {
    let mut contract = vector();
    contract["job_id"] = json!(job_id);
    contract["params"]["wish"] = json!(wish);
    contract
}

/// The kinds of the events that come to a queue, up to the first of this kind.
async fn events_until(site: &Site, last: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != last) {
        let event = site.get("job_events").await;
        kinds.push(event["event"].as_str().expect("a text").to_owned());
    }
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn python_service_keeps_the_same_rules() {
    let site = Site::new().await;
    let _python = site.start_python("misbehaving.py");
    for (wish, attempts) in [("", 1), ("raise twice", 3)] {
        let mut contract = wishing(&format!("good {wish}"), wish);
        contract["trace"] = json!("kept");
        site.publish("detections", &contract).await;
        contract["params"]["classification_run_id"] = json!("cls_789");
        assert_eq!(site.get("classifications").await, contract, "{wish}");
        let mut expected = vec!["started"; attempts];
        expected.push("completed");
        assert_eq!(events_until(&site, "completed").await, expected, "{wish}");
    }
    let mut empty = wishing("empty", "");
    empty["params"] = json!({});
    for (contract, calls) in [
        (wishing("keys", "wrong key"), 1),
        (wishing("raises", "raise always"), 3),
        (wishing("nowhere", "not found"), 1),
        (empty, 0),
    ] {
        site.publish("detections", &contract).await;
        let mut expected = vec!["started"; calls];
        expected.push("failed");
        assert_eq!(events_until(&site, "failed").await, expected, "{contract}");
        assert_eq!(site.get_now("classifications").await, None, "{contract}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn job_that_the_store_never_heard_of_appears_with_its_timeline_in_order() {
    let site = Site::new().await;
    let _python = site.start_python("misbehaving.py");
    let app = site.open().await;
    let (detect, predict) = (start(&app, &["detect"]).await, start(&app, &["predict"]).await);
    for wish in ["", "raise twice", "tell twice"] {
        let mut contract = wishing(&format!("job {wish}"), wish);
        contract["trace"] = json!("kept");
        let job_id = contract["job_id"].as_str().expect("a text");
        site.publish("raw_images", &contract).await;
        let job = until_ended(&app, job_id, JobState::Completed).await;
        let last: Value = serde_json::from_slice(&job.body).expect("JSON");
        assert_eq!(last["trace"], "kept");
        let expected = json!({
            "image_id": "img_123", "wish": wish, "detection_run_id": "det_img_123",
            "classification_run_id": "cls_789", "prediction_id": "pred_img_123",
        });
        assert_eq!(json!(job.params), expected);
        let classify: Vec<_> = match wish {
            "raise twice" => vec![(Started, 1), (Started, 2), (Started, 3), (Completed, 3)],
            _ => vec![(Started, 1), (Completed, 1)],
        };
        let mut expected = vec![("detect", Started, 1), ("detect", Completed, 1)];
        expected.extend(classify.into_iter().map(|(kind, attempt)| ("classify", kind, attempt)));
        expected.extend([("predict", Started, 1), ("predict", Completed, 1)]);
        let told = timeline(&app, job_id).await;
        let told: Vec<_> =
            told.iter().map(|(stage, kind, attempt)| (stage.as_str(), *kind, *attempt)).collect();
        assert_eq!(told, expected, "{wish}");
    }
    stop(detect).await;
    stop(predict).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn job_may_begin_or_end_at_the_python_service() {
    let site = Site::new().await;
    let _python = site.start_python("misbehaving.py");
    let app = site.open().await;
    let engine = start(&app, &["detect", "predict"]).await;
    let mut ends = wishing("ends", "");
    ends["exit_stage"] = json!("classify");
    site.publish("raw_images", &ends).await;
    let mut begins = wishing("begins", "");
    begins["entry_stage"] = json!("classify");
    site.publish("detections", &begins).await;
    for (job_id, stages) in [("ends", ["detect", "classify"]), ("begins", ["classify", "predict"])]
    {
        let job = until_ended(&app, job_id, JobState::Completed).await;
        assert_eq!(job.stage.as_str(), stages[1]);
        assert_eq!(job.params["classification_run_id"], "cls_789");
        let timeline = timeline(&app, job_id).await;
        let completed = timeline.iter().filter(|(_, kind, _)| *kind == Completed);
        let completed: Vec<_> = completed.map(|(stage, ..)| stage.as_str()).collect();
        assert_eq!(completed, stages);
    }
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn job_that_failed_at_the_python_service_can_be_tried_again() {
    let site = Site::new().await;
    let python = site.start_python("misbehaving.py");
    let app = site.open().await;
    let engine = start(&app, &["detect", "predict"]).await;
    site.publish("raw_images", &wishing("a", "not found")).await;
    let job = until_ended(&app, "a", JobState::Failed).await;
    assert_eq!(job.stage.as_str(), "classify");
    let id = JobId::from("a");
    let letters = app
        .client()
        .backend()
        .store
        .dead_letters(waystation::core::job::DeadLetterFilter::of_job(&id))
        .await
        .expect("listed");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].failure.message, "NotFoundError: no such image");
    // Nothing that came before is lost with it.
    assert_eq!(job.params["detection_run_id"], "det_img_123");
    drop(python);
    let _classify = site.start_python("classify.py");
    app.client().retry(&id).await.expect("it is tried again");
    let job = until_ended(&app, "a", JobState::Completed).await;
    assert_eq!(job.params["prediction_id"], "pred_img_123");
    let kinds: Vec<_> = timeline(&app, "a").await.into_iter().map(|(_, kind, _)| kind).collect();
    let before = [Started, Completed, Started, Failed, Requeued];
    assert_eq!(kinds, [&before[..], &[Started, Completed, Started, Completed]].concat());
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn failure_that_is_told_before_the_hop_waits_for_its_params() {
    let site = Site::new().await;
    let app = site.open().await;
    let engine = start(&app, &["detect"]).await;
    let failed = json!({
        "event": "failed", "job_id": "a", "stage": "classify", "attempt": 1,
        "error": { "type": "ValueError", "message": "too quick", "retryable": false },
    });
    site.publish("job_events", &failed).await;
    site.publish("raw_images", &wishing("a", "")).await;
    let job = until_ended(&app, "a", JobState::Failed).await;
    assert_eq!(
        (job.stage.as_str(), &job.params["detection_run_id"]),
        ("classify", &json!("det_img_123"))
    );
    // Where nothing follows, it is taken for what it is.
    let failed = json!({ "job_id": "b", "event": "failed", "stage": "classify" });
    site.publish("job_events", &failed).await;
    until_ended(&app, "b", JobState::Failed).await;
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn job_that_waits_at_the_python_service_can_be_aborted() {
    let site = Site::new().await;
    let app = site.open().await;
    let engine = start(&app, &["detect", "predict"]).await;
    let params = json!({ "image_id": "img_123" });
    let ours = app.submit(params).await.expect("submitted").to_string();
    site.publish("raw_images", &wishing("theirs", "")).await;
    for job_id in [&ours, "theirs"] {
        until(&app, job_id, |job| job.stage.as_str() == "classify").await;
        let id = JobId::from(job_id.to_owned());
        let aborted = app.client().abort(&id, "not wanted").await.expect("the store answers");
        assert_eq!(aborted, Abort::Requested);
    }
    // The service knows nothing of it, and passes the jobs on.
    let _python = site.start_python("misbehaving.py");
    for job_id in [&ours, "theirs"] {
        let job = until_ended(&app, job_id, JobState::Aborted).await;
        assert_eq!(job.stage.as_str(), "predict");
        assert!(!job.params.contains_key("prediction_id"));
        let last = timeline(&app, job_id).await.pop().expect("events");
        assert_eq!((last.0.as_str(), last.1), ("predict", Aborted));
    }
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn python_service_that_is_killed_and_restarted_loses_nothing() {
    const JOBS: usize = 40;
    let site = Site::new().await;
    let app = site.open().await;
    let engine = start(&app, &["detect", "predict"]).await;
    let mut python = site.start_python("misbehaving.py");
    let mut ids = Vec::new();
    for _ in 0..JOBS {
        let params = json!({ "image_id": "img_123", "wish": "slow" });
        ids.push(app.submit(params).await.expect("submitted").to_string());
    }
    for (place, job_id) in ids.iter().enumerate() {
        if place == JOBS / 4 || place == JOBS / 2 {
            until(&app, job_id, |job| job.stage.as_str() == "predict").await;
            python.kill().await.expect("it is killed");
            python = site.start_python("misbehaving.py");
        }
    }
    for job_id in &ids {
        until_ended(&app, job_id, JobState::Completed).await;
        let kinds: Vec<_> =
            timeline(&app, job_id).await.into_iter().map(|(_, kind, _)| kind).collect();
        assert_eq!(kinds, [Created, Started, Completed, Started, Completed, Started, Completed]);
    }
    stop(engine).await;
}
