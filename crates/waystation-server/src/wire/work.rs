//! What remote workers and the server say to each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::Params;
use waystation_core::event::Level;
use waystation_engine::remote;

use super::Moment;

/// What a worker asks for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "worker": "ocr-1", "pipeline": "scans", "stages": ["read"], "max": 4, "wait_seconds": 20
}))]
pub struct ClaimWork {
    /// Who asks: a name of the worker's own.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// Of which pipeline.
    pub pipeline: String,
    /// At which of its remote stages; at all of them when none is named. Earlier ones first.
    #[serde(default)]
    pub stages: Vec<String>,
    /// At most this many; one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub max: Option<usize>,
    /// How long to wait while there is nothing; not at all unless given.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 30)]
    pub wait_seconds: f64,
    /// How long leases last unless extended; the server's own length unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<f64>,
}

/// What a worker was given.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimedWork {
    /// The jobs. None, when there was nothing all the while.
    pub claims: Vec<Claim>,
}

/// A job that a worker has until its lease ends.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Claim {
    /// Stands for it in everything that is said of it.
    pub claim: String,
    /// The job.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The version that it is on.
    pub pipeline_version: u32,
    /// The stage.
    pub stage: String,
    /// Which stage run of the job this is, counted from 1.
    pub visit: u32,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// How often this stage run was handed out, this time included.
    pub deliveries: u32,
    /// The same for every repetition of this stage run, and for no other.
    pub idempotency_key: String,
    /// The job's params.
    #[schema(value_type = Object)]
    pub params: Params,
    /// When the attempt fails as timed out, if it has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// Until when it is the worker's unless extended.
    pub lease_until: Moment,
    /// What the contract says of traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What else the contract carries under `meta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

impl From<remote::Claim> for Claim {
    fn from(claim: remote::Claim) -> Self {
        Self {
            claim: claim.claim_id.to_string(),
            job_id: claim.job_id.to_string(),
            pipeline: claim.pipeline.to_string(),
            pipeline_version: claim.version,
            stage: claim.stage.to_string(),
            visit: claim.visit,
            attempt: claim.attempt,
            deliveries: claim.deliveries,
            idempotency_key: claim.idempotency_key,
            params: claim.params,
            deadline: claim.deadline.map(Moment),
            lease_until: claim.lease_until.into(),
            traceparent: claim.traceparent,
            meta: claim.meta,
        }
    }
}

/// Claims that a worker still works on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claims": ["…"] }))]
pub struct Heartbeat {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub claims: Vec<String>,
    /// How long leases last from now; as long as they were taken for unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<f64>,
}

/// How claims stand, in the order in which they were named.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Heartbeats {
    /// How each stands.
    pub claims: Vec<ClaimState>,
}

/// How a claim stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimState {
    /// Which.
    pub claim: String,
    /// `held`; `abort_requested`: whatever is told of it now ends it so; or `lost`: nothing that is
    /// told of it counts any more.
    pub state: String,
    /// Until when it is the worker's, where it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Moment>,
    /// Why somebody wants the job aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ClaimState {
    /// How this claim stands.
    pub fn new(claim: String, extension: remote::Extension) -> Self {
        let (state, lease_until, reason) = match extension {
            remote::Extension::Held { lease_until } => ("held", Some(lease_until.into()), None),
            remote::Extension::AbortRequested { reason } => ("abort_requested", None, Some(reason)),
            remote::Extension::Lost => ("lost", None, None),
        };
        Self { claim, state: state.to_owned(), lease_until, reason }
    }
}

/// The work is done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claim": "…", "output": { "text": "hello" } }))]
pub struct WorkCompleted {
    /// Of which claim.
    pub claim: String,
    /// How the job is to be routed: `ok` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The params that it gives.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub output: Params,
    /// What the worker still has to say.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub log: Vec<WorkLine>,
}

/// The work failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claim": "…", "message": "the page is blank", "retryable": false }))]
pub struct WorkFailed {
    /// Of which claim.
    pub claim: String,
    /// What happened.
    pub message: String,
    /// What kind of failure; `error`, or `permanent` where it says so, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether another attempt may end differently. What the kind says, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// How many seconds to wait at least before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 31_536_000)]
    pub retry_after_seconds: Option<f64>,
    /// What the worker still has to say.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub log: Vec<WorkLine>,
}

/// A line for a job's log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkLine {
    /// How serious it is; `info` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// The line.
    pub line: String,
}

/// How serious a line is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For whoever hunts a fault.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

impl From<WorkLine> for remote::Line {
    fn from(line: WorkLine) -> Self {
        let level = match line.level {
            Some(LogLevel::Debug) => Level::Debug,
            Some(LogLevel::Info) | None => Level::Info,
            Some(LogLevel::Warn) => Level::Warn,
            Some(LogLevel::Error) => Level::Error,
        };
        // No store keeps NUL in a text.
        Self { level, line: line.line.replace('\0', "\u{fffd}") }
    }
}

/// A claim that is named.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claim": "…" }))]
pub struct WorkClaim {
    /// Which.
    pub claim: String,
}

/// How far the work is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claim": "…", "percent": 40, "message": "page 4 of 10" }))]
pub struct WorkProgress {
    /// Of which claim.
    pub claim: String,
    /// From 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
    /// What it does now.
    #[serde(default)]
    pub message: String,
}

/// Lines for a job's log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claim": "…", "lines": [{ "line": "page 4 is dim" }] }))]
pub struct WorkLog {
    /// Of which claim.
    pub claim: String,
    /// The lines.
    #[schema(min_items = 1, max_items = 1000)]
    pub lines: Vec<WorkLine>,
}

/// What became of a job after something was told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkAnswer {
    /// The job.
    pub job_id: String,
    /// Its state from then on.
    pub state: String,
    /// The stage that it is at from then on.
    pub stage: String,
    /// Why it is not what was told, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

impl From<remote::Answer> for WorkAnswer {
    fn from(answer: remote::Answer) -> Self {
        Self {
            job_id: answer.job_id.to_string(),
            state: answer.state.as_str().to_owned(),
            stage: answer.stage.to_string(),
            instead: answer.instead,
        }
    }
}
