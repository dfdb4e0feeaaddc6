//! The overview: how it goes, and what wants somebody's attention.

mod query;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::id::PipelineName;
use waystation_core::state::JobState;

use self::query::Overview;
use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::chart::{Chart, Series};
use super::parts::moment;
use super::refused::Refused;
use super::visit::Visit;
use super::{href, jobs, pausing};
use crate::context::Context;
use crate::figures::Sums;
use crate::live::Topic;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let overview = query::read(&context).await?;
    let page = Page::new(&visit, Place::Overview, "Overview").follow(&Topic::All);
    if overview.pipelines.is_empty() {
        return Ok(page.live("beginning", "card beginning", || beginning(&overview)).respond());
    }
    let pauses: Vec<_> = overview.pauses.iter().collect();
    let page = page
        .live("held", "", || pausing::notices(&pauses, overview.now, "/", visit.may_act()))
        .live("figures", "tiles", || figures(&overview))
        .live("throughput", "card half", || throughput(&overview))
        .live("latency", "card half", || latency(&overview))
        .live("pipelines", "card", || pipelines(&overview))
        .live("failed", "card half", || failed(&overview))
        .live("waiting", "card half", || waiting(&overview));
    Ok(page.respond())
}

/// What there is to see before the first job.
fn beginning(overview: &Overview) -> Markup {
    html! {
        h2 { @if overview.known == 0 { "Nothing is here yet" } @else { "No job has come yet" } }
        ol.steps {
            @if overview.known == 0 {
                li { "Write a pipeline, and let this machine work at it:"
                    pre.command { "waystation run PIPELINE.yaml" } }
            } @else {
                li { "The store knows " (number(overview.known))
                    @if overview.known == 1 { " pipeline: " } @else { " pipelines: " }
                    a href="/pipelines" { "look at what is there" } "." }
            }
            li { "Give it a job:"
                pre.command { "waystation submit PIPELINE --params '{\"name\": \"Ann\"}'" } }
            li { "Watch it here: this page follows by itself." }
        }
        p.note { "Or see everything at once with photographed pages: "
            code { "waystation demo" } "." }
    }
}

fn figures(overview: &Overview) -> Markup {
    let Sums { completed, failed, retried, .. } = overview.hour;
    let (ready, oldest) = overview.backlog();
    let share = failed as f64 * 100.0 / (completed + failed).max(1) as f64;
    let took = |share| overview.took.percentile(share).map_or("–".to_owned(), moment::lasted);
    html! {
        h2.hidden { "Figures" }
        (tile("/jobs?state=completed", "Throughput", &format!("{} / min", rate(overview.rate)),
            &html! { (number(completed)) " completed within the hour" }))
        (tile("/dead", "Failures", &format!("{} %", rate(share)), &html! {
            (number(failed)) " failed, " (number(retried)) " retried within the hour"
        }))
        (tile("/pipelines", "Latency ≈ p50", &took(0.5), &html! {
            "p99 ≈ " (took(0.99)) ", last 15 min"
        }))
        (tile("/queues", "Backlog", &number(ready), &html! {
            @match oldest {
                Some(at) => { "oldest waits for " (moment::age(at, overview.now)) }
                None => "nothing waits in a queue"
            }
        }))
        (tile("/jobs?state=running", "Running", &number(overview.standing(JobState::Running)),
            &html! { (number(overview.standing(JobState::Retrying))) " to be retried" }))
        (tile("/jobs?state=waiting", "Waiting", &number(overview.standing(JobState::Waiting)),
            &html! { "for people, joins or limits" }))
    }
}

fn tile(address: &str, name: &str, value: &str, more: &Markup) -> Markup {
    html! {
        a.tile href=(address) { p.name { (name) } p.figure { (value) } p.more { (more) } }
    }
}

/// A rate with as many places as it needs.
fn rate(rate: f64) -> String {
    if rate.fract() == 0.0 || rate >= 99.5 {
        number(rate.round() as u64)
    } else {
        format!("{rate:.1}")
    }
}

fn throughput(overview: &Overview) -> Markup {
    let minutes = &overview.minutes;
    let series = |name, class, of: fn(&Sums) -> u64| {
        let values = minutes.iter().map(|(_, sums)| Some(of(sums) as f64)).collect();
        Series { name, class, values }
    };
    let Sums { completed, failed, .. } = overview.hour;
    let chart = Chart {
        label: format!("Jobs that ended, minute by minute: {completed} completed, {failed} failed"),
        series: vec![
            series("completed", "completed", |minute| minute.completed),
            series("failed", "failed", |minute| minute.failed),
        ],
        places: minutes.iter().map(|(at, _)| moment::hour(*at)).collect(),
        write: &|value| rate(value),
    };
    html! { div.title { h2 { "Jobs ended per minute" } (chart.legend()) } (chart.bars()) }
}

fn latency(overview: &Overview) -> Markup {
    let minutes = &overview.minutes;
    let series = |name, class, share| {
        let took = |sums: &Sums| sums.took.percentile(share).map(|took| took.as_secs_f64());
        Series { name, class, values: minutes.iter().map(|(_, sums)| took(sums)).collect() }
    };
    let chart = Chart {
        label: "How long jobs took that completed, minute by minute".into(),
        series: vec![series("≈ p50", "running", 0.5), series("≈ p99", "waiting", 0.99)],
        places: minutes.iter().map(|(at, _)| moment::hour(*at)).collect(),
        write: &|seconds| moment::lasted(Duration::from_secs_f64(seconds.max(0.0))),
    };
    html! { div.title { h2 { "From submitted to completed" } (chart.legend()) } (chart.lines()) }
}

fn pipelines(overview: &Overview) -> Markup {
    let columns = [
        JobState::Queued,
        JobState::Running,
        JobState::Retrying,
        JobState::Waiting,
        JobState::Failed,
        JobState::Completed,
    ];
    html! {
        div.title { h2 { "Pipelines" } span.faint { "jobs by their state" } }
        div.scroll { table {
            thead { tr {
                th { "Pipeline" }
                @for state in columns { th.number { (badge::title(state)) } }
                th.wide { "All jobs" }
            } }
            tbody { @for (name, states) in &overview.pipelines { tr {
                td.name data-label="Pipeline" title=(name) {
                    a href=(href::pipeline(name)) { (name) }
                }
                @for state in columns {
                    td.number data-label=(badge::title(state)) { (cell(name, states, state)) }
                }
                td.wide data-label="All jobs" { (badge::bar(states)) }
            } } }
        } }
    }
}

/// How many jobs of a pipeline stand in a state, as a link to them.
fn cell(name: &PipelineName, states: &[(JobState, u64)], state: JobState) -> Markup {
    let known = states.iter().find(|(known, _)| *known == state);
    let pairs = [("pipeline", name.as_str()), ("state", state.as_str())];
    html! {
        @match known.map_or(0, |(_, jobs)| *jobs) {
            0 => (badge::count(0)),
            jobs => a.plain.{ "text-" (state) } href={ "/jobs" (href::query(pairs)) } {
                (number(jobs))
            },
        }
    }
}

fn failed(overview: &Overview) -> Markup {
    html! {
        div.title { h2 { "Failed last" } a href="/dead" { "All dead letters" } }
        @if overview.letters.is_empty() {
            p.empty { "Nothing lies with the dead letters." }
        } @else {
            ul.list { @for letter in &overview.letters { li {
                span { a href=(href::job(&letter.job_id)) { (letter.pipeline) " · " (letter.stage) }
                    " " span.id.faint { (jobs::short(letter.job_id.as_str())) } }
                span.end { (moment::ago(letter.at, overview.now)) }
                p.more title=(letter.failure) {
                    (letter.failure.kind) ": " (letter.failure.message)
                }
            } } }
        }
    }
}

fn waiting(overview: &Overview) -> Markup {
    html! {
        div.title { h2 { "Waiting for a person" } a href="/inbox" { "Inbox" } }
        @if overview.tasks.is_empty() {
            p.empty { "Nothing waits for a person." }
        } @else {
            ul.list { @for task in &overview.tasks { li {
                span { a href=(href::task(task.task_id)) { (task.pipeline) " · " (task.stage) }
                    " " span.id.faint { (jobs::short(task.job_id.as_str())) } }
                span.end { (moment::ago(task.created_at, overview.now)) }
                @match task.holder(overview.now) {
                    Some(holder) => p.more { "held by " (holder) },
                    None => p.more { "task " (task.task_id) },
                }
            } } }
        }
    }
}
