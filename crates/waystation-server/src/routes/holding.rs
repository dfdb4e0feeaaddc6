//! Whose tasks are: claim, release, assign, and when they are due.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::port::{Signal, TaskChange, TaskChanged};

use super::{inbox, limits};
use crate::access::Operator;
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path};
use crate::problem::{Code, Problem};
use crate::wire::{Task, TaskAssignment, TaskClaim, TaskDue};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(claim))
        .routes(routes!(release))
        .routes(routes!(assign))
        .routes(routes!(due))
}

/// How long a claim lasts unless it says.
const CLAIM_SECONDS: u32 = 30 * 60;
/// The longest that a claim may last.
const CLAIM_SECONDS_MAX: u32 = 7 * 24 * 60 * 60;

async fn change(
    context: &Context,
    task_id: i64,
    change: TaskChange,
) -> Result<axum::Json<Task>, Problem> {
    let now = context.now();
    match context.backend().store.change_task(task_id, change).await? {
        TaskChanged::Done(task) => {
            context.backend().bus.publish(Signal::Changed);
            Ok(axum::Json(Task::new(&task, now)))
        }
        TaskChanged::Held(task) => {
            let holder = task.holder(now).unwrap_or("nobody");
            let why = format!("task {task_id} is held by {holder} (hint: assign it to yourself)");
            Err(Problem::new(Code::Conflict, why))
        }
        TaskChanged::Unknown => Err(inbox::unknown(task_id)),
    }
}

/// Claim a task
///
/// It is yours for a while, so that nobody else answers it. Again, to have it longer.
#[utoipa::path(
    post, path = "/inbox/{task_id}/claim", tag = "inbox", operation_id = "claim_task",
    extensions(("x-role" = json!("operator"))), params(("task_id" = i64, Path)),
    request_body = TaskClaim,
    responses(
        (status = 200, body = Task),
        (status = 409, description = "Somebody else holds it", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn claim(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(task_id): Path<i64>,
    Json(wanted): Json<TaskClaim>,
) -> Result<axum::Json<Task>, Problem> {
    let seconds = wanted.lasts_seconds.unwrap_or(CLAIM_SECONDS);
    let seconds = limits::between("lasts_seconds", seconds, 1, CLAIM_SECONDS_MAX)?;
    let until = context.now().plus(Duration::from_secs(seconds.into()));
    change(&context, task_id, TaskChange::Claim { by: by.name, until }).await
}

/// Release a task
///
/// What you hold becomes nobody's.
#[utoipa::path(
    post, path = "/inbox/{task_id}/release", tag = "inbox", operation_id = "release_task",
    extensions(("x-role" = json!("operator"))), params(("task_id" = i64, Path)),
    responses(
        (status = 200, body = Task),
        (status = 409, description = "Somebody else holds it", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn release(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(task_id): Path<i64>,
) -> Result<axum::Json<Task>, Problem> {
    change(&context, task_id, TaskChange::Release { by: by.name }).await
}

/// Assign a task
///
/// To a person until it is answered, or to nobody, whosever it was.
#[utoipa::path(
    post, path = "/inbox/{task_id}/assign", tag = "inbox", operation_id = "assign_task",
    extensions(("x-role" = json!("operator"))), params(("task_id" = i64, Path)),
    request_body = TaskAssignment,
    responses((status = 200, body = Task), Problem)
)]
async fn assign(
    State(context): State<Context>,
    _: Operator,
    Path(task_id): Path<i64>,
    Json(TaskAssignment { to }): Json<TaskAssignment>,
) -> Result<(Detail, axum::Json<Task>), Problem> {
    let to = to.map(|name| limits::name("person", name)).transpose()?;
    let detail = Detail(json!({ "to": to }));
    Ok((detail, change(&context, task_id, TaskChange::Assign { to }).await?))
}

/// Say when a task is due
///
/// Nothing happens then but that it is shown as overdue.
#[utoipa::path(
    post, path = "/inbox/{task_id}/due", tag = "inbox", operation_id = "set_task_due",
    extensions(("x-role" = json!("operator"))), params(("task_id" = i64, Path)),
    request_body = TaskDue,
    responses((status = 200, body = Task), Problem)
)]
async fn due(
    State(context): State<Context>,
    _: Operator,
    Path(task_id): Path<i64>,
    Json(TaskDue { due_at }): Json<TaskDue>,
) -> Result<(Detail, axum::Json<Task>), Problem> {
    let detail = Detail(json!({ "due_at": due_at }));
    let due_at = due_at.map(|moment| moment.0);
    Ok((detail, change(&context, task_id, TaskChange::Due(due_at)).await?))
}
