//! The bus port: live signals, lossy by nature.

use serde::{Deserialize, Serialize};
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

/// The form that signals have on every bus between processes: what foreign programs read and write
/// too.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Wire {
    Progress {
        job_id: JobId,
        stage: StageId,
        progress: f64,
        #[serde(default)]
        message: String,
    },
    Log {
        job_id: JobId,
        stage: StageId,
        #[serde(default = "info")]
        level: Level,
        line: String,
    },
    Abort {
        job_id: JobId,
        #[serde(default)]
        reason: String,
    },
    Changed,
}

fn info() -> Level {
    Level::Info
}

impl Signal {
    /// The wire form: `{"event":"progress","job_id":…,"stage":…,"progress":40,"message":…}` and
    /// the like.
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = match self.clone() {
            Self::Progress { job_id, stage, percent, message } => {
                Wire::Progress { job_id, stage, progress: percent, message }
            }
            Self::Log { job_id, stage, level, line } => Wire::Log { job_id, stage, level, line },
            Self::Abort { job_id, reason } => Wire::Abort { job_id, reason },
            Self::Changed => Wire::Changed,
        };
        // Texts and numbers can always be written.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads the wire form. `None` when it is none that is known: signals are lossy by nature.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(match serde_json::from_slice(bytes).ok()? {
            Wire::Progress { job_id, stage, progress, message } => {
                Self::Progress { job_id, stage, percent: progress, message }
            }
            Wire::Log { job_id, stage, level, line } => Self::Log { job_id, stage, level, line },
            Wire::Abort { job_id, reason } => Self::Abort { job_id, reason },
            Wire::Changed => Self::Changed,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_survive_the_wire() {
        for signal in [
            Signal::Progress {
                job_id: "a".into(),
                stage: "s".into(),
                percent: 40.5,
                message: "half".into(),
            },
            Signal::Log {
                job_id: "a".into(),
                stage: "s".into(),
                level: Level::Warn,
                line: "dim".into(),
            },
            Signal::Abort { job_id: "a".into(), reason: "no".into() },
            Signal::Changed,
        ] {
            assert_eq!(Signal::parse(&signal.to_bytes()), Some(signal));
        }
        let foreign = br#"{"event":"progress","job_id":"a","stage":"s","progress":40}"#;
        let Some(Signal::Progress { percent, .. }) = Signal::parse(foreign) else { panic!() };
        assert!((percent - 40.0).abs() < f64::EPSILON);
        assert_eq!(Signal::parse(b"{}"), None);
    }
}
