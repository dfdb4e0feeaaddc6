//! The overview: how it goes, and what wants somebody's attention.

mod query;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::state::JobState;

use self::query::Overview;
use super::figures::Minute;
use super::href;
use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::chart::{Chart, Series};
use super::parts::moment;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::live::Topic;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let overview = query::read(&context).await?;
    let page = Page::new(&visit, Place::Overview, "Overview")
        .follow(&Topic::All)
        .live("figures", "tiles", || figures(&overview))
        .live("throughput", "card half", || throughput(&overview))
        .live("latency", "card half", || latency(&overview))
        .live("pipelines", "card", || pipelines(&overview))
        .live("failed", "card half", || failed(&overview))
        .live("waiting", "card half", || waiting(&overview));
    Ok(page.respond())
}

fn figures(overview: &Overview) -> Markup {
    let (completed, failed, retried) = overview.hour();
    let (ready, oldest) = overview.backlog();
    let share = failed as f64 * 100.0 / (completed + failed).max(1) as f64;
    let latency = overview.latency();
    let shown = |duration: Option<Duration>| duration.map_or("–".to_owned(), moment::lasted);
    html! {
        h2.hidden { "Figures" }
        (tile("Throughput", &format!("{} / min", rate(overview.rate())), &html! {
            (number(completed)) " completed within the hour"
        }))
        (tile("Failures", &format!("{} %", rate(share)), &html! {
            (number(failed)) " failed, " (number(retried)) " retried within the hour"
        }))
        (tile("Latency ≈ p50", &shown(latency.map(|(half, _)| half)), &html! {
            "p99 ≈ " (shown(latency.map(|(_, most)| most))) ", last 15 min"
        }))
        (tile("Backlog", &number(ready), &html! {
            @match oldest {
                Some(at) => { "oldest waits for " (moment::age(at, overview.now)) }
                None => "nothing waits in a queue"
            }
        }))
        (tile("Running", &number(overview.standing(JobState::Running)), &html! {
            (number(overview.standing(JobState::Retrying))) " wait to be retried"
        }))
        (tile("Waiting", &number(overview.standing(JobState::Waiting)), &html! {
            "for people, joins or limits"
        }))
    }
}

fn tile(name: &str, value: &str, more: &Markup) -> Markup {
    html! {
        div.tile { p.name { (name) } p.figure { (value) } p.more { (more) } }
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
    let series = |name, class, of: fn(&Minute) -> u64| {
        let values = minutes.iter().map(|minute| Some(of(minute) as f64)).collect();
        Series { name, class, values }
    };
    let (completed, failed, _) = overview.hour();
    let chart = Chart {
        label: format!("Jobs that ended, minute by minute: {completed} completed, {failed} failed"),
        series: vec![
            series("completed", "completed", |minute| minute.completed),
            series("failed", "failed", |minute| minute.failed),
        ],
        places: minutes.iter().map(|minute| moment::hour(minute.at)).collect(),
        write: &|value| rate(value),
    };
    html! { div.title { h2 { "Jobs ended per minute" } (chart.legend()) } (chart.bars()) }
}

fn latency(overview: &Overview) -> Markup {
    let minutes = &overview.minutes;
    let series = |name, class, share| {
        let took = |minute: &Minute| minute.took.percentile(share).map(|took| took.as_secs_f64());
        Series { name, class, values: minutes.iter().map(took).collect() }
    };
    let chart = Chart {
        label: "How long jobs took that completed, minute by minute".into(),
        series: vec![series("≈ p50", "running", 0.5), series("≈ p99", "waiting", 0.99)],
        places: minutes.iter().map(|minute| moment::hour(minute.at)).collect(),
        write: &|seconds| moment::lasted(Duration::from_secs_f64(seconds.max(0.0))),
    };
    html! { div.title { h2 { "From submitted to completed" } (chart.legend()) } (chart.lines()) }
}

fn pipelines(overview: &Overview) -> Markup {
    let columns = [JobState::Queued, JobState::Running, JobState::Retrying, JobState::Waiting];
    html! {
        div.title { h2 { "Pipelines" } }
        @if overview.pipelines.is_empty() {
            div.empty {
                p { "No job has been submitted yet." }
                p { code { "waystation submit PIPELINE.yaml" } }
            }
        } @else {
            div.scroll { table {
                thead { tr {
                    th { "Pipeline" }
                    @for state in columns { th.number { (state) } }
                    th.number { "failed" } th.number { "completed" } th.wide { "All jobs" }
                } }
                tbody { @for (name, states) in &overview.pipelines { tr {
                    @let of = |state| states.iter().find(|(known, _)| *known == state);
                    @let cell = |state: JobState| of(state).map_or(0, |(_, jobs)| *jobs);
                    @let at = |state: JobState| {
                        let pairs = [("pipeline", name.as_str()), ("state", state.as_str())];
                        format!("/jobs{}", href::query(pairs))
                    };
                    td data-label="Pipeline" { a href=(href::pipeline(name)) { (name) } }
                    @let ended = [JobState::Failed, JobState::Completed];
                    @for state in columns.into_iter().chain(ended) {
                        td.number data-label=(state) {
                            @match cell(state) {
                                0 => span.faint { "0" }
                                jobs => a.plain.{ "text-" (state) } href=(at(state)) {
                                    (number(jobs))
                                },
                            }
                        }
                    }
                    td.wide data-label="All jobs" { (badge::bar(states)) }
                } } }
            } }
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
                a href=(href::job(&letter.job_id)) { (letter.pipeline) " · " (letter.stage) }
                span.end { (moment::ago(letter.at, overview.now)) }
                p.more { (letter.failure.kind) ": " (letter.failure.message) }
            } } }
        }
    }
}

fn waiting(overview: &Overview) -> Markup {
    html! {
        div.title { h2 { "Waiting for a person" } a href="/inbox" { "Inbox" } }
        @if overview.tasks.is_empty() {
            p.empty { "Nobody is waited for." }
        } @else {
            ul.list { @for task in &overview.tasks { li {
                a href=(href::task(task.task_id)) { (task.pipeline) " · " (task.stage) }
                span.end { (moment::ago(task.created_at, overview.now)) }
                @if let Some(holder) = task.holder(overview.now) { p.more { "held by " (holder) } }
            } } }
        }
    }
}
