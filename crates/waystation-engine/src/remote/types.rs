//! What remote workers and servers say to each other.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::event::Level;
use waystation_core::failure::ErrorKind;
use waystation_core::id::{JobId, Label, PipelineName, StageId};
use waystation_core::state::JobState;

/// The most claims of one request.
pub const CLAIM_MAX: usize = 100;
/// The longest wait for work.
pub const WAIT_MAX: Duration = Duration::from_mins(1);
/// The shortest and the longest lease that a worker may ask for.
pub const LEASE_MIN: Duration = Duration::from_secs(1);
/// The longest.
pub const LEASE_MAX: Duration = Duration::from_hours(1);

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRequest {
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// At which of its remote stages; at all of them when none is named. Earlier ones first.
    pub stages: Vec<StageId>,
    /// At most this many, and never more than [`CLAIM_MAX`].
    pub max: usize,
    /// How long to wait while there is nothing, and never longer than [`WAIT_MAX`].
    pub wait: Duration,
    /// How long leases last unless extended; the server's own length unless given.
    pub lease: Option<Duration>,
    /// Who asks: a name of the worker's own, 1 to 100 bytes without control characters.
    pub worker: String,
}

/// Names a claim: a text that says nothing to those who hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(String);

/// A job that a worker has until its lease ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stands for it in everything that is said of it.
    pub claim_id: ClaimId,
    /// The job.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The version that it is on.
    pub version: u32,
    /// The stage.
    pub stage: StageId,
    /// Which stage run of the job this is, counted from 1.
    pub visit: u32,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// How often this stage run was handed out, this time included.
    pub deliveries: u32,
    /// The same for every repetition of this stage run, and for no other: for outside services.
    pub idempotency_key: String,
    /// The job's params, every value in its place.
    pub params: Params,
    /// When the attempt fails as timed out, if it has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Until when it is the worker's unless extended.
    pub lease_until: Timestamp,
    /// What the contract says of traces, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What else the contract carries under `meta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// How a claim stands after it was to be extended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum Extension {
    /// It lasts until then.
    Held {
        /// Until when.
        lease_until: Timestamp,
    },
    /// It lasts, but somebody wants the job aborted: whatever is told of it now ends it so.
    AbortRequested {
        /// Why.
        reason: String,
    },
    /// It is no longer this worker's, and nothing that it tells of it counts.
    Lost,
}

/// How the work ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completed {
    /// How it wants to be routed.
    pub label: Label,
    /// The params that it gives.
    pub output: Params,
    /// What it still has to say.
    pub log: Vec<Line>,
}

/// Why the work failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// What kind of failure; `error`, or `permanent` where it says so, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
    /// What happened.
    pub message: String,
    /// Whether another attempt may end differently. What the kind says, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// How many seconds to wait at least before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<f64>,
    /// What it still has to say.
    #[serde(default)]
    pub log: Vec<Line>,
}

/// A line for the job's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How serious it is.
    #[serde(default = "info")]
    pub level: Level,
    /// The line.
    pub line: String,
}

/// What became of a job after something was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The job.
    pub job_id: JobId,
    /// Its state from then on.
    pub state: JobState,
    /// The stage that it is at from then on.
    pub stage: StageId,
    /// Why it is not what was told, where it is not: as when the output breaks the stage's promise,
    /// or somebody wanted the job aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

fn info() -> Level {
    Level::Info
}

impl ClaimId {
    /// Takes a text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}
