//! What is done with jobs that were chosen, or with all that match.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use waystation_core::id::JobId;
use waystation_core::port::Abort;

use super::filter::{Filter, PAGE};
use crate::context::Context;
use crate::dashboard::flash;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::Actor;
use crate::problem::{Code, Problem};

/// What is to be done.
#[derive(Clone, Copy)]
enum Act {
    Retry,
    Abort,
}

/// Does it with those that were chosen.
pub async fn act(
    State(context): State<Context>,
    Actor(visit): Actor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Refused> {
    let filter = Filter::read(&pairs)?;
    let back = filter.address(None);
    let jobs = pairs.iter().filter(|(name, _)| name == "job");
    let jobs: Vec<_> = jobs.map(|(_, job_id)| JobId::from(job_id.as_str())).collect();
    let act = match pairs.iter().find(|(name, _)| name == "act").map(|(_, act)| &**act) {
        Some("retry") => Act::Retry,
        Some("abort") => Act::Abort,
        _ => return Err(Problem::new(Code::Invalid, "it is not said what is to be done").into()),
    };
    if jobs.is_empty() {
        return Ok(flash::failed(&back, "no job is chosen"));
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
    };
    let words = format!("{done} of {} jobs: {verb}", jobs.len());
    Ok(match problems.first() {
        None => flash::done(&back, words),
        Some(first) => flash::failed(&back, format!("{words}; {first}")),
    })
}

async fn act_on(context: &Context, act: Act, job_id: &JobId, by: &str) -> Result<(), String> {
    let client = context.client();
    match act {
        Act::Retry => client.retry(job_id).await.map_err(|error| error.to_string()),
        Act::Abort => {
            let answer = client.abort(job_id, &format!("aborted by {by}")).await;
            match answer.map_err(|error| error.to_string())? {
                Abort::Done | Abort::Requested => Ok(()),
                Abort::TooLate => Err(format!("job {job_id} had ended already")),
                Abort::Unknown => Err(format!("there is no job {job_id}")),
            }
        }
    }
}
