//! Pausing and draining. What is paused stays so over restarts, until somebody resumes it.

use axum::extract::State;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_engine::control::{Mode, Target};

use super::limits;
use crate::access::{Identity, Operator, Viewer};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::wire::{Pause, PauseRequest, Resumed};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(pause_pipeline))
        .routes(routes!(drain_pipeline))
        .routes(routes!(resume_pipeline))
        .routes(routes!(pause_stage))
        .routes(routes!(resume_stage))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
}

type Paused = Result<(Detail, axum::Json<Pause>), Problem>;

async fn pause(
    context: &Context,
    by: &Identity,
    target: Target,
    mode: Mode,
    request: PauseRequest,
) -> Paused {
    let reason = limits::reason(request.reason, "no reason given")?;
    let pause = context.client().pause(target, mode, &by.name, &reason).await?;
    Ok((Detail(json!({ "reason": reason })), axum::Json(pause.into())))
}

async fn resume(context: &Context, target: Target) -> Result<axum::Json<Resumed>, Problem> {
    let was_paused = context.client().resume(&target).await?;
    Ok(axum::Json(Resumed { was_paused }))
}

/// List what is paused or drained
#[utoipa::path(
    get, path = "/pauses", tag = "control", operation_id = "list_pauses",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Pause>), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<Pause>>, Problem> {
    let pauses = context.client().pauses().await?;
    Ok(axum::Json(pauses.into_iter().map(Pause::from).collect()))
}

/// Pause a pipeline
///
/// None of its stages begins anything, none of its sources discovers. What runs goes on; what comes
/// waits.
#[utoipa::path(
    post, path = "/pipelines/{name}/pause", tag = "control", operation_id = "pause_pipeline",
    extensions(("x-role" = json!("operator"))), params(("name" = String, Path)),
    request_body = PauseRequest, responses((status = 200, body = Pause), Problem)
)]
async fn pause_pipeline(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(name): Path<String>,
    Json(request): Json<PauseRequest>,
) -> Paused {
    pause(&context, &by, Target::Pipeline(name.into()), Mode::Pause, request).await
}

/// Drain a pipeline
///
/// Nothing new is submitted or discovered. What is there runs to its end.
#[utoipa::path(
    post, path = "/pipelines/{name}/drain", tag = "control", operation_id = "drain_pipeline",
    extensions(("x-role" = json!("operator"))), params(("name" = String, Path)),
    request_body = PauseRequest, responses((status = 200, body = Pause), Problem)
)]
async fn drain_pipeline(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(name): Path<String>,
    Json(request): Json<PauseRequest>,
) -> Paused {
    pause(&context, &by, Target::Pipeline(name.into()), Mode::Drain, request).await
}

/// Resume a pipeline
#[utoipa::path(
    post, path = "/pipelines/{name}/resume", tag = "control", operation_id = "resume_pipeline",
    extensions(("x-role" = json!("operator"))), params(("name" = String, Path)),
    responses((status = 200, body = Resumed), Problem)
)]
async fn resume_pipeline(
    State(context): State<Context>,
    _: Operator,
    Path(name): Path<String>,
) -> Result<axum::Json<Resumed>, Problem> {
    resume(&context, Target::Pipeline(name.into())).await
}

/// Pause a stage
///
/// In all versions of its pipeline.
#[utoipa::path(
    post, path = "/pipelines/{name}/stages/{stage}/pause", tag = "control",
    operation_id = "pause_stage", extensions(("x-role" = json!("operator"))),
    params(("name" = String, Path), ("stage" = String, Path)),
    request_body = PauseRequest, responses((status = 200, body = Pause), Problem)
)]
async fn pause_stage(
    State(context): State<Context>,
    Operator(by): Operator,
    Path((name, stage)): Path<(String, String)>,
    Json(request): Json<PauseRequest>,
) -> Paused {
    let target = Target::Stage(name.into(), stage.into());
    pause(&context, &by, target, Mode::Pause, request).await
}

/// Resume a stage
#[utoipa::path(
    post, path = "/pipelines/{name}/stages/{stage}/resume", tag = "control",
    operation_id = "resume_stage", extensions(("x-role" = json!("operator"))),
    params(("name" = String, Path), ("stage" = String, Path)),
    responses((status = 200, body = Resumed), Problem)
)]
async fn resume_stage(
    State(context): State<Context>,
    _: Operator,
    Path((name, stage)): Path<(String, String)>,
) -> Result<axum::Json<Resumed>, Problem> {
    resume(&context, Target::Stage(name.into(), stage.into())).await
}

/// Pause a queue
///
/// Whoever reads it.
#[utoipa::path(
    post, path = "/queues/{queue}/pause", tag = "control", operation_id = "pause_queue",
    extensions(("x-role" = json!("operator"))), params(("queue" = String, Path)),
    request_body = PauseRequest, responses((status = 200, body = Pause), Problem)
)]
async fn pause_queue(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(queue): Path<String>,
    Json(request): Json<PauseRequest>,
) -> Paused {
    let target = Target::Queue(limits::name("queue", queue)?.into());
    pause(&context, &by, target, Mode::Pause, request).await
}

/// Resume a queue
#[utoipa::path(
    post, path = "/queues/{queue}/resume", tag = "control", operation_id = "resume_queue",
    extensions(("x-role" = json!("operator"))), params(("queue" = String, Path)),
    responses((status = 200, body = Resumed), Problem)
)]
async fn resume_queue(
    State(context): State<Context>,
    _: Operator,
    Path(queue): Path<String>,
) -> Result<axum::Json<Resumed>, Problem> {
    resume(&context, Target::Queue(queue.into())).await
}
