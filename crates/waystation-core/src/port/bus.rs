//! The bus port: live signals, lossy by nature.

use tokio::sync::broadcast;

use crate::event::Level;
use crate::id::{JobId, StageId};

/// Something that is worth knowing now and worthless later.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// How far an attempt is.
    Progress {
        /// The job.
        job_id: JobId,
        /// Its stage.
        stage: StageId,
        /// From 0 to 100.
        percent: f64,
        /// What it does now.
        message: String,
    },
    /// A line that an attempt wrote.
    Log {
        /// The job.
        job_id: JobId,
        /// Its stage.
        stage: StageId,
        /// How serious it is.
        level: Level,
        /// The line.
        line: String,
    },
    /// Somebody wants a running job aborted. The lasting mark is in the store; this only makes
    /// it quick.
    Abort {
        /// The job.
        job_id: JobId,
        /// Why.
        reason: String,
    },
    /// Something durable changed: look again.
    Changed,
}

/// How many signals a slow subscriber may lag behind before it loses the oldest.
pub const SIGNALS_MAX: usize = 1_024;

/// A subscriber's end of the bus.
pub struct Subscription(broadcast::Receiver<Signal>);

impl Subscription {
    /// Wraps the receiving end of a channel.
    pub fn new(receiver: broadcast::Receiver<Signal>) -> Self {
        Self(receiver)
    }

    /// The next signal, or `None` when the bus is gone. Signals that were lost to lagging are
    /// stood in for by one [`Signal::Changed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Signal> {
        match self.0.recv().await {
            Ok(signal) => Some(signal),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Signal::Changed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Live signals between the processes that share a backend, or within one.
pub trait Bus: Send + Sync {
    /// Sends a signal to whoever listens now. Never waits; nobody listening is fine.
    fn publish(&self, signal: Signal);

    /// Hears every signal from now on.
    fn subscribe(&self) -> Subscription;
}
