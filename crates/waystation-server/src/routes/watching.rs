//! What other programs watch: health, status, metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_engine::Role;
use waystation_engine::control::WorkerPresence;

use crate::access::Watcher;
use crate::context::Context;
use crate::health::{self, Health, Verdict};
use crate::metrics;
use crate::problem::Problem;
use crate::wire::{EngineWorker, Moment};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(status))
        .routes(routes!(metrics))
}

/// Whether things go on
///
/// Part by part, with reasons: progress, or proof that there is nothing to do. A server that
/// listens on its own machine alone asks for no token.
#[utoipa::path(
    get, path = "/health", tag = "watching", operation_id = "get_health",
    extensions(("x-role" = json!("local"))),
    responses(
        (status = 200, body = Health, description = "All parts go on"),
        (status = 503, body = Health, description = "Some part does not"),
        Problem
    )
)]
async fn health(State(context): State<Context>, _: Watcher) -> Response {
    let health = health::look(&context).await;
    let status = match health.status {
        Verdict::Healthy | Verdict::Warning => StatusCode::OK,
        Verdict::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, axum::Json(health)).into_response()
}

/// That the process lives.
#[derive(Serialize, Deserialize, ToSchema)]
struct Alive {
    /// `alive`.
    status: String,
}

/// Whether the server answers
///
/// Nothing else is looked at: what does not answer this is to be started again.
#[utoipa::path(
    get, path = "/health/live", tag = "watching", operation_id = "get_liveness",
    extensions(("x-role" = json!("none"))),
    responses((status = 200, body = Alive), Problem)
)]
async fn live() -> axum::Json<Alive> {
    axum::Json(Alive { status: "alive".to_owned() })
}

/// The workers in the form of ContentFlow's `/status`.
#[derive(Serialize, Deserialize, ToSchema)]
struct Status {
    /// What this server is called.
    worker_name: String,
    /// Whether it runs. It does.
    running: bool,
    /// When it was looked.
    timestamp: Moment,
    /// Those that work on jobs.
    processing_workers: StatusWorkers,
    /// Those that look for new ones.
    source_workers: StatusWorkers,
}

/// Workers of one kind.
#[derive(Default, Serialize, Deserialize, ToSchema)]
struct StatusWorkers {
    /// How many there are.
    configured: usize,
    /// How many of them take work.
    active: usize,
    /// Which.
    workers: Vec<StatusWorker>,
}

/// A worker.
#[derive(Serialize, Deserialize, ToSchema)]
struct StatusWorker {
    /// Its name.
    id: String,
    /// Its process, where that is known.
    pid: Option<u32>,
    /// Whether it works. One that does not is started again soon, unless that happened too often.
    alive: bool,
    /// How it stands, where an engine looks after it: as in `/api/v1/engines`. Beyond that form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// How often another one was started in its place. Beyond that form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restarts: Option<u64>,
    /// Why the last one ended. Beyond that form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_end_reason: Option<String>,
    /// When it did. Beyond that form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_end_at: Option<Moment>,
}

/// Who works
///
/// In the form of ContentFlow's worker, for programs that watch it.
#[utoipa::path(
    get, path = "/status", tag = "watching", operation_id = "get_status",
    extensions(("x-role" = json!("local"))),
    responses((status = 200, body = Status), Problem)
)]
async fn status(State(context): State<Context>, _: Watcher) -> Result<axum::Json<Status>, Problem> {
    let engines = context.client().engines().await?;
    let workers = context.client().workers().await?;
    let looked_after: Vec<_> = engines.iter().flat_map(|engine| &engine.workers).collect();
    // Those that `run` started, and programs that ask for work, are nobody's to look after.
    let known: Vec<_> = looked_after.iter().filter_map(|one| one.worker_id.as_ref()).collect();
    let free: Vec<_> = workers.iter().filter(|one| !known.contains(&&one.worker_id)).collect();
    let of = |role: Role, does: &dyn Fn(&WorkerPresence) -> bool| {
        let mut listed = StatusWorkers::default();
        for worker in looked_after.iter().filter(|one| one.assignment.role == role) {
            listed.add(EngineWorker::from((*worker).clone()));
        }
        for worker in free.iter().filter(|worker| does(worker)) {
            listed.add_free(worker);
        }
        listed
    };
    Ok(axum::Json(Status {
        worker_name: context.options().name.clone(),
        running: true,
        timestamp: context.now().into(),
        processing_workers: of(Role::Processing, &|worker| !worker.serves.is_empty()),
        source_workers: of(Role::Source, &|worker| !worker.discovers.is_empty()),
    }))
}

impl StatusWorkers {
    /// One that an engine looks after.
    fn add(&mut self, worker: EngineWorker) {
        self.configured += 1;
        self.active += usize::from(worker.alive);
        self.workers.push(StatusWorker {
            id: worker.worker_id.unwrap_or(worker.name),
            pid: worker.pid,
            alive: worker.alive,
            state: Some(worker.state),
            restarts: Some(worker.restarts),
            last_end_reason: worker.last_end_reason,
            last_end_at: worker.last_end_at,
        });
    }

    /// One that is by itself.
    fn add_free(&mut self, worker: &WorkerPresence) {
        self.configured += 1;
        self.active += usize::from(!worker.draining);
        self.workers.push(StatusWorker {
            id: worker.worker_id.clone(),
            pid: worker.pid,
            alive: true,
            state: None,
            restarts: None,
            last_end_reason: None,
            last_end_at: None,
        });
    }
}

/// Read the metrics
///
/// In the text form of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "watching", operation_id = "get_metrics",
    extensions(("x-role" = json!("local"))),
    responses((status = 200, body = String, content_type = "text/plain"), Problem)
)]
async fn metrics(State(context): State<Context>, _: Watcher) -> Result<Response, Problem> {
    let text = metrics::text(&context).await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
