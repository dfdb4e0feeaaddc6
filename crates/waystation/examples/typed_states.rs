//! A machine tries, a person validates, a person corrects: the workflow that Pipeteer's README
//! shows. What a stage gives is a state with a type, and the routes go by it.
//!
//! `cargo run --example typed_states`

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use waystation::core::job::TaskRecord;
use waystation::engine::decide::Answer;
use waystation::{App, AppError, Context, Failure, JsonSchema, OpenApp};

/// What a job begins with.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The picture, or where it is.
    img: String,
}

/// What the machine makes of it.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum State {
    /// It could straighten the picture: somebody is to look at it.
    Corrected {
        /// The straightened picture.
        corrected: String,
    },
    /// It could not: somebody is to do it by hand.
    Uncorrected,
}

/// Stands for the machine: it can do nothing about pictures that are `torn`.
async fn correct(_: Context, input: Input) -> Result<State, Failure> {
    if input.img.starts_with("torn") {
        return Ok(State::Uncorrected);
    }
    Ok(State::Corrected { corrected: format!("straight {}", input.img) })
}

/// The workflow over this store.
pub fn app(store: &str) -> App {
    App::new("sheets")
        .store(store)
        .stage("auto-correct", correct)
        .settings(json!({ "id": "validation", "type": "manual", "form": { "ok": "boolean" } }))
        .settings(
            json!({ "id": "manual-correct", "type": "manual", "form": { "corrected": "string" } }),
        )
        .route(json!({ "from": "auto-correct", "to": "validation", "on_type": "Corrected" }))
        .route(json!({ "from": "auto-correct", "to": "manual-correct", "on_type": "Uncorrected" }))
        .route(json!({ "from": "validation", "to": "done", "when": "ok" }))
        .route(json!({ "from": "validation", "to": "manual-correct", "when": "!ok" }))
        .route(json!({ "from": "manual-correct", "to": "done" }))
}

/// Who waits for a person at a stage.
pub async fn waiting(app: &OpenApp, stage: &str) -> Result<Vec<TaskRecord>, AppError> {
    let tasks =
        app.client().backend().store.tasks(waystation_core::job::TaskFilter::first(100)).await?;
    Ok(tasks.into_iter().filter(|task| task.stage.as_str() == stage).collect())
}

/// Answers a task as a person would.
pub async fn answer(
    app: &OpenApp,
    task: &TaskRecord,
    fields: Map<String, Value>,
) -> Result<(), Box<dyn std::error::Error>> {
    let answer = Answer { fields, by: Some("ann".to_owned()) };
    app.client().answer(task.task_id, answer).await?;
    Ok(())
}

/// The fields of an answer.
pub fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[tokio::main]
#[cfg_attr(test, expect(dead_code, reason = "the test takes what stands above"))]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app("memory://").open().await?;
    let mut jobs = Vec::new();
    for img in ["sheet 1", "torn sheet 2", "sheet 3"] {
        jobs.push(app.submit(json!({ "img": img })).await?);
    }
    app.run_until_idle().await?;
    // Sheet 1 is good, sheet 3 is not.
    for task in waiting(&app, "validation").await? {
        let ok = app.job(&task.job_id).await?.params["img"] == "sheet 1";
        answer(&app, &task, fields(json!({ "ok": ok }))).await?;
    }
    for task in waiting(&app, "manual-correct").await? {
        answer(&app, &task, fields(json!({ "corrected": "by hand" }))).await?;
    }
    for job_id in jobs {
        let job = app.job(&job_id).await?;
        println!("{}: {} ({})", job.params["img"], job.params["corrected"], job.state);
    }
    Ok(())
}
