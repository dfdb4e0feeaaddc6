//! Pipeteer's workflow, with the vectors of its tests: states go by their type, and each human step
//! is answered once.

#[path = "../../examples/typed_states.rs"]
mod example;

use example::{answer, app, fields, waiting};
use serde_json::{Value, json};
use waystation::core::state::JobState;
use waystation::{JobId, OpenApp};

async fn params(app: &OpenApp, job_id: &JobId) -> Value {
    Value::Object(app.job(job_id).await.expect("it is there").params)
}

async fn stage(app: &OpenApp, job_id: &JobId) -> (JobState, String) {
    let job = app.job(job_id).await.expect("it is there");
    (job.state, job.stage.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_go_by_their_type() {
    let app = app("memory://").open().await.expect("it opens");
    let submit = async |img: &str| app.submit(json!({ "img": img })).await.expect("submitted");
    let (fine, torn, bad) = (submit("img0").await, submit("torn1").await, submit("img2").await);
    app.run_until_idle().await.expect("it rests");

    let at = |stage: &str| (JobState::Waiting, stage.to_owned());
    assert_eq!(stage(&app, &fine).await, at("validation"));
    assert_eq!(stage(&app, &torn).await, at("manual-correct"));
    let expected = json!({ "img": "img0", "type": "Corrected", "corrected": "straight img0" });
    assert_eq!(params(&app, &fine).await, expected);
    assert_eq!(params(&app, &torn).await, json!({ "img": "torn1", "type": "Uncorrected" }));

    let tasks = waiting(&app, "validation").await.expect("listed");
    assert_eq!(tasks.len(), 2);
    let of = |job_id: &JobId| tasks.iter().find(|task| task.job_id == *job_id).expect("it waits");
    answer(&app, of(&fine), fields(json!({ "ok": true }))).await.expect("taken");
    answer(&app, of(&bad), fields(json!({ "ok": false }))).await.expect("taken");
    assert_eq!(stage(&app, &fine).await.0, JobState::Completed);
    assert_eq!(stage(&app, &bad).await, at("manual-correct"));
    answer(&app, of(&fine), fields(json!({ "ok": true }))).await.expect_err("answered before");

    for task in waiting(&app, "manual-correct").await.expect("listed") {
        answer(&app, &task, fields(json!({ "corrected": "m1" }))).await.expect("taken");
    }
    for job_id in [&torn, &bad] {
        assert_eq!(stage(&app, job_id).await.0, JobState::Completed);
        assert_eq!(params(&app, job_id).await["corrected"], "m1");
    }
}
