//! What other programs watch: health, status, metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::pipeline::StageKind;
use waystation_engine::control::{WorkerKind, WorkerPresence};

use crate::access::Watcher;
use crate::context::Context;
use crate::health::{self, Health, Verdict};
use crate::metrics;
use crate::problem::Problem;
use crate::wire::Moment;

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
        Verdict::Healthy => StatusCode::OK,
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
    /// Whether it told of itself lately. Those that did not are not listed.
    alive: bool,
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
    let workers = context.client().workers().await?;
    let discovering = discovering(&context, &workers).await?;
    Ok(axum::Json(Status {
        worker_name: context.options().name.clone(),
        running: true,
        timestamp: context.now().into(),
        processing_workers: listed(&workers.iter().collect::<Vec<_>>()),
        source_workers: listed(&discovering),
    }))
}

/// The engines of pipelines that have sources.
async fn discovering<'a>(
    context: &Context,
    workers: &'a [WorkerPresence],
) -> Result<Vec<&'a WorkerPresence>, Problem> {
    let mut with_sources = Vec::new();
    for (name, version) in context.backend().store.pipelines().await? {
        let Ok(graph) = context.client().registry().graph(&name, version).await else { continue };
        let mut stages = graph.pipeline.stages.iter();
        if stages.any(|stage| graph.kind(&stage.id) == Some(StageKind::Source)) {
            with_sources.push(name);
        }
    }
    let engines = workers.iter().filter(|worker| worker.kind == WorkerKind::Engine);
    let serves = |worker: &&WorkerPresence| {
        worker.serves.iter().any(|serving| with_sources.contains(&serving.pipeline))
    };
    Ok(engines.filter(serves).collect())
}

fn listed(workers: &[&WorkerPresence]) -> StatusWorkers {
    let told = |worker: &&WorkerPresence| StatusWorker {
        id: worker.worker_id.clone(),
        pid: worker.pid,
        alive: true,
    };
    StatusWorkers {
        configured: workers.len(),
        active: workers.iter().filter(|worker| !worker.draining).count(),
        workers: workers.iter().map(told).collect(),
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
