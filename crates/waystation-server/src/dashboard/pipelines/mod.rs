//! The pipelines, and each one's graph with what happens at its stages.

mod query;

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
use super::refused::Refused;
use super::visit::Visit;
use super::{href, pausing};
use crate::context::Context;
use crate::extract::Path;
use crate::live::Topic;

/// The states in which jobs wait for a worker.
const IN_LINE: [JobState; 4] =
    [JobState::Ready, JobState::Queued, JobState::Delayed, JobState::Retrying];

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
    Ok(page.respond())
}

fn table(listed: &[Listed]) -> Markup {
    html! {
        h2.hidden { "Pipelines" }
        @if listed.is_empty() {
            div.empty { p { "No pipeline is known here yet." }
                p { code { "waystation run PIPELINE.yaml" } } }
        } @else { div.scroll { table {
            thead { tr {
                th { "Pipeline" } th.number { "Version" } th.number { "Stages" }
                th.number { "in line" } th.number { "running" } th.number { "waiting" }
                th.number { "failed" } th.wide { "All jobs" }
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
                    td.number data-label="in line" { (number(of(&IN_LINE))) }
                    td.number data-label="running" { (number(of(&[JobState::Running]))) }
                    td.number data-label="waiting" { (number(of(&[JobState::Waiting]))) }
                    td.number data-label="failed" { (number(of(&[JobState::Failed]))) }
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
    let page = Page::new(&visit, Place::Pipelines, format!("Pipeline {name}"))
        .follow(&Topic::Pipeline(shown.name.clone()))
        .head(html! {
            span.faint { "version " (shown.version) }
            a href={ "/jobs" (href::query([("pipeline", &*name)])) } { "Jobs" }
        })
        .live("held", "", || pausing::notices(&pauses, shown.now, &back, may_act))
        .live("graph", "card", || picture(&shown, catalog))
        .live("stages", "card", || stages(&shown, may_act))
        .with(html! {
            @if may_act { section.acts {
                (pausing::form(&whole, &[("pause", "Pause"), ("drain", "Drain")], &back))
            } }
            details.card { summary { "Text of version " (shown.version) }
                pre.json { (shown.source) } }
        });
    Ok(page.respond())
}

/// The graph with what happens at each stage.
fn picture(shown: &Shown, catalog: &dyn Catalog) -> Markup {
    let notes = |stage: &str| notes(shown, stage);
    html! {
        div.title { h2 { "Graph" } span.faint {
            "per minute over the last " (query::LATELY.as_secs() / 60) " min"
        } }
        @match &shown.graph {
            Ok(graph) => div.graph tabindex="0" role="group" aria-label="Graph of the stages" {
                (PreEscaped(graph.pipeline.to_svg_with(catalog, &notes)))
            },
            Err(why) => p.flash.bad { (why) },
        }
    }
}

fn notes(shown: &Shown, stage: &str) -> Vec<Note> {
    let told = [
        ("queued", shown.standing(stage, &IN_LINE), "in line"),
        ("running", shown.standing(stage, &[JobState::Running]), "running"),
        ("waiting", shown.standing(stage, &[JobState::Waiting]), "waiting"),
        ("failed", shown.standing(stage, &[JobState::Failed]), "failed"),
    ];
    let told = told.into_iter().filter(|(_, jobs, _)| *jobs > 0);
    let mut notes: Vec<_> = told
        .map(|(class, jobs, word)| Note { class, text: format!("{} {word}", number(jobs)) })
        .collect();
    let completed = shown.work.get(stage).map_or(0, |work| work.completed);
    if completed > 0 {
        notes.push(Note { class: "rate", text: format!("{} / min", per_minute(completed)) });
    }
    notes
}

fn per_minute(count: u64) -> String {
    let rate = count as f64 / (query::LATELY.as_secs() as f64 / 60.0);
    if rate >= 9.95 { number(rate.round() as u64) } else { format!("{rate:.1}") }
}

fn stages(shown: &Shown, may_act: bool) -> Markup {
    html! {
        div.title { h2 { "Stages" } }
        @if let Ok(graph) = &shown.graph { div.scroll { table {
            thead { tr {
                th { "Stage" } th { "Type" } th { "Queue" } th.number { "in line" }
                th.number { "running" } th.number { "waiting" } th.number { "failed" }
                th.number { "per min" } th.number { "≈ p50" } th.number { "≈ p99" } th {}
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
        took.map_or("–".to_owned(), moment::lasted)
    };
    let count = |states: &[JobState]| match shown.standing(id, states) {
        0 => html! { span.faint { "0" } },
        jobs => html! { (number(jobs)) },
    };
    let target = Target::Stage(shown.name.clone(), stage.id.clone());
    let is_paused = shown.pauses.iter().any(|pause| pause.target == target);
    let has_queue =
        matches!(kind, Some(StageKind::Worker | StageKind::Foreign | StageKind::Remote));
    let pairs = [("pipeline", shown.name.as_str()), ("stage", id)];
    html! {
        tr {
            td data-label="Stage" { a href={ "/jobs" (href::query(pairs)) } { b { (id) } } }
            td data-label="Type" { (stage.kind) }
            td data-label="Queue" { @if has_queue { code { (graph.queue_of(&stage.id)) } } }
            td.number data-label="in line" { (count(&IN_LINE)) }
            td.number data-label="running" { (count(&[JobState::Running])) }
            td.number data-label="waiting" { (count(&[JobState::Waiting])) }
            td.number data-label="failed" { (count(&[JobState::Failed])) }
            td.number data-label="per min" { (per_minute(work.map_or(0, |work| work.completed))) }
            td.number data-label="≈ p50" { (took(0.5)) }
            td.number data-label="≈ p99" { (took(0.99)) }
            td.number {
                @if is_paused { span.badge.retrying { "paused" } }
                @else if may_act && (has_queue || kind == Some(StageKind::Source)) {
                    (pausing::button(&target, "pause", "Pause", &href::pipeline(&shown.name)))
                }
            }
        }
    }
}
