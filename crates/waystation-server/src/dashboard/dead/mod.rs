//! The dead letters: jobs that nobody tries again until a person says so.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::{Count, DeadLetterFilter, DeadLetterRecord};
use waystation_core::state::JobState;

use super::page::{Page, Place};
use super::parts::moment;
use super::refused::Refused;
use super::visit::Visit;
use super::{href, jobs};
use crate::context::Context;
use crate::extract::Query;
use crate::live::Topic;

/// How many letters a page shows.
const PAGE: usize = 50;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/dead", get(show))
}

/// Which letters are wanted.
#[derive(Clone, Default, serde::Deserialize)]
struct Wanted {
    #[serde(default)]
    pipeline: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    before: Option<i64>,
}

impl Wanted {
    fn address(&self, before: Option<i64>) -> String {
        let before = before.map(|letter| letter.to_string()).unwrap_or_default();
        let pairs = [("pipeline", &*self.pipeline), ("stage", &self.stage), ("before", &before)];
        format!("/dead{}", href::query(pairs))
    }
}

async fn show(
    State(context): State<Context>,
    Query(wanted): Query<Wanted>,
    visit: Visit,
) -> Result<Response, Refused> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let filter = DeadLetterFilter {
        pipeline: given(&wanted.pipeline).map(PipelineName::from),
        stage: given(&wanted.stage).map(StageId::from),
        before: wanted.before,
        ..DeadLetterFilter::newest(PAGE)
    };
    let store = &context.backend().store;
    let (letters, counts) = tokio::try_join!(store.dead_letters(filter), context.counts())?;
    let now = context.now();
    let page = Page::new(&visit, Place::DeadLetters, "Dead letters")
        .follow(&Topic::All)
        .with(filters(&wanted, &counts))
        .live("letters", "card", || listing(&letters, &wanted, now, visit.may_act()));
    Ok(page.respond())
}

fn filters(wanted: &Wanted, counts: &[Count]) -> Markup {
    let failed = || counts.iter().filter(|count| count.state == JobState::Failed);
    let pipelines: BTreeSet<_> = failed().map(|count| count.pipeline.as_str()).collect();
    let is_wanted =
        |count: &&Count| wanted.pipeline.is_empty() || count.pipeline.as_str() == wanted.pipeline;
    let stages: BTreeSet<_> =
        failed().filter(is_wanted).map(|count| count.stage.as_str()).collect();
    html! {
        form.filters method="get" action="/dead" role="search" {
            (choice("Pipeline", "pipeline", &wanted.pipeline, pipelines))
            (choice("Stage", "stage", &wanted.stage, stages))
            div.buttons { button { "Filter" }
                @if !wanted.pipeline.is_empty() || !wanted.stage.is_empty() {
                    a.button.quiet href="/dead" { "Clear" }
                }
            }
        }
    }
}

/// One of these, or all of them. What was chosen stays to be seen when it is not there any more.
fn choice<'a>(label: &str, name: &str, chosen: &'a str, mut all: BTreeSet<&'a str>) -> Markup {
    all.extend(Some(chosen).filter(|chosen| !chosen.is_empty()));
    html! {
        label { span { (label) }
            select name=(name) {
                option value="" { "all" }
                @for one in all { option value=(one) selected[one == chosen] { (one) } }
            }
        }
    }
}

fn listing(letters: &[DeadLetterRecord], wanted: &Wanted, now: Timestamp, act: bool) -> Markup {
    html! {
        h2.hidden { "Dead letters" }
        @if letters.is_empty() {
            div.empty {
                @if wanted.pipeline.is_empty() && wanted.stage.is_empty() {
                    p { "Nothing lies with the dead letters." }
                    p { "A job comes here when it has failed for good, and stays until somebody "
                        "retries or drops it." }
                } @else {
                    p { "No dead letter is like that." }
                    p { a.button href="/dead" { "Show all" } }
                }
            }
        } @else if act {
            form method="post" action="/jobs" data-select {
                input type="hidden" name="pipeline" value=(wanted.pipeline);
                input type="hidden" name="stage" value=(wanted.stage);
                input type="hidden" name="back" value=(wanted.address(wanted.before));
                div.bulk {
                    span data-select-count { "With the chosen:" }
                    button.small data-select-act name="act" value="retry" { "Retry" }
                    button.small.danger data-select-act name="act" value="drop" { "Drop" }
                    span.gap {}
                    span { "With all that match:" }
                    button.small name="act" value="retry-all" { "Retry all…" }
                    button.small.danger name="act" value="drop-all" { "Drop all…" }
                }
                (table(letters, now, true))
            }
        } @else { (table(letters, now, false)) }
        nav.pages aria-label="Pages of dead letters" {
            @if wanted.before.is_some() {
                a.button href=(wanted.address(None)) { "Newest" }
            }
            @if let Some(last) = letters.last().filter(|_| letters.len() == PAGE) {
                a.button href=(wanted.address(Some(last.dead_letter_id))) { "Older" }
            }
        }
    }
}

fn table(letters: &[DeadLetterRecord], now: Timestamp, may_act: bool) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                @if may_act { th.check { input.js-only type="checkbox" data-select-all
                    aria-label="Choose all letters of this page"; } }
                th { "Job" } th { "Pipeline" } th { "Stage" } th { "Kind" }
                th.wide { "Why" } th.number { "Failed" }
            } }
            tbody { @for letter in letters { tr #{ "letter-" (letter.dead_letter_id) } {
                @if may_act { td.check { input type="checkbox" name="job" value=(letter.job_id)
                    aria-label={ "Choose job " (letter.job_id) }; } }
                td data-label="Job" { a.id href=(href::job(&letter.job_id)) title=(letter.job_id) {
                    (jobs::short(letter.job_id.as_str()))
                } }
                td.name data-label="Pipeline" title=(letter.pipeline) {
                    a href=(href::pipeline(&letter.pipeline)) { (letter.pipeline) }
                }
                td.name data-label="Stage" title=(letter.stage) { (letter.stage) }
                td data-label="Kind" { span.badge.failed { (letter.failure.kind) } }
                td.wide.cut data-label="Why" title=(letter.failure) { (letter.failure.message) }
                td.number data-label="Failed" { (moment::ago(letter.at, now)) }
            } } }
        } }
    }
}
