//! The promises of the ports, as cases that every backend runs.
//!
//! A backend's tests implement [`Harness`] and expand the suite, which makes one named test of
//! each case:
//!
//! ```text
//! waystation_testing::conformance_suite!(SqliteHarness::new());
//! // A backend that keeps nothing over a crash says so, and its tests say so too:
//! waystation_testing::conformance_suite!(MemoryHarness::new(), keeps_nothing);
//! // A store that can keep the books for a broker:
//! waystation_testing::conformance_ledger!(SqliteHarness::new());
//! // Random operations, held against the reference step by step:
//! waystation_testing::conformance_model!(SqliteHarness::new(), MemoryHarness::new());
//! ```
//!
//! The crate of the tests needs `tokio` among its dependencies. New behaviour of a port starts
//! here, with a case that fails.

mod backend;
mod share;
mod suite;
mod turns;
mod volatile;

pub mod abort;
pub mod dead_letters;
pub mod dedupe;
pub mod delivery;
pub mod durability;
pub mod family;
pub mod feed;
pub mod inbox;
pub mod job_pages;
pub mod keys;
pub mod leases;
pub mod ledger;
pub mod letters;
pub mod limits;
pub mod listings;
pub mod model;
pub mod order;
pub mod progress;
pub mod records;
pub mod runs;
pub mod settlements;
pub mod statistics;
pub mod steps;
pub mod submission;
pub mod tasks;
pub mod waiting;

use async_trait::async_trait;

pub use backend::{Backend, LEASE, WAIT_MAX, bounded};
pub use share::hand_out_the_share;
pub use turns::keep_the_order_of_each_key;
pub use volatile::Volatile;

use crate::FakeClock;

/// What a backend's tests tell the suite about it.
#[async_trait]
pub trait Harness: Send {
    /// The clock that the backend reads.
    fn clock(&self) -> &FakeClock;

    /// The largest body that the backend is set up to take. Small is quick: a few KiB will do.
    fn payload_bytes_max(&self) -> usize;

    /// A backend with nothing in it.
    async fn open(&mut self) -> Backend;

    /// Ends the backend as a crash of its process would, without a word of farewell, and opens
    /// what is left of it. `None` when nothing is, by design.
    async fn crash_and_reopen(&mut self, backend: Backend) -> Option<Backend>;
}
