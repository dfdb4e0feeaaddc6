//! The inbox: tasks that wait for a person.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::contract::Contract;
use waystation_core::job::{Holder, TaskFilter, TaskRecord};

use super::limits;
use crate::access::{Operator, Viewer};
use crate::answers;
use crate::context::Context;
use crate::extract::{Json, Path, Query};
use crate::problem::{Code, Problem};
use crate::wire::{
    Answered, Moment, Task, TaskAnswer, TaskDetail, TaskPage, form_fields, form_schema,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(answer))
}

/// Which tasks are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedTasks {
    /// Only of this pipeline.
    pipeline: Option<String>,
    /// Only at this stage.
    stage: Option<String>,
    /// Only of this job.
    job_id: Option<String>,
    /// Whose: `any`, `nobody`, `me`, `me_or_nobody`, or `name:` with somebody's name.
    holder: Option<String>,
    /// Only those that are to be answered before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Moment>,
    /// Only behind this task: the `next` of a page.
    after: Option<i64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl WantedTasks {
    fn filter(self, me: String) -> Result<TaskFilter, Problem> {
        let holder = match self.holder.as_deref() {
            None | Some("any") => Holder::Any,
            Some("nobody") => Holder::Nobody,
            Some("me") => Holder::Person(me),
            Some("me_or_nobody") => Holder::PersonOrNobody(me),
            Some(other) => {
                let name = other.strip_prefix("name:").filter(|name| !name.is_empty());
                Holder::Person(name.ok_or_else(|| unknown_holder(other))?.to_owned())
            }
        };
        Ok(TaskFilter {
            pipeline: self.pipeline.map(Into::into),
            stage: self.stage.map(Into::into),
            job_id: self.job_id.map(Into::into),
            holder,
            due_before: self.due_before.map(|moment| moment.0),
            after: self.after,
            limit: limits::page(self.limit)?,
        })
    }
}

fn unknown_holder(name: &str) -> Problem {
    let known = "any, nobody, me, me_or_nobody, name:SOMEBODY";
    Problem::new(Code::Invalid, format!("holder {name} is none that is known ({known})"))
}

/// A task, or the problem that there is none.
pub async fn find(context: &Context, task_id: i64) -> Result<TaskRecord, Problem> {
    let task = context.backend().store.task(task_id).await?;
    task.ok_or_else(|| unknown(task_id))
}

/// The problem that there is no such task.
pub fn unknown(task_id: i64) -> Problem {
    let why = format!("there is no task {task_id} in the inbox (it may have been answered)");
    Problem::new(Code::NotFound, why)
}

/// List the inbox
///
/// Oldest first.
#[utoipa::path(
    get, path = "/inbox", tag = "inbox", operation_id = "list_inbox",
    extensions(("x-role" = json!("viewer"))), params(WantedTasks),
    responses((status = 200, body = TaskPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    Viewer(me): Viewer,
    Query(wanted): Query<WantedTasks>,
) -> Result<axum::Json<TaskPage>, Problem> {
    let filter = wanted.filter(me.name)?;
    let limit = filter.limit;
    let found = context.backend().store.tasks(filter).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|task| task.task_id);
    let now = context.now();
    let tasks = found.iter().map(|task| Task::new(task, now)).collect();
    Ok(axum::Json(TaskPage { tasks, next }))
}

/// Get a task
///
/// With the params that the person is to look at, and the form of the answer.
#[utoipa::path(
    get, path = "/inbox/{task_id}", tag = "inbox", operation_id = "get_task",
    extensions(("x-role" = json!("viewer"))), params(("task_id" = i64, Path)),
    responses(
        (status = 200, body = TaskDetail),
        (status = 409, description = "It cannot be read", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(task_id): Path<i64>,
) -> Result<axum::Json<TaskDetail>, Problem> {
    let task = find(&context, task_id).await?;
    let contract = Contract::parse(&task.body).map_err(|error| {
        Problem::new(Code::Conflict, format!("task {task_id} cannot be read: {error}"))
    })?;
    let registry = context.client().registry();
    let graph = registry.graph_of(&task.pipeline, contract.pipeline_version).await?;
    let stage = graph.pipeline.stage(&task.stage);
    let form = stage.map(|stage| stage.form.clone()).unwrap_or_default();
    Ok(axum::Json(TaskDetail {
        task: Task::new(&task, context.now()),
        params: contract.params,
        form: form_fields(&form),
        schema: form_schema(&form),
    }))
}

/// Answer a task
///
/// The job goes on. The same answer again, by the same person, is answered the same; another one is
/// refused. So is the answer to a task that somebody else holds.
#[utoipa::path(
    post, path = "/inbox/{task_id}/answer", tag = "inbox", operation_id = "answer_task",
    extensions(("x-role" = json!("operator"))), params(("task_id" = i64, Path)),
    request_body = TaskAnswer,
    responses(
        (status = 200, body = Answered),
        (status = 409, description = "It was answered otherwise, or somebody else holds it",
            body = Problem, content_type = "application/problem+json"),
        Problem
    )
)]
async fn answer(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(task_id): Path<i64>,
    Json(given): Json<TaskAnswer>,
) -> Result<axum::Json<Answered>, Problem> {
    answers::give(&context, &by.name, task_id, given.answer).await.map(axum::Json)
}
