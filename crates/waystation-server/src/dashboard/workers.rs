//! Who works: the engines of hosts, their workers, and programs that ask for work.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_engine::control::{Serving, WorkerKind, WorkerPresence};

use super::page::{Page, Place};
use super::parts::badge::{self, number};
use super::parts::words::sentence;
use super::parts::{moment, value};
use super::refused::Refused;
use super::visit::Visit;
use super::{href, jobs};
use crate::context::Context;
use crate::live::Topic;
use crate::wire::{Engine, EngineWorker};

/// The most jobs in hand that are listed of a worker.
const JOBS_MAX: usize = 20;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/workers", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let engines = context.client().engines().await?;
    let engines: Vec<_> = engines.into_iter().map(Engine::from).collect();
    let workers = context.client().workers().await?;
    let now = context.now();
    let page = Page::new(&visit, Place::Workers, "Workers")
        .follow(&Topic::All)
        .live("engines", "stacked", || html! { @for one in &engines { (engine(one, now)) } })
        .live("workers", "stacked", || all(&workers, !engines.is_empty(), now));
    Ok(page.respond())
}

/// What looks after the workers of a host.
fn engine(engine: &Engine, now: Timestamp) -> Markup {
    html! {
        article.card id={ "engine-" (engine.engine_id) } {
            div.title {
                h2 { "Engine of " (engine.host) " "
                    @if engine.draining { span.badge.retrying { "draining" } } }
                span.faint { "last seen " (moment::ago(engine.told_at.0, now)) }
            }
            dl.facts {
                div { dt { "Process" } dd { (engine.pid)
                    @if engine.in_process { span.faint { " with its workers in it" } } } }
                div { dt { "Version" } dd { (engine.version) } }
                div { dt { "Up for" } dd {
                    (moment::lasted(now.since(engine.started_at.0))) } }
            }
            div.scroll { table {
                thead { tr { th { "Worker" } th { "State" } th.number { "Process" }
                    th.number { "In hand" } th.number { "Settled" } th.number { "Memory" }
                    th.number { "Processor" } th.number { "Restarts" } th.wide { "Last end" } } }
                tbody { @for worker in &engine.workers { (place(worker, now)) } }
            } }
        }
    }
}

/// A worker's place.
fn place(worker: &EngineWorker, now: Timestamp) -> Markup {
    let class = match worker.state.as_str() {
        "running" => "running",
        "starting" => "queued",
        "draining" | "waiting" => "retrying",
        "given_up" => "failed",
        _ => "skipped",
    };
    html! { tr {
        td.name data-label="Worker" { @match &worker.worker_id {
            Some(id) => a href={ "#worker-" (id) } { (worker.name) },
            None => (worker.name),
        } }
        td data-label="State" { span.badge.(class) { (worker.state.replace('_', " ")) }
            @if let Some(starts_at) = worker.starts_at {
                " " span.faint { "starts " (moment::ago(starts_at.0, now)) } }
            @if let Some(why) = &worker.draining_for { " " span.faint { (why) } } }
        td.number data-label="Process" { @match worker.pid {
            Some(pid) => (pid),
            None => span.faint { "–" },
        } }
        td.number data-label="In hand" { (badge::count(worker.in_flight)) }
        td.number data-label="Settled" { (badge::count(worker.settled)) }
        td.number data-label="Memory" { @match worker.memory_bytes {
            Some(bytes) => (value::bytes_words(bytes)),
            None => span.faint { "–" },
        } }
        td.number data-label="Processor" { @match worker.cpu_seconds {
            Some(seconds) => (format!("{seconds:.1} s")),
            None => span.faint { "–" },
        } }
        td.number data-label="Restarts" { (badge::count(worker.restarts)) }
        td.wide data-label="Last end" {
            @if let Some(reason) = &worker.last_end_reason { span {
                (sentence(reason))
                @if let Some(at) = worker.last_end_at {
                    span.faint { ", " (moment::ago(at.0, now)) } }
            } }
        }
    } }
}

fn all(workers: &[WorkerPresence], has_engines: bool, now: Timestamp) -> Markup {
    html! {
        @if workers.is_empty() && !has_engines {
            div.card.empty { p { "Nobody works here now. Jobs wait until somebody does:" }
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
                span.faint { "last seen " (moment::ago(worker.told_at, now)) }
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
            @for fault in &worker.faults {
                p.text-failed { "Pipeline " b { (fault.pipeline) } " does not run here: "
                    (sentence(&fault.message)) }
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
            tbody {
            @for source in &worker.discovers { tr {
                td.name data-label="Serves" {
                    a href={ "/sources/" (href::encode(source.pipeline.as_str())) "/"
                        (href::encode(source.stage.as_str())) } {
                        (source.pipeline) " · " (source.stage)
                    } " " span.faint { "source" }
                }
                td data-label="Queue" { span.faint { "–" } }
                td.number data-label="In hand" { span.faint { "–" } }
                td.number data-label="At most" { "–" }
            } }
            @for serving in &worker.serves { tr {
                td.name data-label="Serves" {
                    a href=(href::pipeline(&serving.pipeline)) {
                        (serving.pipeline) " · " (serving.stage)
                    }
                }
                td.name data-label="Queue" title=(serving.queue) { code { (serving.queue) }
                    @if let Some(owned) = partitions(serving) { " " span.faint { (owned) } }
                }
                td.number data-label="In hand" { (badge::count(serving.in_flight)) }
                td.number data-label="At most" { @match serving.concurrency {
                    Some(most) => (most),
                    None => "–",
                } }
            } } }
        } }
    }
}

/// Which partitions of the queue are its own, where there are such.
fn partitions(serving: &Serving) -> Option<String> {
    let owned: Vec<_> = serving.partitions.iter().map(u32::to_string).collect();
    match owned.len() {
        0 => None,
        1 => Some(format!("partition {}", owned[0])),
        _ => Some(format!("partitions {}", owned.join(", "))),
    }
}

fn in_hand(worker: &WorkerPresence, now: Timestamp) -> Markup {
    html! {
        div { h3 { "In hand" }
        @if worker.jobs.is_empty() { p.faint { "No job." } } @else {
            ul.list { @for job in worker.jobs.iter().take(JOBS_MAX) { li {
                span { a.id href=(href::job(&job.job_id)) { (jobs::short(job.job_id.as_str())) }
                    " at " (job.stage)
                    @if job.attempt > 1 { span.faint { ", attempt " (job.attempt) } } }
                span.end { "for " (moment::age(job.since, now)) }
            } } }
            @if worker.jobs.len() > JOBS_MAX {
                p.faint { "and " (worker.jobs.len() - JOBS_MAX) " more" }
            }
        } }
    }
}
