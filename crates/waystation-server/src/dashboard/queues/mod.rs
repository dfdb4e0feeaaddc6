//! The queues: how much waits in each, since when, and who serves it.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_engine::control::{Pause, Target};

use super::page::{Page, Place};
use super::parts::badge;
use super::parts::moment;
use super::refused::Refused;
use super::visit::Visit;
use super::{href, pausing};
use crate::context::Context;
use crate::live::Topic;
use crate::wire::Queue;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/queues", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let queues = crate::routes::queues(&context).await?;
    let pauses = context.client().pauses().await?;
    let (now, may_act) = (context.now(), visit.may_act());
    let all: Vec<_> = pauses.iter().collect();
    let page = Page::new(&visit, Place::Queues, "Queues")
        .follow(&Topic::All)
        .live("held", "", || pausing::notices(&all, now, "/queues", may_act))
        .live("queues", "card", || table(&queues, &pauses, now, may_act));
    Ok(page.respond())
}

fn table(queues: &[Queue], pauses: &[Pause], now: Timestamp, may_act: bool) -> Markup {
    html! {
        h2.hidden { "Queues" }
        @if queues.is_empty() { div.empty { p { "No queue is known here yet." }
            p { "Queues come with the " a href="/pipelines" { "pipelines" } "." } } } @else {
            div.scroll { table {
                thead { tr {
                    th { "Queue" } th { "Read by" } th.number { "Ready" } th.number { "Oldest" }
                    th.number { "Delayed" } th.number { "Behind" }
                    th.number { "In hand" } th.number { "Workers" }
                    @if may_act { th { span.hidden { "Pause" } } }
                } }
                tbody { @for queue in queues { (row(queue, pauses, now, may_act)) } }
            } }
        }
    }
}

fn row(queue: &Queue, pauses: &[Pause], now: Timestamp, may_act: bool) -> Markup {
    let target = Target::Queue(queue.queue.as_str().into());
    let is_paused = pauses.iter().any(|pause| pause.target == target);
    let unserved = queue.workers == 0 && queue.ready > 0;
    html! {
        tr {
            td.name data-label="Queue" title=(queue.queue) { code { (queue.queue) }
                @if is_paused { " " span.badge.retrying { "paused" } }
                @else if !queue.pauses.is_empty() { " " span.badge.retrying { "held" } } }
            td.name data-label="Read by" { @for reader in &queue.stages {
                a href=(href::pipeline(&reader.pipeline.as_str().into())) {
                    (reader.pipeline) " · " (reader.stage)
                } " "
            } }
            td.number data-label="Ready" { (badge::count(queue.ready))
                @if let Some(alarm) = queue.alarm() {
                    " " span.badge.retrying title=(alarm) { "priority " (queue.priority) }
                } }
            td.number data-label="Oldest" { @match queue.oldest_at {
                Some(at) => (moment::age(at.0, now)),
                None => span.faint { "–" },
            } }
            td.number data-label="Delayed" { (badge::count(queue.delayed)) }
            td.number data-label="Behind" title="behind another one of their key" {
                (badge::count(queue.behind))
            }
            td.number data-label="In hand" { (badge::count(queue.in_flight)) }
            td.number data-label="Workers" { span.text-failed[unserved] { (queue.workers) } }
            @if may_act { td.act { @if !is_paused {
                (pausing::button(&target, "pause", "Pause", "/queues"))
            } } }
        }
    }
}
