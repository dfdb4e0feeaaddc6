//! The harness of a backend that keeps nothing, such as the reference.

use std::sync::Arc;

use async_trait::async_trait;
use waystation_core::clock::Clock;

use super::{Backend, Harness};
use crate::FakeClock;

/// The harness of a backend that lives in memory alone and is made by a function of the clock and
/// the largest body.
pub struct Volatile<Open> {
    clock: FakeClock,
    payload_bytes_max: usize,
    open: Open,
}

impl<Open: Fn(Arc<dyn Clock>, usize) -> Backend + Send> Volatile<Open> {
    /// A harness with a clock of its own.
    pub fn new(payload_bytes_max: usize, open: Open) -> Self {
        Self { clock: FakeClock::new(), payload_bytes_max, open }
    }
}

#[async_trait]
impl<Open: Fn(Arc<dyn Clock>, usize) -> Backend + Send> Harness for Volatile<Open> {
    fn clock(&self) -> &FakeClock {
        &self.clock
    }

    fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    async fn open(&mut self) -> Backend {
        (self.open)(self.clock.shared(), self.payload_bytes_max)
    }

    async fn crash_and_reopen(&mut self, _: Backend) -> Option<Backend> {
        None
    }
}
