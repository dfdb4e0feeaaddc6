//! Who works here: what each process tells of itself, every few seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Expected, Records};

use super::collection;
use crate::backend::Backend;
use crate::sources::SourceId;

/// Where they lie.
const COLLECTION: &str = "workers";
/// How often a process tells of itself.
pub const PRESENCE_INTERVAL: Duration = Duration::from_secs(5);
/// After this long without a word it is taken for gone.
pub const PRESENCE_LASTS: Duration = Duration::from_secs(15);
/// The most jobs in hand that one process tells of.
pub const JOBS_TOLD_MAX: usize = 200;

/// What kind of process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerKind {
    /// One with an engine of ours in it.
    Engine,
    /// A program that asks a server for work. The server tells of it.
    Remote,
}

/// A process that works, or one that asks a server for work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerPresence {
    /// Its name, of its host, its process and a random part; a remote worker's own name with the
    /// server's that tells of it.
    pub worker_id: String,
    /// What kind of process it is.
    pub kind: WorkerKind,
    /// The machine that it runs on; of a remote worker, the server's.
    pub host: String,
    /// Its process there, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The version of Waystation that it runs, or that tells of it.
    pub version: String,
    /// When it began, or first asked for work.
    pub started_at: Timestamp,
    /// When this was told.
    pub told_at: Timestamp,
    /// Whether it receives nothing more and ends when what runs has ended.
    #[serde(default)]
    pub draining: bool,
    /// What it works at.
    pub serves: Vec<Serving>,
    /// The sources that it looks after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discovers: Vec<SourceId>,
    /// The pipelines that do not run there though they should.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PipelineFault>,
    /// How many jobs it has in hand.
    pub in_flight: u64,
    /// The first [`JOBS_TOLD_MAX`] of them, longest in hand first.
    pub jobs: Vec<InHand>,
    /// How much memory its process has, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How much processor time its process has used, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// How many deliveries it settled since it began.
    pub settled: u64,
    /// In how many batches: those of one share a commit, or the confirms of a broker.
    #[serde(default)]
    pub settled_batches: u64,
    /// How many of them in the last interval.
    pub settled_lately: u64,
    /// How long that interval was, in milliseconds.
    pub interval_ms: u64,
}

/// A stage that a worker works at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage.
    pub stage: StageId,
    /// The queue that it takes from.
    pub queue: QueueName,
    /// How many attempts it makes at a time, where it has a bound of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// How many deliveries of this queue it has in hand.
    pub in_flight: u64,
    /// The partitions of the queue that are its own by now, where a broker keeps order by such.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partitions: BTreeSet<u32>,
}

/// A pipeline that does not run where it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineFault {
    /// Which.
    pub pipeline: PipelineName,
    /// Why.
    pub message: String,
}

/// A job that a worker has in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InHand {
    /// The job.
    pub job_id: JobId,
    /// The stage.
    pub stage: StageId,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it has to be over, where its stage says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Those that told of themselves lately, by name.
pub async fn read(records: &dyn Records) -> Result<Vec<WorkerPresence>, Error> {
    collection::first(records, COLLECTION, PAGE_MAX).await
}

/// Keeps what one tells, for as long as it is believed.
pub async fn remember_presence(backend: &Backend, told: &WorkerPresence) -> Result<(), Error> {
    let value = collection::written(COLLECTION, told)?;
    let gone = Some(told.told_at.plus(PRESENCE_LASTS));
    let (records, key) = (&*backend.records, &told.worker_id);
    records.put_record(COLLECTION, key, &value, Expected::Any, gone).await.map(drop)
}

/// Forgets one that has ended.
pub async fn forget_presence(backend: &Backend, worker_id: &str) -> Result<(), Error> {
    backend.records.remove_record(COLLECTION, worker_id, Expected::Any).await.map(drop)
}
