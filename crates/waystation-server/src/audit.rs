//! Writes down who did what: every request that may change something, refused ones too.
//!
//! Left out are submitting, where the job's own events tell who it was, and what remote workers
//! tell of their work, which is no decision of a person; but not when they are refused.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponseParts, Response, ResponseParts};
use serde_json::Value;
use waystation_engine::control::AuditEntry;

use crate::access::Identity;
use crate::context::Context;
use crate::dashboard;

/// What is not written down: the paths, and what lies below those that end in `/`.
const LEFT_OUT: [&str; 2] = ["/api/v1/jobs", "/api/v1/work/"];

/// What a handler has to say of what it did, beside the path. Never a secret.
#[derive(Clone)]
pub struct Detail(pub Value);

/// That nothing came of it although the status does not say so, as with pages' forms; and why.
#[derive(Clone, Copy)]
pub struct Failed(pub &'static str);

impl IntoResponseParts for Detail {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

impl IntoResponseParts for Failed {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Writes down what came of a request, once it has.
pub async fn audited(State(context): State<Context>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let path = path.as_str();
    let (method, target) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let is_left_out =
        LEFT_OUT.iter().any(|out| path == *out || (out.ends_with('/') && path.starts_with(out)));
    if !is_left_out || response.status() == StatusCode::FORBIDDEN {
        write(&context, entry(&context, &method, path, target, &response)).await;
    }
    response
}

async fn write(context: &Context, entry: AuditEntry) {
    if let Err(error) = context.client().write_audit(entry).await {
        tracing::error!(%error, "an act is not in the audit log");
    }
}

fn entry(
    context: &Context,
    method: &Method,
    path: &str,
    target: String,
    response: &Response,
) -> AuditEntry {
    let known = response.extensions().get::<Identity>();
    let (by, role) = match known {
        Some(identity) => (identity.name.clone(), Some(identity.role.to_string())),
        None => ("nobody".to_owned(), None),
    };
    let detail = response.extensions().get::<Detail>().map(|detail| detail.0.clone());
    let detail = detail.unwrap_or(Value::Null);
    let action = dashboard::action(path, &detail);
    AuditEntry {
        at: context.now(),
        by,
        role,
        action: action.unwrap_or_else(|| context.operations().action(method, path)),
        target,
        detail,
        outcome: outcome(response),
    }
}

/// `done`, or why not.
fn outcome(response: &Response) -> String {
    let status = response.status();
    match response.extensions().get::<Failed>() {
        Some(Failed(why)) => (*why).to_owned(),
        None if status.is_success() || status.is_redirection() => "done".to_owned(),
        None => status.to_string(),
    }
}
