//! Workers: who works, and at what.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Viewer;
use crate::context::Context;
use crate::problem::Problem;
use crate::wire::{Engine, Worker};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(engines))
}

/// List the workers
///
/// Processes with an engine, and remote workers that asked for work, that told of themselves in the
/// last 15 seconds.
#[utoipa::path(
    get, path = "/workers", tag = "workers", operation_id = "list_workers",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Worker>), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<Worker>>, Problem> {
    let workers = context.client().workers().await?;
    Ok(axum::Json(workers.into_iter().map(Worker::from).collect()))
}

/// List the engines
///
/// What looks after the workers of a host, as `waystation engine` does, and told of itself in the
/// last 15 seconds: each worker's place, whether somebody works there, and how the last one ended.
#[utoipa::path(
    get, path = "/engines", tag = "workers", operation_id = "list_engines",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Engine>), Problem)
)]
async fn engines(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<Engine>>, Problem> {
    let engines = context.client().engines().await?;
    Ok(axum::Json(engines.into_iter().map(Engine::from).collect()))
}
