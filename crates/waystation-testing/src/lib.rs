//! What tests of Waystation are made of.
//!
//! - [`FakeClock`]: a clock that stands still until a test moves it; [`TimerClock`]: one that goes
//!   with timers, which tests may let pass fast.
//! - [`sample`]: small jobs and settlements in few words.
//! - [`conformance`]: the promises of the ports as a suite of cases that every backend runs, and
//!   a model test that holds a backend against the reference.
//! - [`blobs`]: the promises of a place for blobs.
//! - [`faults`]: a queue that fails when it is told to, connections that break, and handlers that
//!   misbehave.
//! - [`servers`]: real servers of a test's own, to be killed and restarted.
//! - `browser`, with the feature of that name: a browser of a test's own.

#![allow(
    clippy::missing_panics_doc,
    reason = "the helpers and cases of a test fail by panicking; that is what they are for"
)]

pub mod blobs;
#[cfg(feature = "browser")]
pub mod browser;
pub mod clock;
pub mod conformance;
pub mod faults;
pub mod sample;
pub mod servers;

pub use clock::{FakeClock, TimerClock};
