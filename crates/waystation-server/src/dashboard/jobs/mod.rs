//! The jobs: filters, and what can be done with some or all of them.

mod acts;
pub mod filter;
mod query;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use waystation_core::job::{JobPage, JobRecord};
use waystation_core::state::JobState;

use self::filter::Filter;
use self::query::Jobs;
use super::href;
use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::moment;
use super::parts::words::sentence;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::extract::Query;
use crate::live::Topic;

/// The most letters of an id in a table.
const LETTERS_MAX: usize = 28;
/// What begins within this time is due.
const SOON: Duration = Duration::from_secs(1);

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/jobs", get(show)).route("/jobs", post(acts::act))
}

async fn show(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let jobs = query::read(&context, Filter::read(&pairs)).await?;
    let topic = match &*jobs.filter.pipeline {
        "" => Topic::All,
        name => Topic::Pipeline(name.into()),
    };
    let page = Page::new(&visit, Place::Jobs, "Jobs")
        .follow(&topic)
        .live("states", "states", || states(&jobs))
        .with(filters(&jobs))
        .live("jobs", "card", || listing(&jobs, visit.may_act()));
    let mut response = page.respond();
    if let Err(problem) = &jobs.page {
        *response.status_mut() = problem.code.status();
    }
    Ok(response)
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
            details.more open[!from.is_empty() || !until.is_empty()] {
                summary { "Dates" }
                div.row {
                    label { span { "Submitted from (UTC)" }
                        input type="datetime-local" name="from" value=(from);
                    }
                    label { span { "and before (UTC)" }
                        input type="datetime-local" name="until" value=(until);
                    }
                }
            }
            div.buttons {
                button { "Filter" }
                @if !jobs.filter.is_open() { a.button.quiet href="/jobs" { "Clear" } }
            }
        }
    }
}

fn listing(jobs: &Jobs, may_act: bool) -> Markup {
    html! {
        h2.hidden { "Jobs" }
        @if !jobs.filter.parent.is_empty() {
            p.note { "Children of " a.id href=(href::job(&(&*jobs.filter.parent).into())) {
                (jobs.filter.parent)
            } }
        }
        @match &jobs.page {
            Err(problem) => p.flash.bad role="alert" { (sentence(&problem.detail)) },
            Ok(page) => {
                @if page.jobs.is_empty() { (nothing(jobs, page)) }
                @else if may_act {
                    form method="post" action="/jobs" data-select {
                        (bulk(jobs))
                        (table(jobs, page, true))
                    }
                } @else { (table(jobs, page, false)) }
                (pages(jobs, page))
            }
        }
    }
}

fn nothing(jobs: &Jobs, page: &JobPage) -> Markup {
    html! {
        div.empty {
            @if page.next.is_some() {
                p { "None among the newest jobs." }
            } @else if jobs.filter.is_open() {
                p { "No job has been submitted yet." }
                p { code { "waystation submit PIPELINE" } }
            } @else {
                p { "No job is like that." }
                p { a.button href="/jobs" { "Show all jobs" } }
            }
        }
    }
}

fn pages(jobs: &Jobs, page: &JobPage) -> Markup {
    html! {
        nav.pages aria-label="Pages of jobs" {
            @if !jobs.filter.before.is_empty() {
                a.button href=(jobs.filter.address(None)) { "Newest" }
            }
            @if let Some(next) = &page.next {
                a.button href=(jobs.filter.address(Some(next))) rel="next" {
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

fn table(jobs: &Jobs, page: &JobPage, may_act: bool) -> Markup {
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
            tbody { @for job in &page.jobs {
                tr id={ "job-" (job.job_id) } {
                    @if may_act {
                        td.check { input type="checkbox" name="job" value=(job.job_id)
                            aria-label={ "Choose job " (job.job_id) }; }
                    }
                    td data-label="Job" { a.id href=(href::job(&job.job_id)) title=(job.job_id) {
                        (short(job.job_id.as_str()))
                    } }
                    td data-label="State" { (badge::state(job.state)) }
                    td.name data-label="Pipeline" title=(job.pipeline) {
                        a href=(href::pipeline(&job.pipeline)) { (job.pipeline) }
                    }
                    td.name data-label="Stage" title=(job.stage) { (job.stage) }
                    td.wide.cut data-label="Last word" { (last_word(job, jobs)) }
                    td.number data-label="Submitted" { (moment::ago(job.created_at, jobs.now)) }
                    td.number data-label="Changed" { (moment::ago(job.updated_at, jobs.now)) }
                }
            } }
        } }
    }
}

/// An id as far as it tells jobs apart: UUIDs that grow with time differ at their ends, and those
/// of children begin with their parent's.
pub fn short(id: &str) -> String {
    let (own, place) = id.split_once('.').map_or((id, None), |(own, place)| (own, Some(place)));
    let is_uuid = own.len() == 36 && own.bytes().filter(|byte| *byte == b'-').count() == 4;
    let letters = id.chars().count();
    match (own.get(24..), place) {
        (Some(end), None) if is_uuid => format!("…{end}"),
        (Some(end), Some(place)) if is_uuid && place.len() <= LETTERS_MAX / 2 => {
            format!("…{end}.{place}")
        }
        _ if letters > LETTERS_MAX => {
            let end: String = id.chars().skip(letters - LETTERS_MAX / 2).collect();
            let start: String = id.chars().take(LETTERS_MAX / 2 - 1).collect();
            format!("{start}…{end}")
        }
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
        } @else if let Some(at) = job.not_before.filter(|at| at.since(jobs.now) > SOON) {
            "not before " (moment::ago(at, jobs.now))
        } @else if job.state == JobState::Retrying {
            "due now"
        } @else if job.state.is_terminal() {
            "took " (moment::lasted(job.updated_at.since(job.created_at)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_tell_jobs_apart() {
        let uuid = "01a20941-9059-73e9-9291-672aa0b1c2d3";
        for (id, shown) in [
            (uuid.to_owned(), "…672aa0b1c2d3"),
            (format!("{uuid}.3-17"), "…672aa0b1c2d3.3-17"),
            ("order-4711".to_owned(), "order-4711"),
            ("a-name-that-is-far-too-long-for-a-table".to_owned(), "a-name-that-i…ng-for-a-table"),
        ] {
            assert_eq!(short(&id), shown);
        }
    }
}
