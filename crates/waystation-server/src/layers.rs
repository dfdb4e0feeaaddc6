//! What stands around every route: limits, headers, and problems in the form of problems.

use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::access::guard;
use crate::audit::audited;
use crate::context::Context;
use crate::metrics::measured;
use crate::problem::{Code, Problem};

/// The routes whose answers are meant to wait; they know their own limit.
const WAITING: [&str; 2] = ["/api/v1/events", "/api/v1/work/claim"];
/// Scripts and styles come from this server's files alone; pictures may also be made by a page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Puts the layers around the routes. A request passes them from the last one to the first.
pub fn around(routes: Router<Context>, context: Context) -> Router {
    routes
        .layer(DefaultBodyLimit::max(context.limits().body_bytes_max))
        .layer(from_fn_with_state(context.clone(), guard))
        .layer(from_fn_with_state(context.clone(), timed))
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
            Problem::new(Code::Internal, "the server failed at this request").into_response()
        }))
        .layer(from_fn_with_state(context.clone(), audited))
        .layer(from_fn_with_state(context.clone(), measured))
        .layer(from_fn_with_state(context.clone(), bounded))
        .layer(from_fn(explained))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(header_layer("x-content-type-options", "nosniff"))
        .layer(header_layer("referrer-policy", "same-origin"))
        .layer(header_layer("x-frame-options", "DENY"))
        .layer(header_layer(header::CACHE_CONTROL.as_str(), "no-store"))
        .layer(header_layer(header::CONTENT_SECURITY_POLICY.as_str(), CONTENT_SECURITY_POLICY))
        .with_state(context)
}

fn header_layer(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderName::from_static(name);
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Ends what takes too long, but for what is meant to wait.
async fn timed(State(context): State<Context>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    if path.is_some_and(|path| WAITING.contains(&path.as_str())) {
        return next.run(request).await;
    }
    let limit = context.limits().request_time_max;
    let answered = tokio::time::timeout(limit, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let why = format!("the answer took longer than {} s", limit.as_secs());
        Problem::new(Code::TimedOut, why).into_response()
    })
}

/// Refuses requests with more headers than are read, and with what no store keeps in a name.
async fn bounded(State(context): State<Context>, request: Request, next: Next) -> Response {
    if request.uri().to_string().contains("%00") {
        let why = "the path and the query hold no NUL";
        return Problem::new(Code::BadRequest, why).into_response();
    }
    let headers = request.headers().iter();
    let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    let bytes_max = context.limits().header_bytes_max;
    if bytes > bytes_max {
        let why = format!("the headers are {bytes} bytes, more than the {bytes_max} allowed");
        return Problem::new(Code::HeadersTooLarge, why).into_response();
    }
    next.run(request).await
}

/// Gives answers that come from the layers themselves the form of a problem.
async fn explained(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_told = response.headers().contains_key(header::CONTENT_TYPE);
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if !is_told => {
            Problem::new(Code::TooLarge, "the request is larger than what is taken").into_response()
        }
        _ => response,
    }
}
