//! The routes: one file a resource. Each handler reads, calls the engine's client, and maps.

mod acts;
mod audit;
mod document;
mod events;
mod executors;
mod holding;
mod hooks;
mod inbox;
mod jobs;
mod letters;
mod limits;
mod operations;
mod overview;
mod pauses;
mod pipelines;
mod previews;
mod queues;
mod sessions;
mod shapes;
mod sources;
mod submit;
mod tokens;
mod watching;
mod work;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use crate::context::Context;
use crate::layers;
use crate::problem::{Code, Problem};

pub use document::{Operations, ROLE};
pub(crate) use queues::all as queues;
pub(crate) use shapes::{as_written, kind_name};
pub(crate) use sources::{all as sources, one as source};

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
        .merge(overview::routes())
        .merge(pipelines::routes())
        .merge(sources::routes())
        .merge(executors::routes())
        .merge(jobs::routes())
        .merge(submit::routes())
        .merge(hooks::routes())
        .merge(acts::routes())
        .merge(letters::routes())
        .merge(operations::routes())
        .merge(inbox::routes())
        .merge(holding::routes())
        .merge(queues::routes())
        .merge(pauses::routes())
        .merge(workers::routes())
        .merge(work::routes())
        .merge(events::routes())
        .merge(previews::routes())
        .merge(sessions::routes_of_api())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(crate::live::routes());
    let (router, mut document) = OpenApiRouter::with_openapi(Head::openapi())
        .merge(sessions::routes())
        .merge(watching::routes())
        .nest("/api/v1", resources)
        .split_for_parts();
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
    // Numbers, texts and names can always be written.
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    let routes = api
        .merge(crate::dashboard::routes())
        .route("/api/openapi.json", get(move || async move { json(&document) }))
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the path does not know this method")
        });
    layers::around(routes, context)
}

fn json(text: &Arc<str>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
