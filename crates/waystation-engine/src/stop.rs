//! How a running attempt is told to stop, and why.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;
use waystation_core::id::JobId;

use crate::control::InHand;

/// Why an attempt must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody wants the job aborted.
    Abort(String),
    /// The lease is gone: whatever the attempt brings would be refused.
    LeaseLost,
    /// The engine ends.
    Shutdown,
}

/// The stop of one attempt. The first cause stays.
#[derive(Default)]
pub struct Stop {
    token: CancellationToken,
    cause: OnceLock<Cause>,
    /// Set once the contract was read.
    pub job_id: OnceLock<JobId>,
    /// What is told of it to those who look on. Set once its stage is known.
    pub in_hand: OnceLock<InHand>,
}

impl Stop {
    /// Tells the attempt to stop.
    pub fn stop(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// Why it was told to stop, if it was.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }

    /// Waits until it is told to stop.
    pub async fn stopped(&self) -> Cause {
        self.token.cancelled().await;
        // Set before the token is cancelled.
        self.cause.get().cloned().unwrap_or(Cause::Shutdown)
    }
}
