//! Operations on many jobs: how far they are, and the page that asks before one begins.

mod acts;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_core::state::JobState;
use waystation_engine::control::operations::{DryRun, Kind, Operation, Page as OperationPage};
use waystation_engine::control::operations::{Selection, State as Standing};

use super::jobs::filter::Filter;
use super::page::{Page, Place};
use super::parts::badge::{self, number, parts_of};
use super::parts::moment;
use super::parts::words::sentence;
use super::refused::Refused;
use super::visit::{Actor, Visit};
use super::{href, jobs};
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::live::Topic;

/// How many operations a page shows.
const PAGE: usize = 50;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/operations", get(list).post(acts::start))
        .route("/operations/new", get(ask))
        .route("/operations/{id}", get(show))
        .route("/operations/{id}/cancel", post(acts::cancel))
}

async fn list(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let before = pairs.into_iter().find(|(name, _)| name == "before").map(|(_, id)| id);
    let page = OperationPage { before, limit: PAGE };
    let operations = context.client().operations(page).await?;
    let now = context.now();
    let page = Page::new(&visit, Place::Operations, "Operations").follow(&Topic::All).live(
        "operations",
        "card",
        || table(&operations, now),
    );
    Ok(page.respond())
}

fn table(operations: &[Operation], now: Timestamp) -> Markup {
    html! {
        h2.hidden { "Operations" }
        @if operations.is_empty() {
            div.empty { p { "Nobody has done anything to many jobs at once." }
                p { "It begins at " a href="/jobs" { "Jobs" } ", with “all that match”." } }
        } @else {
            div.scroll { table {
                thead { tr { th { "Operation" } th { "State" } th.wide { "Jobs" } th { "By" }
                    th.number { "Done" } th.number { "Skipped" } th.number { "Failed" }
                    th.number { "Began" } } }
                tbody { @for one in operations { tr #{ "operation-" (one.id) } {
                    td data-label="Operation" { a href={ "/operations/" (href::encode(&one.id)) } {
                        b { (verb(&one.kind)) } } }
                    td data-label="State" { (standing(one.state)) }
                    td.wide data-label="Jobs" { (selection(&one.selection)) }
                    td data-label="By" { (one.by) }
                    td.number data-label="Done" { (badge::count(one.done)) }
                    td.number data-label="Skipped" { (badge::count(one.skipped)) }
                    td.number data-label="Failed" { (badge::count(one.failed)) }
                    td.number data-label="Began" { (moment::ago(one.created_at, now)) }
                } } }
            } }
            @if let Some(last) = operations.last().filter(|_| operations.len() == PAGE) {
                nav.pages aria-label="Pages of operations" { a.button
                    href={ "/operations" (href::query([("before", &*last.id)])) } { "Older" } }
            }
        }
    }
}

async fn show(
    State(context): State<Context>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, Refused> {
    let operation = context.client().operation(&id).await?;
    let operation = operation.ok_or_else(|| Refused::not_found("operation", &id))?;
    let (now, may_act) = (context.now(), visit.may_act());
    let page = Page::new(&visit, Place::Operations, verb(&operation.kind))
        .below()
        .follow(&Topic::All)
        .live("operation", "card", || one(&operation, now, may_act))
        .live("errors", "card", || errors(&operation));
    Ok(page.respond())
}

fn one(operation: &Operation, now: Timestamp, may_act: bool) -> Markup {
    let matched = operation.matched.jobs.max(operation.looked_at);
    let sums = [
        ("completed", operation.done),
        ("skipped", operation.skipped),
        ("failed", operation.failed),
    ];
    let label = format!("{} of {matched} jobs", operation.looked_at);
    html! {
        div.title { h2 { (standing(operation.state)) " "
                (number(operation.looked_at)) " of " (count(operation.matched)) " jobs looked at" }
            @if may_act && operation.state == Standing::Running {
                form method="post"
                    action={ "/operations/" (href::encode(&operation.id)) "/cancel" } {
                    button.small.danger { "Cancel" }
                }
            }
        }
        (parts_of(matched, &sums, &label))
        dl.facts {
            div { dt { "Done" } dd { (number(operation.done)) } }
            div { dt { "Needed it no more" } dd { (number(operation.skipped)) } }
            div { dt { "Could not be done" } dd { (number(operation.failed)) } }
            div { dt { "By" } dd { (operation.by) } }
            div { dt { "Began" } dd { (moment::ago(operation.created_at, now)) } }
            @if let Some(at) = operation.ended_at {
                div { dt { "Took" } dd { (moment::lasted(at.since(operation.created_at))) } }
            }
            @if !operation.reason.is_empty() {
                div.wide { dt { "Reason" } dd { (operation.reason) } }
            }
            div.wide { dt { "Jobs" } dd { (selection(&operation.selection)) } }
        }
    }
}

fn errors(operation: &Operation) -> Markup {
    html! {
        @if !operation.errors.is_empty() {
            div.title { h2 { "First errors" } }
            ul.list { @for fault in &operation.errors { li {
                @if let Some(job_id) = &fault.job_id {
                    a.id href=(href::job(job_id)) { (jobs::short(job_id.as_str())) }
                }
                p.more title=(fault.message) { (sentence(&fault.message)) }
            } } }
        }
    }
}

/// Asks before something is done to many jobs, with how many they are.
async fn ask(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    Actor(visit): Actor,
) -> Result<Response, Refused> {
    let filter = Filter::read(&pairs);
    let selection = Selection::from(&filter.to_store()?);
    let act = pairs.iter().find(|(name, _)| name == "act").map_or("", |(_, act)| act);
    let kind = acts::kind(act, "")?;
    let found = context.client().dry_run(&kind, &selection).await;
    let title = format!("{}?", verb(&kind));
    let page = Page::new(&visit, Place::Operations, title).below().with(html! {
        section.card.ask {
            @match &found {
                Err(error) => {
                    p.flash.bad { (sentence(&error.to_string())) }
                    a.button href=(filter.address(None)) { "Back" }
                }
                Ok(found) => {
                    p.figure { (count(*found)) @if found.jobs == 1 { " job" } @else { " jobs" } }
                    p.faint { "of " (self::selection(&selection))
                        @if selection.states.is_empty() { (those_meant(&kind)) } }
                    p.note { (meaning(&kind)) }
                    form.stack method="post" action="/operations" {
                        @for (name, value) in filter.pairs() {
                            input type="hidden" name=(name) value=(value);
                        }
                        input type="hidden" name="act" value=(act);
                        label { span { "Why? It is kept with the operation and in the audit log." }
                            input name="reason" required maxlength="500" autofocus; }
                        div.buttons {
                            button.primary[act != "abort"].danger[act == "abort"]
                                disabled[found.jobs == 0] { (verb(&kind)) }
                            a.button.quiet href=(filter.address(None)) { "Back" }
                        }
                    }
                }
            }
        }
    });
    Ok(page.respond())
}

fn count(found: DryRun) -> Markup {
    html! { @if !found.complete { "at least " } (number(found.jobs)) }
}

fn verb(kind: &Kind) -> &'static str {
    match kind {
        Kind::Abort { .. } => "Abort jobs",
        Kind::Retry { .. } => "Retry failed jobs",
        Kind::DropDead => "Drop dead letters",
    }
}

/// What it does to each job.
fn meaning(kind: &Kind) -> &'static str {
    match kind {
        Kind::Abort { .. } => {
            "Each of them ends as aborted: what waits at once, what runs as soon as its worker \
             hears of it. That cannot be taken back."
        }
        Kind::Retry { .. } => "Each of them begins anew at the stage where it failed.",
        Kind::DropDead => {
            "The jobs stay failed, and nobody can retry them any more. That cannot be taken back."
        }
    }
}

fn standing(state: Standing) -> Markup {
    let (class, word) = match state {
        Standing::Running => ("running", "running"),
        Standing::Done => ("completed", "done"),
        Standing::Cancelled => ("aborted", "cancelled"),
        Standing::Failed => ("failed", "failed"),
    };
    html! { span.badge.(class) { (word) } }
}

/// Which jobs it is for, where no states were chosen.
fn those_meant(kind: &Kind) -> &'static str {
    match kind {
        Kind::Abort { .. } => ", not ended",
        Kind::Retry { .. } | Kind::DropDead => ", failed",
    }
}

/// The states of jobs that have not ended.
fn still() -> Vec<JobState> {
    JobState::ALL.into_iter().filter(|state| !state.is_terminal()).collect()
}

/// Which jobs, in words.
fn selection(selection: &Selection) -> Markup {
    let states: Vec<_> = selection.states.iter().map(|state| state.as_str()).collect();
    html! {
        @match &selection.pipeline { Some(name) => (name), None => "all pipelines" }
        @if let Some(stage) = &selection.stage { ", stage " (stage) }
        @if selection.states == still() { ", not ended" }
        @else if !states.is_empty() { ", " (states.join(" or ")) }
        @if let Some(text) = &selection.text { ", with “" (text) "”" }
        @if let Some(from) = selection.created_from { ", submitted from " (moment::full(from)) }
        @if let Some(before) = selection.created_before {
            ", submitted before " (moment::full(before))
        }
        @if let Some(parent) = &selection.children_of { ", children of " (parent) }
    }
}
