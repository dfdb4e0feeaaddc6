//! Queues.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, Pause};

/// A queue, and how much waits in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Its name.
    pub queue: String,
    /// The stages that read it, of pipelines as they are now.
    pub stages: Vec<QueueReader>,
    /// Deliverable now.
    pub ready: u64,
    /// Those of them that have a priority above 0.
    #[serde(default)]
    pub priority: u64,
    /// Above how many of priority somebody should look, where one of its stages says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_alarm: Option<u64>,
    /// Held back until a time.
    pub delayed: u64,
    /// Behind another one of their key.
    #[serde(default)]
    pub behind: u64,
    /// In hand: out under a lease.
    pub in_flight: u64,
    /// When the oldest deliverable one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Moment>,
    /// How long it has been waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_age_ms: Option<u64>,
    /// What keeps it from being served: pauses of the queue itself, and of those that read it.
    pub pauses: Vec<Pause>,
    /// How many workers serve it that told of themselves lately.
    pub workers: u64,
}

impl Queue {
    /// Why somebody should look at it although it goes on, if so.
    pub fn alarm(&self) -> Option<String> {
        let limit = self.priority_alarm.filter(|limit| self.priority > *limit)?;
        Some(format!("{} of priority wait, more than the {limit} of priority_alarm", self.priority))
    }
}

/// A stage that reads a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueReader {
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
}
