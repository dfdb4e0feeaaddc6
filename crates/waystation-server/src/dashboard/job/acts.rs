//! What is done with a job.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::contract::kind_of;
use waystation_core::id::{JobId, StageId};
use waystation_core::port::Abort;
use waystation_engine::{JobError, RetryWith};

use crate::audit::Detail;
use crate::context::Context;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::Actor;
use crate::dashboard::{flash, href};
use crate::extract::Path;

/// Why somebody wants it.
#[derive(Deserialize)]
pub struct Aborting {
    #[serde(default)]
    reason: String,
}

/// Aborts it.
pub async fn abort(
    State(context): State<Context>,
    Path(job_id): Path<String>,
    Actor(visit): Actor,
    Form(Aborting { reason }): Form<Aborting>,
) -> Result<(Detail, Response), Refused> {
    let job_id = JobId::from(job_id);
    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).unwrap_or("aborted");
    let answer = context.client().abort_as(&job_id, reason, &visit.identity.name).await?;
    let back = href::job(&job_id);
    let response = match answer {
        Abort::Done => flash::done(&back, "the job is aborted"),
        Abort::Requested => flash::done(&back, "its worker is told to stop"),
        Abort::TooLate => flash::failed(&back, "the job had ended already"),
        Abort::Unknown => return Err(Refused::not_found("job", job_id)),
    };
    Ok((Detail(json!({ "reason": reason })), response))
}

/// How somebody wants it tried again.
#[derive(Deserialize)]
pub struct Retrying {
    #[serde(default)]
    from: String,
    #[serde(default)]
    params: String,
}

/// Tries it again.
pub async fn retry(
    State(context): State<Context>,
    Path(job_id): Path<String>,
    Actor(visit): Actor,
    Form(Retrying { from, params }): Form<Retrying>,
) -> Result<(Detail, Response), Refused> {
    let job_id = JobId::from(job_id);
    let back = href::job(&job_id);
    let job = context.backend().store.job(&job_id).await?;
    let job = job.ok_or_else(|| Refused::not_found("job", &job_id))?;
    let from = Some(from.trim()).filter(|from| !from.is_empty()).map(StageId::from);
    let params = match read_params(&params) {
        Ok(params) => params.filter(|params| *params != job.params),
        Err(why) => return Ok((Detail(Value::Null), flash::failed(&back, why))),
    };
    let detail = Detail(json!({ "from": from, "edited": params.is_some() }));
    let how = RetryWith { from, params, by: Some(visit.identity.name) };
    let answer = context.client().retry_with(&job_id, how).await;
    Ok((detail, answered(&back, answer, "the job is tried again")))
}

/// Drops its dead letter.
pub async fn drop_dead(
    State(context): State<Context>,
    Path(job_id): Path<String>,
    Actor(visit): Actor,
) -> Result<Response, Refused> {
    let job_id = JobId::from(job_id);
    let answer = context.client().drop_dead_as(&job_id, &visit.identity.name).await;
    Ok(answered(&href::job(&job_id), answer, "its dead letter is dropped; the job stays failed"))
}

fn answered(back: &str, answer: Result<(), JobError>, words: &str) -> Response {
    match answer {
        Ok(()) => flash::done(back, words),
        Err(error) => flash::failed(back, error.to_string()),
    }
}

/// The params that somebody wrote, if they wrote any.
fn read_params(text: &str) -> Result<Option<Params>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(params)) => Ok(Some(params)),
        Ok(other) => Err(format!("params must be an object, not {}", kind_of(&other))),
        Err(error) => Err(format!("params are no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_that_people_write_are_an_object() {
        assert_eq!(read_params("  "), Ok(None));
        assert_eq!(
            read_params(r#"{"a": 1}"#).map(|params| params.map(|one| one.len())),
            Ok(Some(1))
        );
        assert_eq!(read_params("[1]"), Err("params must be an object, not an array".to_owned()));
        assert!(read_params("{").is_err());
    }
}
