//! The jobs: filters, and what can be done with some or all of them.

mod acts;
pub mod filter;
mod query;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use waystation_core::job::JobRecord;
use waystation_core::state::JobState;

use self::filter::Filter;
use self::query::Jobs;
use super::href;
use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::moment;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::extract::Query;
use crate::live::Topic;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/jobs", get(show)).route("/jobs", post(acts::act))
}

async fn show(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let jobs = query::read(&context, Filter::read(&pairs)?).await?;
    let topic = match &*jobs.filter.pipeline {
        "" => Topic::All,
        name => Topic::Pipeline(name.into()),
    };
    let page = Page::new(&visit, Place::Jobs, "Jobs")
        .follow(&topic)
        .live("states", "states", || states(&jobs))
        .with(filters(&jobs))
        .live("jobs", "card", || listing(&jobs, visit.may_act()));
    Ok(page.respond())
}

/// How many stand where, each a link to them.
fn states(jobs: &Jobs) -> Markup {
    let link = |states: Vec<JobState>| {
        Filter { states, before: String::new(), ..jobs.filter.clone() }.address(None)
    };
    let total: u64 = jobs.states.iter().map(|(_, count)| count).sum();
    html! {
        h2.hidden { "States" }
        ul.chips {
            @let open = current(jobs.filter.states.is_empty());
            li { a.chip href=(link(Vec::new())) aria-current=[open] {
                "all " b { (number(total)) }
            } }
            @for (state, count) in &jobs.states {
                @let chosen = jobs.filter.states == [*state];
                li { a.chip.(badge::class(*state)) href=(link(vec![*state]))
                    aria-current=[current(chosen)] { (state) " " b { (number(*count)) } } }
            }
        }
    }
}

fn current(is_current: bool) -> Option<&'static str> {
    is_current.then_some("true")
}

fn filters(jobs: &Jobs) -> Markup {
    let Filter { pipeline, stage, text, from, until, parent, states, .. } = &jobs.filter;
    let states: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    html! {
        form.filters method="get" action="/jobs" role="search" {
            input type="hidden" name="state" value=(states.join(","));
            @if !parent.is_empty() { input type="hidden" name="parent" value=(parent); }
            label { span { "Pipeline" }
                select name="pipeline" {
                    option value="" { "all" }
                    @for name in &jobs.pipelines {
                        option value=(name) selected[name.as_str() == pipeline] { (name) }
                    }
                }
            }
            label { span { "Stage" }
                select name="stage" {
                    option value="" { "all" }
                    @for name in &jobs.stages {
                        option value=(name) selected[name.as_str() == stage] { (name) }
                    }
                }
            }
            label.grow { span { "Text in the id or the params" }
                input type="search" name="text" value=(text) data-key="/";
            }
            label { span { "Submitted from (UTC)" }
                input type="datetime-local" name="from" value=(from);
            }
            label { span { "before (UTC)" }
                input type="datetime-local" name="until" value=(until);
            }
            div.buttons {
                button { "Filter" }
                @if !jobs.filter.is_open() { a.button.quiet href="/jobs" { "Clear" } }
            }
        }
    }
}

fn listing(jobs: &Jobs, may_act: bool) -> Markup {
    let page = &jobs.page;
    html! {
        h2.hidden { "Jobs" }
        @if !jobs.filter.parent.is_empty() {
            p.note { "Children of " a href=(href::job(&(&*jobs.filter.parent).into())) {
                (jobs.filter.parent)
            } }
        }
        @if page.jobs.is_empty() {
            p.empty { @match page.next {
                Some(_) => "None among the newest jobs.",
                None => "No job is like that.",
            } }
        } @else if may_act {
            form method="post" action="/jobs" data-select {
                (bulk(jobs))
                (table(jobs, true))
            }
        } @else { (table(jobs, false)) }
        nav.pages aria-label="Pages of jobs" {
            @if !jobs.filter.before.is_empty() {
                a.button.quiet href=(jobs.filter.address(None)) { "Newest" }
            }
            @if let Some(next) = &page.next {
                a.button.quiet href=(jobs.filter.address(Some(next))) rel="next" {
                    @if page.jobs.len() < filter::PAGE { "Search on among older jobs" }
                    @else { "Older" }
                }
            }
        }
    }
}

/// What can be done with those that are chosen, and with all that match.
fn bulk(jobs: &Jobs) -> Markup {
    html! {
        @for (name, value) in jobs.filter.pairs() { input type="hidden" name=(name) value=(value); }
        div.bulk {
            span.count data-select-count { "With the chosen:" }
            button.small data-select-act name="act" value="retry" { "Retry" }
            button.small.danger data-select-act name="act" value="abort" { "Abort" }
            span.gap {}
            span { "With all that match:" }
            button.small name="act" value="retry-all" { "Retry all failed…" }
            button.small.danger name="act" value="abort-all" { "Abort all…" }
        }
    }
}

fn table(jobs: &Jobs, may_act: bool) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                @if may_act {
                    th.check { input.js-only type="checkbox" data-select-all
                        aria-label="Choose all jobs of this page"; }
                }
                th { "Job" } th { "State" } th { "Pipeline" } th { "Stage" }
                th.wide { "Last word" } th.number { "Submitted" } th.number { "Changed" }
            } }
            tbody { @for job in &jobs.page.jobs {
                tr id={ "job-" (job.job_id) } {
                    @if may_act {
                        td.check { input type="checkbox" name="job" value=(job.job_id)
                            aria-label={ "Choose job " (job.job_id) }; }
                    }
                    td data-label="Job" { a.id href=(href::job(&job.job_id)) title=(job.job_id) {
                        (short(job.job_id.as_str()))
                    } }
                    td data-label="State" { (badge::state(job.state)) }
                    td data-label="Pipeline" { a.plain href=(href::pipeline(&job.pipeline)) {
                        (job.pipeline)
                    } }
                    td data-label="Stage" { (job.stage) }
                    td.wide.cut data-label="Last word" { (last_word(job, jobs)) }
                    td.number data-label="Submitted" { (moment::ago(job.created_at, jobs.now)) }
                    td.number data-label="Changed" { (moment::ago(job.updated_at, jobs.now)) }
                }
            } }
        } }
    }
}

/// An id as far as it tells jobs apart: UUIDs that grow with time differ at their ends.
pub fn short(id: &str) -> String {
    let is_uuid = id.len() == 36 && id.bytes().filter(|byte| *byte == b'-').count() == 4;
    match id.get(24..) {
        Some(end) if is_uuid => format!("…{end}"),
        _ if id.chars().count() > 28 => format!("{}…", id.chars().take(27).collect::<String>()),
        _ => id.to_owned(),
    }
}

/// What is most worth knowing of a job besides its state.
fn last_word(job: &JobRecord, jobs: &Jobs) -> Markup {
    html! {
        @if let Some(failure) = job.failure.as_ref().filter(|_| job.state == JobState::Failed) {
            span.text-failed title=(failure) { (failure.kind) ": " (failure.message) }
        } @else if let Some(progress) = &job.progress {
            progress max="100" value=(progress.percent.round()) {}
            " " (progress.percent.round()) " % " (progress.message)
        } @else if let Some(at) = job.not_before.filter(|at| *at > jobs.now) {
            "not before " (moment::ago(at, jobs.now))
        }
    }
}
