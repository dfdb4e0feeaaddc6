//! How everything gets on, at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{JobCounts, Moment, Pause};

/// How everything gets on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// When it was looked.
    pub at: Moment,
    /// How long the time is that rates, failures and latencies are of.
    pub window_seconds: f64,
    /// The pipelines, by name.
    pub pipelines: Vec<PipelineOverview>,
}

/// How a pipeline gets on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineOverview {
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub version: u32,
    /// Its jobs.
    pub jobs: JobCounts,
    /// What happened to its jobs of late: how many were submitted, completed and failed, and how
    /// long they took from submitting to the end.
    pub flow: Flow,
    /// When the oldest job that waits at one of its stages came there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Moment>,
    /// What of it is paused or drained: itself, its stages and their queues.
    pub pauses: Vec<Pause>,
    /// Its stages, in the order that they were declared, and then those of earlier versions at
    /// which jobs still stand.
    pub stages: Vec<StageOverview>,
    /// Why it cannot be read here, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a stage gets on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageOverview {
    /// Its name.
    pub id: String,
    /// `worker`, `manual`, `source`, `foreign` or `remote`; absent where only earlier versions have
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The jobs that stand here, of all versions.
    pub jobs: JobCounts,
    /// What happened to its stage runs of late: how many began, completed and failed, and how long
    /// their last attempts took.
    pub flow: Flow,
    /// When the oldest one came that waits here: in the queue, or in the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Moment>,
    /// Whether nothing new is started here.
    pub is_paused: bool,
}

/// What happened of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    /// How many began a minute.
    pub begun_per_minute: f64,
    /// How many completed a minute.
    pub completed_per_minute: f64,
    /// How many failed for good.
    pub failed: u64,
    /// How many attempts failed and are made again.
    pub retried: u64,
    /// In this time half of those that completed had done so, as exactly as it is counted.
    /// Those that failed do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// In this time 99 of a hundred of them had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}
