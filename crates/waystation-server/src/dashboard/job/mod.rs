//! A job: where it stands and why, what happened to it, and what can be done.

mod acts;
mod changes;
mod query;
mod runs;
mod timeline;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde_json::Value;
use waystation_core::event::LogLine;
use waystation_core::id::JobId;
use waystation_core::state::JobState;

use self::query::Shown;
use super::page::{Page, Place};
use super::parts::words::sentence;
use super::parts::{badge, moment, preview, value};
use super::refused::Refused;
use super::visit::Visit;
use super::{href, jobs};
use crate::context::Context;
use crate::extract::Path;
use crate::live::Topic;

/// The most log lines that a page shows: the last ones.
const LINES_MAX: usize = 300;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/jobs/{job_id}", get(show))
        .route("/jobs/{job_id}/abort", post(acts::abort))
        .route("/jobs/{job_id}/retry", post(acts::retry))
        .route("/jobs/{job_id}/drop", post(acts::drop_dead))
}

async fn show(
    State(context): State<Context>,
    Path(job_id): Path<String>,
    visit: Visit,
) -> Result<Response, Refused> {
    let job_id = JobId::from(job_id);
    let shown = query::read(&context, &job_id).await?;
    let shown = shown.ok_or_else(|| Refused::not_found("job", &job_id))?;
    let page = Page::new(&visit, Place::Jobs, job_id.as_str())
        .below()
        .follow(&Topic::Job(job_id))
        .live("facts", "card facts", || facts(&shown))
        .live("why", why_class(shown.job.state), || why(&shown))
        .live("acts", "acts", || acts(&shown, visit.may_act()))
        .live("timeline", "card", || timeline::timeline(&shown))
        .live("log", "card", || log(&shown.log, shown.job.state))
        .live("params", "card half", || params(&shown))
        .live("events", "card half", || timeline::events(&shown));
    Ok(page.respond())
}

fn facts(shown: &Shown) -> Markup {
    let Shown { job, now, .. } = shown;
    html! {
        h2.hidden { "Facts" }
        dl {
            div { dt { "State" } dd { (badge::state(job.state)) " at " b { (job.stage) } } }
            div { dt { "Pipeline" } dd {
                a href=(href::pipeline(&job.pipeline)) { (job.pipeline) }
                span.faint { " version " (job.pipeline_version) }
            } }
            div { dt { "Submitted" } dd { (moment::ago(job.created_at, *now)) } }
            div { dt { "Changed" } dd { (moment::ago(job.updated_at, *now)) } }
            @if job.state.is_terminal() {
                div { dt { "Took" } dd { (moment::lasted(job.updated_at.since(job.created_at))) } }
            }
            @if let Some(deadline) = shown.deadline {
                div { dt { "Deadline" } dd { (moment::ago(deadline, *now)) } }
            }
            @if job.deliveries > 1 {
                div { dt { "Delivered" } dd { (job.deliveries) " times to this stage" } }
            }
            @if let Some(parent) = &job.parent {
                div { dt { "Child of" } dd {
                    a href=(href::job(&parent.job_id)) { (jobs::short(parent.job_id.as_str())) }
                } }
            }
            @if shown.has_children {
                div { dt { "Children" } dd {
                    a href={ "/jobs" (href::query([("parent", job.job_id.as_str())])) } {
                        "Show them"
                    }
                } }
            }
        }
        (progress(shown))
    }
}

/// How far the attempt is. The script fills it in as it goes on.
fn progress(shown: &Shown) -> Markup {
    let told = shown.job.progress.as_ref();
    let percent = told.map_or(0.0, |told| told.percent);
    html! {
        div.progress data-progress hidden[told.is_none()] {
            progress max="100" value=(percent) aria-label="Progress" {}
            span.figure data-progress-percent { (percent.round()) " %" }
            span.message data-progress-message { (told.map_or("", |told| &*told.message)) }
        }
    }
}

/// The card with the answer, in the colour of what wants attention.
fn why_class(state: JobState) -> &'static str {
    match state {
        JobState::Failed => "card why failed",
        JobState::Aborted => "card why aborted",
        JobState::Completed | JobState::Skipped => "card why completed",
        JobState::Waiting => "card why waiting",
        JobState::Retrying => "card why retrying",
        _ => "card why",
    }
}

fn why(shown: &Shown) -> Markup {
    let job = &shown.job;
    html! {
        h2 { @match job.state {
            JobState::Failed => "Why it failed, and what happens next",
            state if state.is_terminal() => "How it ended",
            JobState::Running => "What it does",
            _ => "Why it is waiting",
        } }
        ul.words { @for words in &shown.why { li { (sentence(words)) } } }
        @if let Some(task_id) = shown.task_id {
            p { a.button.primary href=(href::task(task_id)) { "Open the task" } }
        }
    }
}

fn acts(shown: &Shown, may_act: bool) -> Markup {
    let job = &shown.job;
    let at = |act: &str| format!("{}/{act}", href::job(&job.job_id));
    html! {
        @if may_act && !job.state.is_terminal() {
            form.row method="post" action=(at("abort")) {
                input name="reason" placeholder="Reason" aria-label="Why it is aborted"
                    maxlength="500";
                button.danger { "Abort" }
            }
        }
        @if may_act && job.state == JobState::Failed {
            form.row method="post" action=(at("retry")) {
                button.primary { "Retry at " (job.stage) }
            }
            form.row method="post" action=(at("drop")) {
                button.quiet title="The job stays failed, and nobody can retry it any more" {
                    "Drop"
                }
            }
            details #retry-with .card {
                summary { "Retry from another stage, or with other params" }
                form.stack method="post" action=(at("retry")) {
                    label { span { "From" }
                        select name="from" {
                            @for stage in shown.graph.iter().flat_map(|one| &one.pipeline.stages) {
                                option selected[stage.id == job.stage] { (stage.id) }
                            }
                        }
                    }
                    label { span { "Params (JSON)" }
                        textarea.code name="params" rows="12" spellcheck="false" {
                            (value::pretty(&Value::Object(job.params.clone())))
                        }
                    }
                    div.buttons { button { "Retry with these" } }
                }
            }
        }
    }
}

fn params(shown: &Shown) -> Markup {
    html! {
        div.title { h2 { "Params now" } }
        (value::params(&shown.job.params))
        (preview::all(&shown.job.params))
    }
}

fn log(log: &[LogLine], state: JobState) -> Markup {
    let left_out = log.len().saturating_sub(LINES_MAX);
    html! {
        div.title { h2 { "Log" }
            @if !log.is_empty() { span.faint { "in UTC" } } }
        @if log.is_empty() && state != JobState::Running {
            p.faint.without { "No attempt has written a line." }
        }
        @if left_out > 0 { p.faint { (left_out) " earlier lines are not shown" } }
        ol.log data-log=(log.len()) tabindex="0" aria-label="Lines that are kept" {
            @for line in &log[left_out..] {
                li.(line.level.as_str()) {
                    (moment::clock(line.at)) span.stage { (line.stage) }
                    span.line { (line.line) }
                }
            }
        }
        @if state == JobState::Running {
            p.faint.without { "What the running attempt writes from now on follows here." }
        }
        ol.log.fresh data-log-fresh data-keep tabindex="0" aria-live="polite"
            aria-label="Lines as they come" {}
    }
}
