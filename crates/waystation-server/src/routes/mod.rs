//! The routes: one file a resource. Each handler reads, calls the engine's client, and maps.

mod document;
mod jobs;
mod tokens;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use crate::context::Context;
use crate::layers;
use crate::problem::{Code, Problem};

pub use document::{Operations, ROLE};

/// The document's head.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waystation",
        description = "Durable pipelines over the queues that people run.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Head;

/// The API alone, with its document.
pub fn api() -> (Router<Context>, Document) {
    let resources = OpenApiRouter::new()
        .merge(jobs::routes())
        .merge(tokens::routes())
        .merge(crate::live::routes());
    let (router, mut document) =
        OpenApiRouter::with_openapi(Head::openapi()).nest("/api/v1", resources).split_for_parts();
    document::complete(&mut document);
    (router, document)
}

/// The OpenAPI document.
pub fn openapi() -> Document {
    api().1
}

/// Everything that a server answers.
pub fn router(context: Context) -> Router {
    let (api, document) = api();
    let document = axum::Json(document);
    let routes = api
        .merge(crate::dashboard::routes())
        .route("/api/openapi.json", axum::routing::get(|| async move { document }))
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the path does not know this method")
        });
    layers::around(routes, context)
}
