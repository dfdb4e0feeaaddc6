//! The dashboard: pages for people, made on the server.
//!
//! A page is a folder: its `query` reads what the page shows into one struct, its `mod` makes HTML
//! of that, and an `acts` file, where there is one, takes what its forms send. There is no rule
//! here that the engine's client does not hold by itself. Pages can be read, and acted on, without
//! scripts; `assets/live.js` only asks again for the sections that a page marks as live.

mod assets;
mod audit;
mod dead;
mod executors;
mod flash;
pub mod href;
mod inbox;
mod job;
mod jobs;
mod login;
mod named;
mod operations;
mod overview;
mod page;
mod parts;
mod pausing;
mod pipelines;
mod queues;
mod refused;
mod sources;
#[cfg(test)]
mod tests;
mod tokens;
mod visit;
mod workers;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;

use crate::context::Context;
use crate::problem::Problem;

/// The routes of the pages, and of what they are drawn with.
pub fn routes() -> Router<Context> {
    Router::new()
        .merge(assets::routes())
        .merge(overview::routes())
        .merge(jobs::routes())
        .merge(job::routes())
        .merge(inbox::routes())
        .merge(pipelines::routes())
        .merge(executors::routes())
        .merge(queues::routes())
        .merge(dead::routes())
        .merge(workers::routes())
        .merge(sources::routes())
        .merge(operations::routes())
        .merge(audit::routes())
        .merge(tokens::routes())
        .merge(login::routes())
        .merge(pausing::routes())
}

/// Whether a browser goes somewhere, and is to see a page whatever comes of it.
pub fn is_of_browser(request: &Request) -> bool {
    refused::is_of_browser(request)
}

/// What a form of a page did, by the API's name for it.
pub fn action(path: &str, detail: &Value) -> Option<String> {
    named::action(path, detail)
}

/// A problem as a page.
pub fn problem_page(problem: &Problem) -> Response {
    refused::show(problem)
}
