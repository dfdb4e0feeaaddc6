//! A pipeline under test: the real engine over memory, with a clock that stands still until the
//! test moves it.
//!
//! ```
//! use std::time::Duration;
//!
//! use serde_json::{Value, json};
//! use waystation::testing::World;
//! use waystation::{App, Context, Failure};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), waystation::testing::Error> {
//! let detect = |_: Context, _: Value| async { Ok(json!({ "detection_run_id": "det_456" })) };
//! let world = World::start(App::new("images").stage("detect", detect)).await?;
//!
//! world.fail_next("detect", Failure::transient("the GPU is out of memory"));
//! let job = world.submit(json!({ "image_id": "img_123" })).await?;
//! world.advance(Duration::from_secs(10)).await?;
//! assert_eq!(world.completed(&job).await?.params["detection_run_id"], "det_456");
//! world.events(&job).await?.assert_are(&[
//!     ("created", "detect"),
//!     ("started", "detect"),
//!     ("retried", "detect"),
//!     ("started", "detect"),
//!     ("completed", "detect"),
//! ]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`World`] takes the place of [`App::open`](crate::App::open) and of the engine.
//! - Every question waits until the job *rests*: it has ended, or waits for a person or for a
//!   later time. No test needs to sleep or to look again.
//! - What is not as the test wants it is told at once, in words that say where the job stands.
//! - [`World::fail_next`], [`World::hold_next`] and [`World::stand_in`] are between the engine and
//!   the code of the stages: retries, routes, events and forms are the real ones.
//!
//! Leases never run out here, and a stage's `timeout_seconds` runs on real time.

mod catalog;
mod error;
mod events;
mod jobs;
mod rest;
mod script;
#[cfg(test)]
mod tests;
mod world;

pub use error::Error;
pub use events::Events;
pub use script::Held;
pub use waystation_testing::FakeClock;
pub use waystation_testing::faults::{
    FailsAtFirst, IgnoresCancellation, NeverReturns, Panics, Release, WrongOutput,
};
pub use world::World;
