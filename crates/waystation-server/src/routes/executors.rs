//! Executors: what a stage's `type:` may be.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shapes::kind_name;
use crate::access::Viewer;
use crate::context::Context;
use crate::wire::Executor;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List the executors
///
/// What a stage's `type` may be in this server's program, by name, with a JSON Schema of the
/// settings of each.
#[utoipa::path(
    get, path = "/executors", tag = "pipelines", operation_id = "list_executors",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Executor>), crate::problem::Problem)
)]
async fn list(State(context): State<Context>, _: Viewer) -> axum::Json<Vec<Executor>> {
    let types = context.client().registry().catalog().types();
    let told = types.into_iter().map(|one| Executor {
        stage_type: one.name,
        kind: kind_name(one.kind).to_owned(),
        summary: one.summary,
        settings: one.settings,
    });
    axum::Json(told.collect())
}
