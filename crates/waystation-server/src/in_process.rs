//! The API without a network: for commands that open a store by themselves.
//!
//! Whoever can open the store may do everything in it, so nobody is asked for a token here. What is
//! done is written down as it is when a server does it.

use std::convert::Infallible;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use tower::ServiceExt;
use waystation_engine::Client;
use waystation_engine::remote::{self, Remote};

use crate::access::{Access, Identity};
use crate::audit::audited;
use crate::context::Context;
use crate::options::Options;
use crate::problem::{Code, Problem};
use crate::routes;

/// The largest answer that is taken, in bytes. A page of the largest jobs is smaller.
const ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// The API over a client, in this process.
pub struct InProcess {
    router: Router,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON, or nothing.
    pub body: Bytes,
}

impl InProcess {
    /// The API as this person uses it.
    pub async fn new(client: Client, identity: Identity) -> Result<Self, remote::Error> {
        let backend = client.backend();
        let access = Access::new(backend.records.clone(), backend.clock.clone());
        let remote = Remote::start(client.clone(), remote::Options::default()).await?;
        let context = Context::new(client, access, remote, Options::default());
        let router = routes::api()
            .0
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn(known))
            .layer(Extension(identity))
            .layer(from_fn_with_state(context.clone(), audited))
            .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
            .with_state(context);
        Ok(Self { router })
    }

    /// Asks for a path and its query; with a body, it is JSON.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Problem> {
        let unread =
            |error: &dyn std::fmt::Display| Problem::new(Code::BadRequest, error.to_string());
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| unread(&error))?;
        let request = Request::builder().method(method).uri(path);
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body))
            }
            None => request.body(Body::empty()),
        };
        let request = request.map_err(|error| unread(&error))?;
        let answered: Result<Response, Infallible> = self.router.clone().oneshot(request).await;
        let Ok(response) = answered;
        let status: StatusCode = response.status();
        let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        Ok(Answer { status: status.as_u16(), body })
    }
}

/// Tells the layers around who it was.
async fn known(Extension(identity): Extension<Identity>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(identity);
    response
}
