//! The dashboard: pages for people, made on the server.
//!
//! A page is a folder: its `query` reads what the page shows into one struct, its `mod` makes HTML of
//! that, and an `acts` file, where there is one, takes what its forms send. There is no rule here
//! that the engine's client does not hold by itself. Pages can be read, and acted on, without
//! scripts; `assets/live.js` only asks again for the sections that a page marks as live.

mod assets;
mod figures;
mod flash;
pub mod href;
mod inbox;
mod job;
mod jobs;
mod overview;
mod page;
mod parts;
mod refused;
mod visit;

use axum::Router;

use crate::context::Context;

/// The routes of the pages, and of what they are drawn with.
pub fn routes() -> Router<Context> {
    Router::new()
        .merge(assets::routes())
        .merge(overview::routes())
        .merge(jobs::routes())
        .merge(job::routes())
        .merge(inbox::routes())
}
