//! Who works: engines, and programs that ask for work.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_engine::control::{WorkerKind, WorkerPresence};

use super::page::{Page, Place};
use super::parts::badge::number;
use super::parts::{moment, value};
use super::refused::Refused;
use super::visit::Visit;
use super::{href, jobs};
use crate::context::Context;
use crate::live::Topic;

/// The most jobs in hand that are listed of a worker.
const JOBS_MAX: usize = 20;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/workers", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let workers = context.client().workers().await?;
    let now = context.now();
    let page = Page::new(&visit, Place::Workers, "Workers").follow(&Topic::All).live(
        "workers",
        "stacked",
        || all(&workers, now),
    );
    Ok(page.respond())
}

fn all(workers: &[WorkerPresence], now: Timestamp) -> Markup {
    html! {
        @if workers.is_empty() {
            div.card.empty { p { "Nobody works here now." }
                p { code { "waystation run PIPELINE.yaml" } } }
        }
        @for worker in workers { (one(worker, now)) }
    }
}

fn one(worker: &WorkerPresence, now: Timestamp) -> Markup {
    let per_second = worker.settled_lately as f64 * 1_000.0 / worker.interval_ms.max(1) as f64;
    html! {
        article.card id={ "worker-" (worker.worker_id) } {
            div.title {
                h2 { (worker.worker_id) " "
                    @match worker.kind {
                        WorkerKind::Engine => span.badge { "engine" },
                        WorkerKind::Remote => span.badge.running { "remote" },
                    }
                    @if worker.draining { " " span.badge.retrying { "draining" } }
                }
                span.faint { "told " (moment::ago(worker.told_at, now)) }
            }
            dl.facts {
                div { dt { "Host" } dd { (worker.host)
                    @if let Some(pid) = worker.pid { span.faint { " process " (pid) } } } }
                div { dt { "Version" } dd { (worker.version) } }
                div { dt { "Up for" } dd { (moment::lasted(now.since(worker.started_at))) } }
                div { dt { "In hand" } dd { (number(worker.in_flight)) } }
                div { dt { "Settled" } dd { (number(worker.settled))
                    span.faint { " (" (format!("{per_second:.1}")) " / s)" } } }
                @if let Some(bytes) = worker.memory_bytes {
                    div { dt { "Memory" } dd { (value::bytes_words(bytes)) } }
                }
                @if let Some(seconds) = worker.cpu_seconds {
                    div { dt { "Processor" } dd { (format!("{seconds:.1} s")) } }
                }
            }
            div.halves {
                (serves(worker))
                (in_hand(worker, now))
            }
        }
    }
}

fn serves(worker: &WorkerPresence) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "Serves" } th { "Queue" }
                th.number { "In hand" } th.number { "At most" } } }
            tbody { @for serving in &worker.serves { tr {
                td data-label="Serves" {
                    a href=(href::pipeline(&serving.pipeline)) { (serving.pipeline) }
                    " · " (serving.stage)
                }
                td data-label="Queue" { code { (serving.queue) } }
                td.number data-label="In hand" { (serving.in_flight) }
                td.number data-label="At most" { @match serving.concurrency {
                    Some(most) => (most),
                    None => "–",
                } }
            } } }
        } }
    }
}

fn in_hand(worker: &WorkerPresence, now: Timestamp) -> Markup {
    html! {
        @if worker.jobs.is_empty() { p.faint { "No job in hand." } } @else {
            ul.list { @for job in worker.jobs.iter().take(JOBS_MAX) { li {
                span { a.id href=(href::job(&job.job_id)) { (jobs::short(job.job_id.as_str())) }
                    " at " (job.stage)
                    @if job.attempt > 1 { span.faint { ", attempt " (job.attempt) } } }
                span.end { "for " (moment::age(job.since, now)) }
            } } }
            @if worker.jobs.len() > JOBS_MAX {
                p.faint { "and " (worker.jobs.len() - JOBS_MAX) " more" }
            }
        }
    }
}
