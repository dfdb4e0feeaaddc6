//! Answering a task, once, however often the answer is sent.
//!
//! A task that was answered is gone. Which job it was of is kept for a day before the answer is
//! given, so that a repetition can be held against the job's events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::EventKind;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::TaskRecord;
use waystation_core::port::Expected;
use waystation_engine::AnswerError;
use waystation_engine::decide::Answer;

use crate::context::Context;
use crate::problem::{Code, Problem};
use crate::wire::Answered;

/// Where they lie.
const COLLECTION: &str = "answered";
/// How long it is remembered which job a task was of.
const KEPT: Duration = Duration::from_hours(24);

/// Which job a task was of.
#[derive(Serialize, Deserialize)]
struct Remembered {
    job_id: JobId,
    stage: StageId,
}

/// Gives an answer.
pub async fn give(
    context: &Context,
    by: &str,
    task_id: i64,
    fields: Params,
) -> Result<Answered, Problem> {
    let Some(task) = context.backend().store.task(task_id).await? else {
        return repeated(context, by, task_id, &fields).await;
    };
    if let Some(holder) = task.holder(context.now()).filter(|holder| *holder != by) {
        let why = format!("task {task_id} is held by {holder} (hint: assign it first)");
        return Err(Problem::new(Code::Conflict, why));
    }
    remember(context, &task).await?;
    let answer = Answer { fields: fields.clone(), by: Some(by.to_owned()) };
    match context.client().answer(task_id, answer).await {
        Ok(job_id) => Ok(Answered { job_id: job_id.to_string(), repeated: false }),
        Err(AnswerError::Unknown(_)) => repeated(context, by, task_id, &fields).await,
        Err(error) => Err(error.into()),
    }
}

async fn remember(context: &Context, task: &TaskRecord) -> Result<(), Problem> {
    let remembered = Remembered { job_id: task.job_id.clone(), stage: task.stage.clone() };
    let (key, value) = (task.task_id.to_string(), json!(remembered));
    let until = Some(context.now().plus(KEPT));
    let records = &context.backend().records;
    records.put_record(COLLECTION, &key, &value, Expected::Any, until).await?;
    Ok(())
}

/// The same answer again, or a problem.
async fn repeated(
    context: &Context,
    by: &str,
    task_id: i64,
    fields: &Params,
) -> Result<Answered, Problem> {
    let record = context.backend().records.record(COLLECTION, &task_id.to_string()).await?;
    let known = record.and_then(|record| serde_json::from_value::<Remembered>(record.value).ok());
    let Some(Remembered { job_id, stage }) = known else {
        let why = format!("there is no task {task_id} in the inbox (it may have been answered)");
        return Err(Problem::new(Code::NotFound, why));
    };
    let events = context.backend().store.events(&job_id).await?;
    let answers =
        events.iter().filter(|event| event.kind == EventKind::Completed && event.stage == stage);
    let is_same = |detail: &Value| {
        detail.get("by").and_then(Value::as_str) == Some(by)
            && detail.get("answer").and_then(Value::as_object) == Some(fields)
    };
    if answers.filter_map(|event| event.detail.as_ref()).any(is_same) {
        return Ok(Answered { job_id: job_id.to_string(), repeated: true });
    }
    let why = format!("task {task_id} of job {job_id} is answered already, or was aborted");
    Err(Problem::new(Code::Conflict, why))
}
