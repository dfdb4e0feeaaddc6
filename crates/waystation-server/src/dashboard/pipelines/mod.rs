//! The pipelines, and each one's graph with what happens at its stages.

mod query;
mod settings;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, PreEscaped, html};
use waystation_core::pipeline::{Catalog, Note, Stage, StageKind};
use waystation_core::state::JobState;
use waystation_engine::Graph;
use waystation_engine::control::Target;

use self::query::{Listed, Shown};
use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::moment;
use super::parts::words::sentence;
use super::refused::Refused;
use super::visit::Visit;
use super::{href, pausing};
use crate::context::Context;
use crate::extract::Path;
use crate::live::Topic;

/// The states in which jobs wait for a worker.
const IN_LINE: [JobState; 4] =
    [JobState::Ready, JobState::Queued, JobState::Delayed, JobState::Retrying];

/// How many letters stand below a stage without coming into the way of the next one's.
const NOTES_LETTERS_MAX: usize = 18;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/pipelines", get(list)).route("/pipelines/{name}", get(show))
}

async fn list(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let listed = query::list(&context).await?;
    let page = Page::new(&visit, Place::Pipelines, "Pipelines").follow(&Topic::All).live(
        "pipelines",
        "card",
        || table(&listed),
    );
    let page = page.head(html! { a.button.small href="/executors" { "Executors" } });
    Ok(page.respond())
}

fn table(listed: &[Listed]) -> Markup {
    html! {
        h2.hidden { "Pipelines" }
        @if listed.is_empty() {
            div.empty { p { "No pipeline is known here yet. Write one, and run it:" }
                p { code { "waystation run PIPELINE.yaml" } } }
        } @else { div.scroll { table {
            thead { tr {
                th { "Pipeline" } th.number { "Version" } th.number { "Stages" }
                th.number { "In line" } th.number { "Running" } th.number { "Waiting" }
                th.number { "Failed" } th.wide { "All jobs" }
            } }
            tbody { @for one in listed {
                @let of = |states: &[JobState]| -> u64 {
                    states.iter().filter_map(|state| one.states.get(state)).sum()
                };
                tr {
                    td data-label="Pipeline" {
                        a href=(href::pipeline(&one.name)) { b { (one.name) } }
                        @if one.is_held { " " span.badge.retrying { "held" } }
                        @if let Some(description) = &one.description {
                            p.faint.small { (description) }
                        }
                    }
                    td.number data-label="Version" { (one.version) }
                    td.number data-label="Stages" { @match one.stages {
                        Some(stages) => (stages),
                        None => "?",
                    } }
                    td.number data-label="In line" { (badge::count(of(&IN_LINE))) }
                    td.number data-label="Running" { (badge::count(of(&[JobState::Running]))) }
                    td.number data-label="Waiting" { (badge::count(of(&[JobState::Waiting]))) }
                    td.number data-label="Failed" { (badge::count(of(&[JobState::Failed]))) }
                    td.wide data-label="All jobs" {
                        (badge::bar(&one.states.clone().into_iter().collect::<Vec<_>>()))
                    }
                }
            } }
        } } }
    }
}

async fn show(
    State(context): State<Context>,
    Path(name): Path<String>,
    visit: Visit,
) -> Result<Response, Refused> {
    let shown = query::read(&context, name.as_str().into()).await?;
    let shown = shown.ok_or_else(|| Refused::not_found("pipeline", &name))?;
    let catalog = context.client().registry().catalog();
    let back = href::pipeline(&shown.name);
    let (whole, may_act) = (Target::Pipeline(shown.name.clone()), visit.may_act());
    let pauses: Vec<_> = shown.pauses.iter().collect();
    let page = Page::new(&visit, Place::Pipelines, name.clone())
        .follow(&Topic::Pipeline(shown.name.clone()))
        .below()
        .head(html! {
            span.faint { "version " (shown.version) }
            a.button.small href={ "/jobs" (href::query([("pipeline", &*name)])) } { "Its jobs" }
            @if let Some(description) = shown.description() { p.about { (description) } }
        })
        .live("held", "", || pausing::notices(&pauses, shown.now, &back, may_act))
        .live("graph", "card", || picture(&shown, catalog))
        .live("stages", "card", || stages(&shown, may_act))
        .with(html! {
            @if may_act { section.card.hold {
                div { h2 { "Pause or drain all of it" } p.note {
                    "Paused, nothing new is started. Drained, it takes no new jobs, and those that "
                    "are there run to their end."
                } }
                (pausing::form(&whole, &[("pause", "Pause"), ("drain", "Drain")], &back))
            } }
            @if let Some(written) = &shown.written { (settings::card(written, &catalog.types())) }
            details.card { summary { "Text of version " (shown.version) }
                pre.json tabindex="0" { (shown.source) } }
        });
    Ok(page.respond())
}

/// The graph with what happens at each stage.
fn picture(shown: &Shown, catalog: &dyn Catalog) -> Markup {
    let notes = |stage: &str| notes(shown, stage);
    html! {
        div.title { h2 { "Graph" } span.faint {
            "per minute over the last " (query::MINUTES) " min"
        } }
        @match &shown.graph {
            Ok(graph) => div.graph tabindex="0" role="group"
                aria-label="Graph of the stages; the table below says the same" {
                div aria-hidden="true" {
                    (PreEscaped(graph.pipeline.to_svg_with(catalog, &notes)))
                }
            },
            Err(why) => p.flash.bad { (sentence(why)) },
        }
    }
}

/// What is told below a stage: what wants attention most, as far as there is room for it beside
/// its neighbours.
fn notes(shown: &Shown, stage: &str) -> Vec<Note> {
    let told = [
        ("failed", shown.standing(stage, &[JobState::Failed]), "failed"),
        ("waiting", shown.standing(stage, &[JobState::Waiting]), "waiting"),
        ("running", shown.standing(stage, &[JobState::Running]), "running"),
        ("queued", shown.standing(stage, &IN_LINE), "in line"),
    ];
    let told = told.into_iter().filter(|(_, jobs, _)| *jobs > 0);
    let told = told.map(|(class, jobs, word)| (class, format!("{} {word}", number(jobs))));
    let completed = shown.work.get(stage).map_or(0, |work| work.completed);
    let rate = per_minute(shown.window.per_minute(completed));
    let rate = (completed > 0).then(|| ("rate", format!("{rate} / min")));
    let mut room = NOTES_LETTERS_MAX;
    let notes = told.chain(rate).map_while(|(class, text)| {
        room = room.checked_sub(text.chars().count())?;
        Some(Note { class, text })
    });
    notes.collect()
}

fn per_minute(rate: f64) -> String {
    if rate >= 9.95 { number(rate.round() as u64) } else { format!("{rate:.1}") }
}

fn stages(shown: &Shown, may_act: bool) -> Markup {
    html! {
        div.title { h2 { "Stages" }
            span.faint { "jobs now; rates and times of the last " (query::MINUTES) " min" } }
        @if let Ok(graph) = &shown.graph { div.scroll { table {
            thead { tr {
                th { "Stage" } th { "Type" } th { "Queue" } th.number { "In line" }
                th.number { "Running" } th.number { "Waiting" } th.number { "Failed" }
                th.number { "Per min" } th.number { "Took ≈ p50" } th.number { "≈ p99" }
                @if may_act { th { span.hidden { "Pause" } } }
            } }
            tbody { @for stage in &graph.pipeline.stages { (row(shown, graph, stage, may_act)) } }
        } } }
    }
}

fn row(shown: &Shown, graph: &Graph, stage: &Stage, may_act: bool) -> Markup {
    let kind = graph.kind(&stage.id);
    let id = stage.id.as_str();
    let work = shown.work.get(id);
    let took = |share: f64| {
        let took = work.and_then(|work| work.took.percentile(share));
        html! { @match took { Some(took) => (moment::lasted(took)), None => span.faint { "–" } } }
    };
    let count = |states: &[JobState]| badge::count(shown.standing(id, states));
    let rate = shown.window.per_minute(work.map_or(0, |work| work.completed));
    let target = Target::Stage(shown.name.clone(), stage.id.clone());
    let is_paused = shown.pauses.iter().any(|pause| pause.target == target);
    let has_queue =
        matches!(kind, Some(StageKind::Worker | StageKind::Foreign | StageKind::Remote));
    let pairs = [("pipeline", shown.name.as_str()), ("stage", id)];
    html! {
        tr {
            td.name data-label="Stage" title=(id) {
                a href={ "/jobs" (href::query(pairs)) } { b { (id) } }
                @if is_paused { " " span.badge.retrying { "paused" } } }
            td data-label="Type" { (stage.kind) }
            td.name data-label="Queue" title=(graph.queue_of(&stage.id)) {
                @if has_queue { code { (graph.queue_of(&stage.id)) } (order(stage)) }
                @else if kind == Some(StageKind::Manual) {
                    a href={ "/inbox" (href::query(pairs)) } { "inbox" }
                }
            }
            td.number data-label="In line" { (count(&IN_LINE)) }
            td.number data-label="Running" { (count(&[JobState::Running])) }
            td.number data-label="Waiting" { (count(&[JobState::Waiting])) }
            td.number data-label="Failed" { (count(&[JobState::Failed])) }
            td.number data-label="Per min" {
                @if rate > 0.0 { (per_minute(rate)) } @else { span.faint { "0" } }
            }
            td.number data-label="Took ≈ p50" { (took(0.5)) }
            td.number data-label="≈ p99" { (took(0.99)) }
            @if may_act { td.act {
                @if !is_paused && (has_queue || kind == Some(StageKind::Source)) {
                    (pausing::button(&target, "pause", "Pause", &href::pipeline(&shown.name)))
                }
            } }
        }
    }
}

/// In which order a stage takes its jobs, and how many may wait, where it says so.
fn order(stage: &Stage) -> Markup {
    html! {
        @if let Some(key) = &stage.key {
            " " span.faint title="jobs of one key run one at a time, in order" {
                "by " code { (key.by.source()) }
            }
        }
        @if let Some(limit) = stage.lane_limit {
            " " span.faint title="so many may wait before what is submitted is held back" {
                "at most " (limit)
            }
        }
    }
}
