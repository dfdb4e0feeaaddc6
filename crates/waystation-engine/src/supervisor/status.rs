//! How the workers of a host are, for those who look on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Expected, Records};

use super::Assignment;
use crate::backend::Backend;
use crate::control::collection;

/// Where they lie.
const COLLECTION: &str = "engines";
/// After this long without a word an engine is taken for gone.
const LASTS: Duration = Duration::from_secs(15);

/// How the workers of a host are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// The engine's name: of its host, its process and a random part.
    pub engine_id: String,
    /// The machine.
    pub host: String,
    /// The supervisor's process.
    pub pid: u32,
    /// The version of Waystation.
    pub version: String,
    /// Whether the workers are tasks of this process.
    pub in_process: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When this was told.
    pub told_at: Timestamp,
    /// Whether it is to end.
    pub draining: bool,
    /// The workers, those that work at stages first.
    pub workers: Vec<WorkerStatus>,
}

/// How one worker is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its role and number.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// What it is called while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Its process while it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How it stands.
    pub state: SlotState,
    /// Since when.
    pub since: Timestamp,
    /// When another one starts, where it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// How often another one was started in its place.
    pub restarts: u64,
    /// How the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<End>,
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

/// How a worker's place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// It has begun, and said nothing yet.
    Starting,
    /// It goes on.
    Running,
    /// It receives nothing more, and ends when what it has in hand has.
    Draining,
    /// It ended before its time; another one starts soon.
    Waiting,
    /// It ended before its time too often. Nobody starts in its place.
    GivenUp,
    /// It ended as it was told to.
    Ended,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl WorkerStatus {
    /// A place of which nothing else is known.
    pub fn new(assignment: Assignment, state: SlotState, since: Timestamp) -> Self {
        Self {
            assignment,
            worker_id: None,
            pid: None,
            state,
            since,
            starts_at: None,
            restarts: 0,
            last_end: None,
            draining_for: None,
            memory_bytes: None,
            cpu_seconds: None,
            in_flight: 0,
            settled: 0,
            quiet_ms: 0,
        }
    }
}

/// The engines that told of themselves lately.
pub async fn read(records: &dyn Records) -> Result<Vec<EngineStatus>, Error> {
    collection::first(records, COLLECTION, PAGE_MAX).await
}

/// Keeps what one tells, for as long as it is believed.
pub async fn remember(backend: &Backend, told: &EngineStatus) -> Result<(), Error> {
    let value = collection::written(COLLECTION, told)?;
    let gone = Some(told.told_at.plus(LASTS));
    let (records, key) = (&backend.records, &told.engine_id);
    records.put_record(COLLECTION, key, &value, Expected::Any, gone).await.map(drop)
}

/// Forgets one that has ended.
pub async fn forget(backend: &Backend, engine_id: &str) -> Result<(), Error> {
    backend.records.remove_record(COLLECTION, engine_id, Expected::Any).await.map(drop)
}
