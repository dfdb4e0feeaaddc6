//! What is done with a task.

use std::time::Duration;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use waystation_core::Params;
use waystation_core::port::{TaskChange, TaskChanged};
use waystation_engine::AnswerError;
use waystation_engine::decide::Answer;

use super::query::{self, Filter, Opened};
use super::{panel_page, task_address};
use crate::audit::Detail;
use crate::context::Context;
use crate::dashboard::flash;
use crate::dashboard::parts::form;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::{Actor, Visit};
use crate::extract::{Path, Query};
use crate::problem::{Code, Problem};

/// How long a task is somebody's who claims it here.
const CLAIM_LASTS: Duration = Duration::from_mins(15);

type Pairs = Vec<(String, String)>;

/// Answers it, and goes on to the next.
pub async fn answer(
    State(context): State<Context>,
    Path(task_id): Path<i64>,
    Query(query): Query<Pairs>,
    Actor(visit): Actor,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Refused> {
    let filter = Filter::read(&query);
    let Some(opened) = query::open(&context, task_id).await? else {
        return gone(&context, &filter, &visit, task_id).await;
    };
    let texts = form::sent(&pairs);
    let fields = match &opened.form {
        Ok(form) => form::answer(form, &texts),
        Err(why) => Err(vec![why.clone()]),
    };
    let problems = match fields {
        Ok(fields) => match give(&context, task_id, fields, &visit).await? {
            Given::Taken => {
                let to = after(&context, &filter, &visit, task_id).await?;
                return Ok(flash::done(&to, format!("task {task_id} is answered")));
            }
            Given::Gone => return gone(&context, &filter, &visit, task_id).await,
            Given::Refused(problem) => vec![problem],
        },
        Err(problems) => problems,
    };
    refused(&context, filter, &visit, &opened, &texts, &problems).await
}

/// What came of an answer.
enum Given {
    Taken,
    Gone,
    Refused(String),
}

async fn give(
    context: &Context,
    task_id: i64,
    fields: Params,
    visit: &Visit,
) -> Result<Given, Refused> {
    let answer = Answer { fields, by: Some(visit.identity.name.clone()) };
    match context.client().answer(task_id, answer).await {
        Ok(_) => Ok(Given::Taken),
        Err(AnswerError::Unknown(_)) => Ok(Given::Gone),
        Err(AnswerError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Given::Refused(error.to_string())),
    }
}

/// Shows the task again with what was written and what is wrong with it.
async fn refused(
    context: &Context,
    filter: Filter,
    visit: &Visit,
    opened: &Opened,
    texts: &form::Texts,
    problems: &[String],
) -> Result<Response, Refused> {
    let inbox = query::list(context, filter, &visit.identity.name).await?;
    let page = panel_page(visit, &inbox, opened, texts, problems).respond();
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn gone(
    context: &Context,
    filter: &Filter,
    visit: &Visit,
    task_id: i64,
) -> Result<Response, Refused> {
    let to = after(context, filter, visit, task_id).await?;
    Ok(flash::failed(&to, format!("task {task_id} is not there any more: it was answered")))
}

/// Where somebody goes on.
async fn after(
    context: &Context,
    filter: &Filter,
    visit: &Visit,
    task_id: i64,
) -> Result<String, Refused> {
    let next = query::next(context, filter, &visit.identity.name, task_id).await?;
    Ok(match next {
        Some(next) => task_address(next, filter),
        None => format!("/inbox{}", filter.query()),
    })
}

/// Claims it, or gives it back.
pub async fn hold(
    State(context): State<Context>,
    Path(task_id): Path<i64>,
    Query(query): Query<Pairs>,
    Actor(visit): Actor,
    Form(pairs): Form<Pairs>,
) -> Result<(Detail, Response), Refused> {
    let by = visit.identity.name.clone();
    let act = pairs.iter().find(|(name, _)| name == "act").map(|(_, act)| &**act);
    let (change, words) = match act {
        Some("claim") => {
            let until = context.now().plus(CLAIM_LASTS);
            (TaskChange::Claim { by, until }, "the task is yours for 15 minutes")
        }
        Some("release") => (TaskChange::Release { by }, "the task is nobody's again"),
        _ => return Err(Problem::new(Code::Invalid, "a task is claimed or released").into()),
    };
    let detail = Detail(json!({ "act": act }));
    let filter = Filter::read(&query);
    let back = task_address(task_id, &filter);
    let response = match context.backend().store.change_task(task_id, change).await? {
        TaskChanged::Done(_) => flash::done(&back, words),
        TaskChanged::Held(task) => {
            let holder = task.assignee.unwrap_or_default();
            flash::failed(&back, format!("the task is held by {holder}"))
        }
        TaskChanged::Unknown => gone(&context, &filter, &visit, task_id).await?,
    };
    Ok((detail, response))
}
