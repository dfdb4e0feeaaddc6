//! Submitting jobs.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::id::{JobId, PipelineName};
use waystation_core::port::SETTLE_MAX;
use waystation_core::settlement::Submitted;
use waystation_core::trace::Traceparent;
use waystation_engine::Submission;

use super::limits;
use crate::access::Operator;
use crate::context::Context;
use crate::extract::Json;
use crate::idempotency;
use crate::problem::{Code, Problem};
use crate::wire::{ManyJobs, NewJob, Submit, SubmittedJob, SubmittedJobs};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// The header that makes two requests one.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Submit jobs
///
/// One, or up to 1,000 of one pipeline and version: what is wrong with any of them keeps all from
/// being taken. A repetition with the same `Idempotency-Key`, `job_id` or `dedupe_key` is answered
/// with the same jobs, and 200 instead of 201.
#[utoipa::path(
    post, path = "/jobs", tag = "jobs", operation_id = "submit_jobs",
    extensions(("x-role" = json!("operator"))),
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "1 to 200 visible characters; kept for a day"),
        ("traceparent" = Option<String>, Header,
            description = "The trace that the jobs belong to (W3C Trace Context); one that cannot \
                be read is passed over"),
    ),
    request_body = Submit,
    responses(
        (status = 201, body = SubmittedJobs, description = "At least one is new",
            headers(("Location" = String, description = "The new job, where it is one alone"))),
        (status = 200, body = SubmittedJobs, description = "None is new"),
        (status = 404, description = "There is no such pipeline", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The dedupe key is another job's, or the pipeline is drained"),
        (status = 429, body = Problem, content_type = "application/problem+json",
            description = "As many jobs wait at the stage as may: nothing is written",
            headers(("Retry-After" = String, description = "Seconds"))),
        Problem
    )
)]
async fn submit(
    State(context): State<Context>,
    Operator(by): Operator,
    headers: HeaderMap,
    Json(submit): Json<Submit>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let fingerprint = serde_json::to_string(&submit).unwrap_or_default();
    let (jobs, is_one) = match submit {
        Submit::One(job) => (vec![*job], true),
        Submit::Many(ManyJobs { jobs }) => (jobs, false),
    };
    let (pipeline, version) = check(&jobs)?;
    let mut ids: Vec<String> = jobs.iter().map(id_of).collect();
    let graph = context.client().registry().graph_to_act_on(&pipeline, version).await?;
    if let Some(key) = key {
        ids = idempotency::ids(&context, &by.name, &key, &fingerprint, ids).await?;
    }
    let named = jobs.into_iter().zip(&ids);
    let traceparent = traceparent(&headers);
    let submission = |(job, id): (NewJob, &String)| {
        let submission = job.submission(id, &by.name)?;
        Ok(Submission { traceparent: traceparent.clone(), ..submission })
    };
    let submissions = named.map(submission).collect::<Result<_, Problem>>()?;
    let submitted = context.client().submit(&graph, submissions).await?;
    answer(submitted, is_one)
}

fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    Traceparent::parse(headers.get("traceparent")?.to_str().ok()?)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > 200 {
        let why = "an Idempotency-Key has 1 to 200 visible characters";
        return Err(Problem::new(Code::BadRequest, why));
    }
    Ok(Some(key.to_owned()))
}

/// The pipeline and version that all of them are for.
fn check(jobs: &[NewJob]) -> Result<(PipelineName, Option<u32>), Problem> {
    let Some(first) = jobs.first() else {
        return Err(Problem::new(Code::Invalid, "there are no jobs to submit"));
    };
    if jobs.len() > SETTLE_MAX {
        let why = format!("{} jobs at a time, more than the {SETTLE_MAX} allowed", jobs.len());
        return Err(Problem::new(Code::TooLarge, why));
    }
    limits::name("pipeline", first.pipeline.clone())?;
    let target = |job: &NewJob| (job.pipeline.clone(), job.pipeline_version);
    if let Some(other) = jobs.iter().find(|job| target(job) != target(first)) {
        let why = format!(
            "jobs that are submitted together are of one pipeline and version, not of `{}` and \
             `{}` (hint: submit them apart)",
            first.pipeline, other.pipeline
        );
        return Err(Problem::new(Code::Invalid, why));
    }
    Ok((PipelineName::from(first.pipeline.as_str()), first.pipeline_version))
}

fn id_of(job: &NewJob) -> String {
    job.job_id.clone().unwrap_or_else(|| JobId::generate().to_string())
}

/// What came of jobs that were to be: the first that is new makes it 201.
pub(super) fn answer(submitted: Vec<Submitted>, is_one: bool) -> Result<Response, Problem> {
    if let ([Submitted::Rejected(rejected)], true) = (&submitted[..], is_one) {
        return Err(Problem::new(Code::Conflict, rejected.to_string()));
    }
    let is_new = submitted.iter().any(Submitted::is_new);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let jobs: Vec<_> = submitted.into_iter().map(SubmittedJob::from).collect();
    let location = jobs.first().filter(|_| is_one && is_new).and_then(location);
    let mut response = (status, axum::Json(SubmittedJobs { jobs })).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Ids that cannot stand in a path as they are get none.
fn location(job: &SubmittedJob) -> Option<HeaderValue> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = job.job_id.bytes().all(plain);
    fits.then(|| HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.job_id)).ok()).flatten()
}
