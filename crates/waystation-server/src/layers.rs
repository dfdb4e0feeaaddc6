//! What stands around every route: limits, headers, and problems in the form of problems.

use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::access::guard;
use crate::audit::audited;
use crate::context::Context;
use crate::dashboard;
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
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| failed()))
        .layer(from_fn_with_state(context.clone(), audited))
        .layer(from_fn_with_state(context.clone(), timed))
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

/// Answers what takes too long, but for what is meant to wait. What may change something is done to
/// its end all the same, also when whoever asked goes away: only the answer is given up.
async fn timed(State(context): State<Context>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    if path.is_some_and(|path| WAITING.contains(&path.as_str())) {
        return next.run(request).await;
    }
    let limit = context.limits().request_time_max;
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let running = next.run(request);
    let answered = if changes_nothing {
        tokio::time::timeout(limit, running).await
    } else {
        let acting = tokio::spawn(running);
        let acted = tokio::time::timeout(limit, acting).await;
        acted.map(|ended| ended.unwrap_or_else(|_| failed()))
    };
    answered.unwrap_or_else(|_| {
        let why = format!("the answer took longer than {} s", limit.as_secs());
        let hint = if changes_nothing { "" } else { " (hint: it may be done all the same)" };
        Problem::new(Code::TimedOut, why + hint).into_response()
    })
}

/// Where something of ours broke.
fn failed() -> Response {
    Problem::new(Code::Internal, "the server failed at this request").into_response()
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

/// Gives answers that come from the layers themselves the form of a problem, and browsers a page
/// in the place of every problem.
async fn explained(request: Request, next: Next) -> Response {
    let is_of_browser = dashboard::is_of_browser(&request);
    let mut response = next.run(request).await;
    let is_told = response.headers().contains_key(header::CONTENT_TYPE);
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && !is_told {
        let why = "the request is larger than what is taken";
        response = Problem::new(Code::TooLarge, why).into_response();
    }
    match response.extensions().get::<Problem>() {
        Some(problem) if is_of_browser => dashboard::problem_page(problem),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Body;
    use axum::routing::{get, post};
    use tokio::sync::{Notify, Semaphore};
    use tower::ServiceExt;

    use super::*;
    use crate::options::Limits;
    use crate::world::World;

    #[tokio::test]
    async fn what_may_change_something_is_done_after_the_answer_is_given_up() {
        let limits = Limits { request_time_max: Duration::from_millis(20), ..Limits::default() };
        let world = World::new(limits).await;
        let (may_end, done) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let (waits, tells) = (Arc::clone(&may_end), Arc::clone(&done));
        let slow = move || async move {
            waits.acquire().await.expect("it is open").forget();
            tells.notify_one();
        };
        let router = Router::new()
            .route("/slow", post(slow.clone()))
            .route("/slow", get(slow))
            .layer(from_fn_with_state(world.context.clone(), timed))
            .with_state(world.context.clone());
        let ask = async |method: &str| {
            let request = Request::builder().method(method).uri("/slow").body(Body::empty());
            let answer = router.clone().oneshot(request.expect("a request")).await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let body = axum::body::to_bytes(answer.into_body(), 9_999).await.expect("a body");
            String::from_utf8(body.to_vec()).expect("UTF-8")
        };
        let looked = ask("GET").await;
        assert!(!looked.contains("done all the same"), "{looked}");
        let told = ask("POST").await;
        assert!(told.contains("it may be done all the same"), "{told}");
        may_end.add_permits(1);
        let ended = tokio::time::timeout(Duration::from_secs(20), done.notified()).await;
        ended.expect("it is done");
        world.stop.cancel();
    }
}
