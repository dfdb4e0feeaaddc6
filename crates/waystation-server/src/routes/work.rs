//! Work for programs in any language: claim, say that it goes on, tell what came of it.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::failure::ErrorKind;
use waystation_core::id::Label;
use waystation_engine::remote::{CLAIM_MAX, ClaimId, ClaimRequest, Completed, Failed, Line};

use super::limits::{between, name};
use crate::access::Operator;
use crate::context::Context;
use crate::extract::Json;
use crate::problem::{Code, Problem};
use crate::wire::{
    Claim, ClaimState, ClaimWork, ClaimedWork, Heartbeat, Heartbeats, WorkAnswer, WorkClaim,
    WorkCompleted, WorkFailed, WorkLog, WorkProgress,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(claim))
        .routes(routes!(heartbeat))
        .routes(routes!(complete))
        .routes(routes!(fail))
        .routes(routes!(hand_back))
        .routes(routes!(progress))
        .routes(routes!(log))
}

/// The longest wait for work, in seconds.
const WAIT_SECONDS_MAX: f64 = 30.0;
/// The longest lease that may be asked for, in seconds.
const LEASE_SECONDS_MAX: f64 = 3_600.0;
/// The most claims of one heartbeat, and the most lines of one log.
const LIST_MAX: usize = 1_000;

fn seconds(name: &str, seconds: f64, least: f64, most: f64) -> Result<Duration, Problem> {
    between(name, seconds, least, most).map(Duration::from_secs_f64)
}

fn lease(asked: Option<f64>) -> Result<Option<Duration>, Problem> {
    asked.map(|asked| seconds("lease_seconds", asked, 1.0, LEASE_SECONDS_MAX)).transpose()
}

fn lines(lines: Vec<crate::wire::WorkLine>) -> Result<Vec<Line>, Problem> {
    between("lines", lines.len(), 0, LIST_MAX)?;
    Ok(lines.into_iter().map(Line::from).collect())
}

/// Claim work
///
/// Waits for it as long as is asked for. Whoever goes away meanwhile has claimed nothing.
#[utoipa::path(
    post, path = "/work/claim", tag = "work", operation_id = "claim_work",
    extensions(("x-role" = json!("operator"))), request_body = ClaimWork,
    responses(
        (status = 200, body = ClaimedWork),
        (status = 404, description = "There is no such pipeline", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many claims are out", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn claim(
    State(context): State<Context>,
    _: Operator,
    Json(wanted): Json<ClaimWork>,
) -> Result<axum::Json<ClaimedWork>, Problem> {
    let request = ClaimRequest {
        pipeline: name("pipeline", wanted.pipeline)?.into(),
        stages: wanted.stages.into_iter().map(Into::into).collect(),
        max: between("max", wanted.max.unwrap_or(1), 1, CLAIM_MAX)?,
        wait: seconds("wait_seconds", wanted.wait_seconds, 0.0, WAIT_SECONDS_MAX)?,
        lease: lease(wanted.lease_seconds)?,
        worker: wanted.worker,
    };
    let claims = context.remote().claim(request).await?;
    Ok(axum::Json(ClaimedWork { claims: claims.into_iter().map(Claim::from).collect() }))
}

/// Say that work goes on
///
/// Makes leases last from now. The answer says of each claim whether it is still held, and whether
/// somebody wants its job aborted.
#[utoipa::path(
    post, path = "/work/heartbeat", tag = "work", operation_id = "heartbeat_work",
    extensions(("x-role" = json!("operator"))), request_body = Heartbeat,
    responses((status = 200, body = Heartbeats), Problem)
)]
async fn heartbeat(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<Heartbeat>,
) -> Result<axum::Json<Heartbeats>, Problem> {
    between("claims", told.claims.len(), 1, LIST_MAX)?;
    let lease = lease(told.lease_seconds)?;
    let ids: Vec<_> = told.claims.iter().map(|claim| ClaimId::new(claim.as_str())).collect();
    let extensions = context.remote().extend(&ids, lease).await?;
    let states = told.claims.into_iter().zip(extensions);
    let claims = states.map(|(claim, extension)| ClaimState::new(claim, extension)).collect();
    Ok(axum::Json(Heartbeats { claims }))
}

/// Tell that work is done
///
/// The job goes on. The same told twice is answered the same.
#[utoipa::path(
    post, path = "/work/complete", tag = "work", operation_id = "complete_work",
    extensions(("x-role" = json!("operator"))), request_body = WorkCompleted,
    responses(
        (status = 200, body = WorkAnswer),
        (status = 404, description = "It is no claim", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The claim is lost", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn complete(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<WorkCompleted>,
) -> Result<axum::Json<WorkAnswer>, Problem> {
    let completed = Completed {
        label: told.label.map_or_else(Label::ok, Label::from),
        output: told.output,
        log: lines(told.log)?,
    };
    let answer = context.remote().complete(&ClaimId::new(told.claim), completed).await?;
    Ok(axum::Json(answer.into()))
}

/// Tell that work failed
///
/// The stage's retry policy decides whether it is tried again.
#[utoipa::path(
    post, path = "/work/fail", tag = "work", operation_id = "fail_work",
    extensions(("x-role" = json!("operator"))), request_body = WorkFailed,
    responses(
        (status = 200, body = WorkAnswer),
        (status = 404, description = "It is no claim", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The claim is lost", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn fail(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<WorkFailed>,
) -> Result<axum::Json<WorkAnswer>, Problem> {
    let kind = told.kind.as_deref().map(kind).transpose()?;
    if let Some(wait) = told.retry_after_seconds {
        between("retry_after_seconds", wait, 0.0, 31_536_000.0)?;
    }
    let failed = Failed {
        kind,
        message: told.message,
        retryable: told.retryable,
        retry_after_seconds: told.retry_after_seconds,
        log: lines(told.log)?,
    };
    let answer = context.remote().fail(&ClaimId::new(told.claim), failed).await?;
    Ok(axum::Json(answer.into()))
}

fn kind(kind: &str) -> Result<ErrorKind, Problem> {
    ErrorKind::parse(kind).ok_or_else(|| {
        let known = ErrorKind::ALL.map(ErrorKind::as_str).join(", ");
        Problem::new(Code::Invalid, format!("{kind} is no kind of failure (known: {known})"))
    })
}

/// Hand work back
///
/// The job returns to its queue, and nothing is counted.
#[utoipa::path(
    post, path = "/work/hand-back", tag = "work", operation_id = "hand_back_work",
    extensions(("x-role" = json!("operator"))), request_body = WorkClaim,
    responses(
        (status = 200, body = WorkAnswer),
        (status = 404, description = "It is no claim", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The claim is lost", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn hand_back(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<WorkClaim>,
) -> Result<axum::Json<WorkAnswer>, Problem> {
    let answer = context.remote().hand_back(&ClaimId::new(told.claim)).await?;
    Ok(axum::Json(answer.into()))
}

/// Tell how far work is
///
/// Shown to those who look on; it may get lost.
#[utoipa::path(
    post, path = "/work/progress", tag = "work", operation_id = "progress_work",
    extensions(("x-role" = json!("operator"))), request_body = WorkProgress,
    responses(
        (status = 204),
        (status = 404, description = "It is no claim", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The claim is lost", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn progress(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<WorkProgress>,
) -> Result<StatusCode, Problem> {
    let percent = between("percent", told.percent, 0.0, 100.0)?;
    let message = told.message.replace('\0', "\u{fffd}");
    context.remote().progress(&ClaimId::new(told.claim), percent, &message).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Write lines into a job's log
///
/// Shown to those who look on at once, and kept when the claim ends.
#[utoipa::path(
    post, path = "/work/log", tag = "work", operation_id = "log_work",
    extensions(("x-role" = json!("operator"))), request_body = WorkLog,
    responses(
        (status = 204),
        (status = 404, description = "It is no claim", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The claim is lost", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn log(
    State(context): State<Context>,
    _: Operator,
    Json(told): Json<WorkLog>,
) -> Result<StatusCode, Problem> {
    let told_lines = lines(told.lines)?;
    context.remote().log(&ClaimId::new(told.claim), &told_lines).await?;
    Ok(StatusCode::NO_CONTENT)
}
