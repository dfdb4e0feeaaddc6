//! What finds items by itself and makes jobs of them: how each stands, and what its crawls found.

mod acts;
mod crawls;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_engine::control::{Pause, Target};
use waystation_engine::sources::SourceId;

use super::href;
use super::page::{Page, Place};
use super::parts::{moment, value};
use super::pausing;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::live::Topic;
use crate::wire::Source;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/sources", get(list))
        .route("/sources/{pipeline}/{stage}", get(show))
        .route("/sources/{pipeline}/{stage}/crawl", post(acts::crawl))
}

async fn list(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let sources = crate::routes::sources(&context).await?;
    let pauses = context.client().pauses().await?;
    let (now, may_act) = (context.now(), visit.may_act());
    let held: Vec<_> = pauses.iter().filter(|pause| holds(pause, &sources)).collect();
    let page = Page::new(&visit, Place::Sources, "Sources")
        .follow(&Topic::All)
        .live("held", "", || pausing::notices(&held, now, "/sources", may_act))
        .live("sources", "card", || table(&sources, now, may_act));
    Ok(page.respond())
}

async fn show(
    State(context): State<Context>,
    Path((pipeline, stage)): Path<(String, String)>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let id = SourceId { pipeline: pipeline.into(), stage: stage.into() };
    let source = crate::routes::source(&context, &id).await?;
    let before = pairs.into_iter().find(|(name, _)| name == "before").map(|(_, id)| id);
    let crawls = crawls::read(&context, &id, before).await?;
    let pauses = context.client().pauses().await?;
    let (now, may_act, here) = (context.now(), visit.may_act(), address(&source));
    let held: Vec<_> =
        pauses.iter().filter(|pause| holds(pause, std::slice::from_ref(&source))).collect();
    let mut page = Page::new(&visit, Place::Sources, format!("{} · {}", id.pipeline, id.stage))
        .below()
        .follow(&Topic::Pipeline(id.pipeline.clone()))
        .live("held", "", || pausing::notices(&held, now, &here, may_act))
        .live("facts", "card", || facts(&source, now));
    if may_act && source.hook.is_none() {
        page = page.with(acts::form(&source));
    }
    if source.hook.is_none() {
        page = page.live("crawls", "card", || crawls::table(&crawls, &here, now));
    }
    Ok(page.respond())
}

/// Where a source's page is.
fn address(source: &Source) -> String {
    format!("/sources/{}/{}", href::encode(&source.pipeline), href::encode(&source.stage))
}

/// Whether a pause is of a source, or of its pipeline.
fn holds(pause: &Pause, sources: &[Source]) -> bool {
    sources.iter().any(|source| match &pause.target {
        Target::Pipeline(name) => name.as_str() == source.pipeline,
        Target::Stage(name, stage) => {
            name.as_str() == source.pipeline && stage.as_str() == source.stage
        }
        Target::Queue(_) => false,
    })
}

fn target(source: &Source) -> Target {
    Target::Stage(source.pipeline.as_str().into(), source.stage.as_str().into())
}

fn is_paused(source: &Source) -> bool {
    let target = target(source).to_string();
    source.pauses.iter().any(|pause| pause.target == target)
}

fn table(sources: &[Source], now: Timestamp, may_act: bool) -> Markup {
    html! {
        h2.hidden { "Sources" }
        @if sources.is_empty() {
            div.empty {
                p { "No pipeline has a source." }
                p { "A source finds items by itself, and makes a job of each: a stage like "
                    code { "{ id: find, type: files, settings: { url: \"file://inbox\" } }" } "." }
            }
        } @else {
            div.scroll { table {
                thead { tr { th { "Source" } th { "Type" } th { "Looks" } th.number { "Next" }
                    th.wide { "Last look" } th.number { "Workers" }
                    @if may_act { th { span.hidden { "Acts" } } } } }
                tbody { @for source in sources { tr {
                    td.name data-label="Source" {
                        a href=(address(source)) {
                            (source.pipeline) " · " b { (source.stage) }
                        }
                        @if is_paused(source) { " " span.badge.retrying { "paused" } } }
                    td data-label="Type" { (source.source_type) }
                    td data-label="Looks" { (looks(source)) }
                    td.number data-label="Next" { (next(source, now)) }
                    td.wide data-label="Last look" { (crawls::last(source, now)) }
                    td.number data-label="Workers" {
                        @if source.hook.is_some() { span.faint { "none" } }
                        @else {
                            span.text-failed[source.workers.is_empty()] { (source.workers.len()) }
                        }
                    }
                    @if may_act { td.act {
                        @if source.hook.is_none() { (acts::button(source)) }
                        @if !is_paused(source) {
                            (pausing::button(&target(source), "pause", "Pause", "/sources"))
                        }
                    } }
                } } }
            } }
        }
    }
}

fn looks(source: &Source) -> Markup {
    html! { @match (&source.schedule, &source.hook) {
        (_, Some(hook)) => { "when called at " code { (hook) } },
        (Some(schedule), None) => (schedule),
        (None, None) => span.faint { "not known yet" },
    } }
}

fn next(source: &Source, now: Timestamp) -> Markup {
    html! {
        @if source.crawler.is_some() { span.badge.running { "looks now" } }
        @else if let Some(ask) = &source.asked { "now, for " (ask.by) }
        @else if let Some(due) = source.due_at {
            @if due.0 <= now { "due" } @else { (moment::ago(due.0, now)) }
        }
        @else if source.hook.is_some() { span.faint { "when called" } }
        @else { span.faint { "when asked" } }
    }
}

fn facts(source: &Source, now: Timestamp) -> Markup {
    html! {
        h2.hidden { "How it stands" }
        dl.facts {
            div { dt { "Pipeline" } dd {
                a href=(href::pipeline(&source.pipeline.as_str().into())) { (source.pipeline) }
                span.faint { " version " (source.version) } } }
            div { dt { "Type" } dd { (source.source_type) } }
            div { dt { "Looks" } dd { (looks(source)) } }
            div { dt { "Next" } dd { (next(source, now)) } }
            @if source.hook.is_none() { div { dt { "Looked after by" } dd {
                @if source.workers.is_empty() { span.text-failed { "nobody" } }
                @for worker in &source.workers { div { code { (worker) } } }
            } } }
            @if let Some(crawler) = &source.crawler {
                div { dt { "Looks now" } dd { code { (crawler) } } }
            }
            @if source.failures > 0 {
                div { dt { "Failed in a row" } dd { span.text-failed { (source.failures) } } }
            }
            @if source.hook.is_none() { div.wide { dt { "Stands at" } dd {
                @match &source.checkpoint {
                    Some(checkpoint) => (value::inline(checkpoint)),
                    None => span.faint { "the beginning" },
                }
            } } }
        }
    }
}
