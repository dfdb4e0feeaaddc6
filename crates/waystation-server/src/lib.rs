//! The HTTP side of Waystation: the API for programs, live updates, and the dashboard for people.
//!
//! A request's way: [`Server`] accepts the connection; [`access`] finds out who asks and refuses
//! what another site's page asks in their name; a route under [`routes`] reads the request, calls
//! the engine's client and turns what it says into a [`wire`] form; what goes wrong becomes a
//! [`Problem`]. Pages of the dashboard go the same way and end in HTML.

pub mod access;
mod answers;
mod audit;
mod cached;
mod context;
pub mod dashboard;
mod extract;
mod figures;
mod health;
mod idempotency;
mod in_process;
mod layers;
mod listener;
pub mod live;
pub mod metrics;
mod options;
mod problem;
pub mod redact;
pub mod routes;
mod server;
mod spread;
pub mod wire;
#[cfg(test)]
mod world;

pub use context::Context;
pub use in_process::{Answer, InProcess};
pub use options::{Limits, Options};
pub use problem::{Code, Problem};
pub use routes::{api, openapi};
pub use server::{Server, ServerError};
