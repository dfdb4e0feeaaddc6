//! What people decide about single jobs: abort, try again, drop.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_engine::RetryWith;

use super::{jobs, limits};
use crate::access::Operator;
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path};
use crate::problem::{Code, Problem};
use crate::wire::{AbortOutcome, AbortRequest, Aborted, Job, RetryRequest};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(abort)).routes(routes!(retry)).routes(routes!(drop_letter))
}

/// Abort a job
///
/// And its children. One that runs is asked to stop, and no later stage will see it. Asked again of
/// an aborted job, the answer is the same.
#[utoipa::path(
    post, path = "/jobs/{job_id}/abort", tag = "jobs", operation_id = "abort_job",
    extensions(("x-role" = json!("operator"))), params(("job_id" = String, Path)),
    request_body = AbortRequest,
    responses(
        (status = 200, body = Aborted),
        (status = 409, description = "It has ended otherwise", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn abort(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(job_id): Path<String>,
    Json(request): Json<AbortRequest>,
) -> Result<(Detail, axum::Json<Aborted>), Problem> {
    let reason = limits::reason(request.reason, "aborted by hand")?;
    let id = JobId::from(job_id.as_str());
    let outcome = match context.client().abort_as(&id, &reason, &by.name).await? {
        Abort::Done => AbortOutcome::Aborted,
        Abort::Requested => AbortOutcome::Requested,
        Abort::Unknown => return Err(Problem::not_found("job", job_id)),
        Abort::TooLate => {
            let state = jobs::find(&context, &job_id).await?.state;
            if state != waystation_core::state::JobState::Aborted {
                let why = format!("job {job_id} has ended: it is {state}");
                return Err(Problem::new(Code::Conflict, why));
            }
            AbortOutcome::Aborted
        }
    };
    Ok((Detail(json!({ "reason": reason })), axum::Json(Aborted { job_id, outcome })))
}

/// Try a failed job again
///
/// At the stage where it failed or from another one on, with its own params or others. It is a new
/// stage run, with all the attempts that its stage has.
#[utoipa::path(
    post, path = "/jobs/{job_id}/retry", tag = "jobs", operation_id = "retry_job",
    extensions(("x-role" = json!("operator"))), params(("job_id" = String, Path)),
    request_body = RetryRequest,
    responses(
        (status = 200, body = Job),
        (status = 409, description = "It has not failed", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn retry(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(job_id): Path<String>,
    Json(request): Json<RetryRequest>,
) -> Result<(Detail, axum::Json<Job>), Problem> {
    let detail = json!({ "from": request.from, "edited": request.params.is_some() });
    let how =
        RetryWith { from: request.from.map(Into::into), params: request.params, by: Some(by.name) };
    context.client().retry_with(&JobId::from(job_id.as_str()), how).await?;
    let job = jobs::find(&context, &job_id).await?;
    Ok((Detail(detail), axum::Json(job.into())))
}

/// Drop a dead letter
///
/// Its job stays failed, and cannot be tried again.
#[utoipa::path(
    delete, path = "/dead-letters/{job_id}", tag = "jobs", operation_id = "drop_dead_letter",
    extensions(("x-role" = json!("operator"))), params(("job_id" = String, Path)),
    responses(
        (status = 204),
        (status = 409, description = "It is not with the dead letters", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn drop_letter(
    State(context): State<Context>,
    Operator(by): Operator,
    Path(job_id): Path<String>,
) -> Result<StatusCode, Problem> {
    context.client().drop_dead_as(&JobId::from(job_id), &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
