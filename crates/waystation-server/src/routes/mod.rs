//! The routes: one file a resource. Each handler reads, calls the engine's client, and maps.

mod jobs;
mod tokens;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use crate::access::guard;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// The document's head.
#[derive(OpenApi)]
#[openapi(
    info(title = "Waystation", description = "Durable pipelines over the queues that people run."),
    components(schemas(Problem))
)]
struct Head;

/// The API alone, as it is below `/api`, with its document.
pub fn api() -> (Router<Context>, Document) {
    OpenApiRouter::with_openapi(Head::openapi())
        .nest(
            "/api/v1",
            OpenApiRouter::new()
                .merge(jobs::routes())
                .merge(tokens::routes())
                .merge(crate::live::routes()),
        )
        .split_for_parts()
}

/// The OpenAPI document.
pub fn openapi() -> Document {
    api().1
}

/// Everything that a server answers.
pub fn router(context: Context) -> Router {
    let limits = context.limits().clone();
    let (api, document) = api();
    let document = axum::Json(document);
    let timed_out = StatusCode::SERVICE_UNAVAILABLE;
    api.route("/api/openapi.json", axum::routing::get(|| async move { document }))
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the path does not know this method")
        })
        .layer(DefaultBodyLimit::max(limits.body_bytes_max))
        .layer(from_fn_with_state(context.clone(), guard))
        .layer(TimeoutLayer::with_status_code(timed_out, limits.request_time_max))
        .layer(from_fn(explained))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::new(Code::Internal, "the server failed at this request").into_response()
        }))
        .layer(header_layer("x-content-type-options", "nosniff"))
        .layer(header_layer("referrer-policy", "same-origin"))
        .layer(header_layer("x-frame-options", "DENY"))
        .layer(header_layer(header::CONTENT_SECURITY_POLICY.as_str(), CONTENT_SECURITY_POLICY))
        .with_state(context)
}

/// Scripts and styles come from this server's files alone; pictures may also be made by a page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

fn header_layer(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderName::from_static(name);
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Gives answers that come from the layers themselves the form of a problem.
async fn explained(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let response = next.run(request).await;
    let is_told = response.headers().contains_key(header::CONTENT_TYPE);
    match response.status() {
        StatusCode::SERVICE_UNAVAILABLE if !is_told => {
            Problem::new(Code::TimedOut, "the answer took too long").into_response()
        }
        StatusCode::PAYLOAD_TOO_LARGE if !is_told => {
            Problem::new(Code::TooLarge, "the request is larger than what is taken").into_response()
        }
        _ => response,
    }
}
