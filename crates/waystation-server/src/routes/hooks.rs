//! Hooks: sources whose items are brought by calls.
//!
//! A hook with a secret takes calls of whoever signs with it, and nobody else's; one without takes
//! an operator's. Whether a stage without a secret is there is told to operators alone; one with a
//! secret says what is wrong with a signature, and is known by that.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::hook::{Call, Hook};
use waystation_core::settlement::Submitted;
use waystation_engine::sources::SourceId;
use waystation_engine::{HookError, Hooked};

use super::submit;
use crate::access::{Identity, Operator, Proof, Role};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::Path;
use crate::problem::{Code, Problem};
use crate::wire::{HookCall, SubmittedJob, SubmittedJobs};

/// When a call to a source that is paused is worth repeating.
const PAUSED_RETRY: Duration = Duration::from_mins(1);
/// The most jobs of a call that the audit log names.
const AUDITED_MAX: usize = 10;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(call))
}

/// Where the items of a source are brought to.
pub fn path(id: &SourceId) -> String {
    format!("/api/v1/hooks/{}/{}", id.pipeline, id.stage)
}

/// Bring items to a source
///
/// For stages of the type `webhook`: the body becomes a job, or each entry of its list does, up to
/// 500. Where the stage has a `secret`, the call is signed with it and needs no token; the headers
/// of the signature are said by the stage's settings. The same call again is answered with the same
/// jobs, and 200 instead of 201. The new jobs are durable before the answer is given.
#[utoipa::path(
    post, path = "/hooks/{pipeline}/{stage}", tag = "jobs", operation_id = "call_hook",
    extensions(("x-role" = json!("operator")), ("x-signed" = json!(true))),
    params(
        ("pipeline" = String, Path), ("stage" = String, Path),
        ("webhook-id" = Option<String>, Header,
            description = "The call's id, which makes two calls one; or as the stage's settings \
                say, or `X-GitHub-Delivery`, or `Idempotency-Key`"),
    ),
    request_body = HookCall,
    responses(
        (status = 201, body = SubmittedJobs, description = "At least one job is new",
            headers(("Location" = String, description = "The new job, where it is one alone"))),
        (status = 200, body = SubmittedJobs, description = "None is new"),
        (status = 429, body = Problem, content_type = "application/problem+json",
            description = "As many jobs wait at the stage as may: nothing is written",
            headers(("Retry-After" = String, description = "Seconds"))),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "The source is paused, or the store cannot be reached",
            headers(("Retry-After" = String, description = "Seconds, where it is paused"))),
        Problem
    )
)]
async fn call(
    State(context): State<Context>,
    Path((pipeline, stage)): Path<(String, String)>,
    operator: Result<Operator, Problem>,
    request: Request,
) -> Result<Response, Response> {
    let id = SourceId { pipeline: pipeline.into(), stage: stage.into() };
    let hooked = match context.client().hook(&id).await {
        Ok(hooked) => hooked,
        Err(error @ HookError::Unknown(_)) => {
            operator.map_err(told)?;
            return Err(refused(error));
        }
        Err(error) => return Err(refused(error)),
    };
    let by = if hooked.hook().is_signed() { None } else { Some(operator.map_err(told)?.0) };
    check_type(request.headers()).map_err(told)?;
    let headers = request.headers().clone();
    let body = read(&context, hooked.hook(), request).await.map_err(told)?;
    let submitted = take(&context, &hooked, &headers, &body).await?;
    let detail = detail(&submitted);
    let is_one = submitted.len() == 1;
    let mut response = (detail, submit::answer(submitted, is_one).map_err(told)?).into_response();
    if by.is_none() {
        response.extensions_mut().insert(caller(&id));
    }
    Ok(response)
}

/// Makes its jobs, once it is known who calls.
async fn take(
    context: &Context,
    hooked: &Hooked,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Submitted>, Response> {
    let texts = headers.iter();
    let headers: Vec<_> =
        texts.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let call = Call { headers: &headers, body, at: context.now() };
    hooked.hook().verify(&call).map_err(|refusal| refused(refusal.into()))?;
    context.client().take(hooked, &call).await.map_err(refused)
}

/// Who calls, where that is known by a signature.
fn caller(id: &SourceId) -> Identity {
    let name = format!("hook {}/{}", id.pipeline, id.stage);
    Identity { name, role: Role::Operator, proof: Proof::Signature }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let why = format!(
        "the body must be JSON, not `{essence}` (hint: have it sent as `application/json`)"
    );
    Err(Problem::new(Code::UnsupportedMediaType, why))
}

/// The body as it was sent, since signatures are over its bytes.
async fn read(context: &Context, hook: &dyn Hook, request: Request) -> Result<Bytes, Problem> {
    let bytes_max = hook.body_bytes_max();
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let too_large = |bytes: usize| {
        let why = format!(
            "the body is {bytes} bytes, more than the {bytes_max} that the stage takes \
             (hint: its setting `max_bytes`)"
        );
        Problem::new(Code::TooLarge, why)
    };
    if let Some(bytes) = length.filter(|bytes| *bytes > bytes_max) {
        return Err(too_large(bytes));
    }
    let body = Bytes::from_request(request, context).await.map_err(|rejection| {
        let is_large = rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        let code = if is_large { Code::TooLarge } else { Code::BadRequest };
        Problem::new(code, rejection.body_text())
    })?;
    if body.len() > bytes_max {
        return Err(too_large(body.len()));
    }
    Ok(body)
}

/// What the audit log keeps: how many jobs, and the first of them.
fn detail(submitted: &[Submitted]) -> Detail {
    let new = submitted.iter().filter(|one| one.is_new()).count();
    let first = submitted.iter().take(AUDITED_MAX).cloned();
    let jobs: Vec<_> = first.map(|one| SubmittedJob::from(one).job_id).collect();
    Detail(json!({ "new": new, "known": submitted.len() - new, "jobs": jobs }))
}

fn told(problem: Problem) -> Response {
    problem.into_response()
}

fn refused(error: HookError) -> Response {
    let is_paused = matches!(error, HookError::Paused { .. });
    let mut response = Problem::from(error).into_response();
    if is_paused {
        let seconds = HeaderValue::from(PAUSED_RETRY.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}
