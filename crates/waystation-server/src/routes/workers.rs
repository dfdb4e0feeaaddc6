//! Workers: who works, and at what.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Viewer;
use crate::context::Context;
use crate::problem::Problem;
use crate::wire::Worker;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
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
