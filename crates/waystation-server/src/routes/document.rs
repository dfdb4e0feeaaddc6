//! Completes the OpenAPI document: who may do what, and every status that an answer can have.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder};
use utoipa::openapi::security::{SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr};
use utoipa::openapi::{OpenApi as Document, ServerBuilder};

use crate::access::SESSION_COOKIE;

/// The extension that names the role that an operation takes: `none` where everybody may.
pub const ROLE: &str = "x-role";

/// The operations by method and path, for those who tell of requests.
pub struct Operations(HashMap<(String, String), String>);

impl Operations {
    /// The operations of a document.
    pub fn of(document: &Document) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if let Some(id) = &operation.operation_id {
                    known.insert((method.to_owned(), path.clone()), id.clone());
                }
            }
        }
        Self(known)
    }

    /// What a request does: the operation's id, or method and path where it has none.
    pub fn action(&self, method: &Method, matched: &str) -> String {
        // The router's `{*key}` is `{key}` in the document.
        let path = matched.replace("{*", "{");
        let known = self.0.get(&(method.as_str().to_owned(), path));
        known.cloned().unwrap_or_else(|| format!("{method} {matched}"))
    }
}

/// Adds what follows from the rest.
pub fn complete(document: &mut Document) {
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("wst_…").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE)));
    components.add_security_scheme("session", cookie);
    document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    // What takes the rest of a path is one part of it to the document.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths =
        paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for (path, item) in &mut document.paths.paths {
        for operation in operations_mut(item) {
            say_who(operation);
            say_what_can_go_wrong(path, operation);
        }
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn say_who(operation: &mut Operation) {
    let role = operation.extensions.as_ref().and_then(|known| known.get(ROLE));
    if role == Some(&Value::from("none")) {
        operation.security = Some(Vec::new());
        return;
    }
    let no_scopes = || std::iter::empty::<String>();
    operation.security = Some(vec![
        SecurityRequirement::new("bearer", no_scopes()),
        SecurityRequirement::new("session", no_scopes()),
    ]);
}

/// Every operation may answer with what its shape brings: somebody may have no token, a body may be
/// too large, a path may lead to nothing.
fn say_what_can_go_wrong(path: &str, operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let has_query = parameters.clone().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => false,
    });
    let (has_parts, has_body) = (path.contains('{'), operation.request_body.is_some());
    let mut statuses = vec![401, 403, 431, 500, 503];
    if has_parts || has_query || has_body {
        statuses.extend([400, 422]);
    }
    if has_parts {
        statuses.push(404);
    }
    if has_body {
        statuses.extend([413, 415]);
    }
    let responses = &mut operation.responses.responses;
    responses.remove("default");
    for status in statuses {
        responses.entry(status.to_string()).or_insert_with(|| problem(status).into());
    }
}

fn problem(status: u16) -> Response {
    let words = axum::http::StatusCode::from_u16(status).ok();
    let words = words.and_then(|status| status.canonical_reason()).unwrap_or("Problem");
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(words).content("application/problem+json", content).build()
}
