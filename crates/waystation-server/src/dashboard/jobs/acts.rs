//! What is done with jobs that were chosen, or with all that match.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_engine::RetryWith;

use super::filter::{Filter, PAGE};
use crate::audit::Detail;
use crate::context::Context;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::Actor;
use crate::dashboard::{flash, href};
use crate::problem::{Code, Problem};

/// What is to be done.
#[derive(Clone, Copy)]
enum Act {
    Retry,
    Abort,
    Drop,
}

/// Does it with those that were chosen.
pub async fn act(
    State(context): State<Context>,
    Actor(visit): Actor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<(Detail, Response), Refused> {
    let filter = Filter::read(&pairs);
    let field = |wanted: &str| {
        pairs.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| &**value)
    };
    let back = match field("back") {
        "" => filter.address(None),
        back => href::own(back).to_owned(),
    };
    let jobs = pairs.iter().filter(|(name, _)| name == "job");
    let jobs: Vec<_> = jobs.map(|(_, job_id)| JobId::from(job_id.as_str())).collect();
    if let Some(act) = field("act").strip_suffix("-all") {
        let asked = Detail(json!({ "asked": act }));
        return Ok((asked, Redirect::to(&asking(act, &filter)).into_response()));
    }
    let act = match field("act") {
        "retry" => Act::Retry,
        "abort" => Act::Abort,
        "drop" => Act::Drop,
        _ => return Err(Problem::new(Code::Invalid, "it is not said what is to be done").into()),
    };
    if jobs.is_empty() {
        return Ok((Detail(Value::Null), flash::failed(&back, "no job is chosen")));
    }
    if jobs.len() > PAGE {
        let why = format!("{} jobs are chosen, and a page has {PAGE}", jobs.len());
        return Err(Problem::new(Code::TooLarge, why).into());
    }
    let mut problems = Vec::new();
    for job_id in &jobs {
        if let Err(problem) = act_on(&context, act, job_id, &visit.identity.name).await {
            problems.push(problem);
        }
    }
    let done = jobs.len() - problems.len();
    let verb = match act {
        Act::Retry => "tried again",
        Act::Abort => "aborted",
        Act::Drop => "dropped",
    };
    let words = format!("{done} of {} jobs: {verb}", jobs.len());
    let detail = Detail(json!({ "act": field("act"), "jobs": jobs }));
    let response = match problems.first() {
        None => flash::done(&back, words),
        Some(first) => flash::failed(&back, format!("{words}; {first}")),
    };
    Ok((detail, response))
}

/// The page that asks before it is done to all that match.
fn asking(act: &str, filter: &Filter) -> String {
    let pairs = filter.pairs();
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    format!("/operations/new{}", href::query(pairs.chain([("act", act)])))
}

async fn act_on(context: &Context, act: Act, job_id: &JobId, by: &str) -> Result<(), String> {
    let client = context.client();
    match act {
        Act::Retry => {
            let how = RetryWith { by: Some(by.to_owned()), ..RetryWith::default() };
            client.retry_with(job_id, how).await.map_err(|error| error.to_string())
        }
        Act::Drop => client.drop_dead_as(job_id, by).await.map_err(|error| error.to_string()),
        Act::Abort => {
            let answer = client.abort_as(job_id, "aborted", by).await;
            match answer.map_err(|error| error.to_string())? {
                Abort::Done | Abort::Requested => Ok(()),
                Abort::TooLate => Err(format!("job {job_id} had ended already")),
                Abort::Unknown => Err(format!("there is no job {job_id}")),
            }
        }
    }
}
