//! Engines: what looks after the workers of a host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_engine::Role;
use waystation_engine::supervisor::{EngineStatus, SlotState, WorkerStatus};

use super::Moment;

/// What looks after the workers of a host, as it told of itself some seconds ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// Its name.
    pub engine_id: String,
    /// The machine.
    pub host: String,
    /// The supervisor's process.
    pub pid: u32,
    /// The version of Waystation.
    pub version: String,
    /// Whether its workers are tasks of the supervisor's process.
    pub in_process: bool,
    /// When it began.
    pub started_at: Moment,
    /// When it told this.
    pub told_at: Moment,
    /// Whether it is to end.
    pub draining: bool,
    /// Its workers, those that work at stages first.
    pub workers: Vec<EngineWorker>,
}

/// A worker that an engine looks after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EngineWorker {
    /// Its role and number: `processing-0`.
    pub name: String,
    /// `processing`: it works at stages; `source`: it looks after sources.
    pub role: String,
    /// What it is called among the workers while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Its process while it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// `starting`, `running`, `draining`, `waiting` (another one starts soon), `given_up` (they
    /// ended too often) or `ended`.
    pub state: String,
    /// Whether somebody works there.
    pub alive: bool,
    /// Since when it stands so.
    pub since: Moment,
    /// When another one starts, where it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Moment>,
    /// How often another one was started in its place.
    pub restarts: u64,
    /// Why the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end_reason: Option<String>,
    /// When the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end_at: Option<Moment>,
    /// Why it is to end, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_for: Option<String>,
    /// How much memory it has, where it is a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How much processor time it has used, where it is a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// How many deliveries and crawls it is at.
    pub in_flight: u64,
    /// How many deliveries it settled.
    pub settled: u64,
    /// For how long nothing was seen of it going on, in milliseconds.
    pub quiet_ms: u64,
}

impl From<EngineStatus> for Engine {
    fn from(told: EngineStatus) -> Self {
        Self {
            engine_id: told.engine_id,
            host: told.host,
            pid: told.pid,
            version: told.version,
            in_process: told.in_process,
            started_at: told.started_at.into(),
            told_at: told.told_at.into(),
            draining: told.draining,
            workers: told.workers.into_iter().map(EngineWorker::from).collect(),
        }
    }
}

impl From<WorkerStatus> for EngineWorker {
    fn from(told: WorkerStatus) -> Self {
        let (last_end_reason, last_end_at) = told.last_end.map(|end| (end.reason, end.at)).unzip();
        let role = match told.assignment.role {
            Role::Processing => "processing",
            Role::Source => "source",
        };
        Self {
            name: told.assignment.to_string(),
            role: role.to_owned(),
            alive: is_alive(told.state),
            state: state(told.state).to_owned(),
            worker_id: told.worker_id,
            pid: told.pid,
            since: told.since.into(),
            starts_at: told.starts_at.map(Moment::from),
            restarts: told.restarts,
            last_end_reason,
            last_end_at: last_end_at.map(Moment::from),
            draining_for: told.draining_for,
            memory_bytes: told.memory_bytes,
            cpu_seconds: told.cpu_seconds,
            in_flight: told.in_flight,
            settled: told.settled,
            quiet_ms: told.quiet_ms,
        }
    }
}

fn state(state: SlotState) -> &'static str {
    match state {
        SlotState::Starting => "starting",
        SlotState::Running => "running",
        SlotState::Draining => "draining",
        SlotState::Waiting => "waiting",
        SlotState::GivenUp => "given_up",
        SlotState::Ended => "ended",
    }
}

fn is_alive(state: SlotState) -> bool {
    matches!(state, SlotState::Starting | SlotState::Running | SlotState::Draining)
}
