//! Workers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_engine::control::{InHand, Serving, WorkerKind, WorkerPresence};

use super::Moment;

/// A process that works, as it told of itself some seconds ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Worker {
    /// Its name.
    pub worker_id: String,
    /// `engine`: a process of ours; `remote`: a program that asks a server for work.
    pub kind: String,
    /// The machine that it runs on; of a remote worker, the server's.
    pub host: String,
    /// Its process there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The version of Waystation that it runs.
    pub version: String,
    /// When it began.
    pub started_at: Moment,
    /// When it told this.
    pub told_at: Moment,
    /// Whether it receives nothing more and ends when what runs has ended.
    pub draining: bool,
    /// What it works at.
    pub serves: Vec<WorkerStage>,
    /// How many jobs it has in hand.
    pub in_flight: u64,
    /// The first of them, longest in hand first.
    pub jobs: Vec<WorkerJob>,
    /// How much memory its process has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How much processor time its process has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// How many deliveries it settled since it began.
    pub settled: u64,
    /// How many it settled a second, of late.
    pub settled_per_second: f64,
}

/// A stage that a worker works at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStage {
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// The queue that it takes from.
    pub queue: String,
    /// How many attempts it makes at a time, where it has a bound of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// How many it has in hand.
    pub in_flight: u64,
    /// The partitions of the queue that are its own, where a broker keeps the order of keys by
    /// such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<u32>,
}

/// A job that a worker has in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerJob {
    /// The job.
    pub job_id: String,
    /// The stage.
    pub stage: String,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// Since when.
    pub since: Moment,
}

impl From<WorkerPresence> for Worker {
    fn from(told: WorkerPresence) -> Self {
        let seconds = told.interval_ms as f64 / 1_000.0;
        let lately = told.settled_lately as f64;
        Self {
            worker_id: told.worker_id,
            kind: kind(told.kind).to_owned(),
            host: told.host,
            pid: told.pid,
            version: told.version,
            started_at: told.started_at.into(),
            told_at: told.told_at.into(),
            draining: told.draining,
            serves: told.serves.into_iter().map(WorkerStage::from).collect(),
            in_flight: told.in_flight,
            jobs: told.jobs.into_iter().map(WorkerJob::from).collect(),
            memory_bytes: told.memory_bytes,
            cpu_seconds: told.cpu_seconds,
            settled: told.settled,
            settled_per_second: if seconds > 0.0 { lately / seconds } else { 0.0 },
        }
    }
}

fn kind(kind: WorkerKind) -> &'static str {
    match kind {
        WorkerKind::Engine => "engine",
        WorkerKind::Remote => "remote",
    }
}

impl From<Serving> for WorkerStage {
    fn from(serving: Serving) -> Self {
        Self {
            pipeline: serving.pipeline.to_string(),
            stage: serving.stage.to_string(),
            queue: serving.queue.to_string(),
            concurrency: serving.concurrency,
            in_flight: serving.in_flight,
            partitions: serving.partitions.into_iter().collect(),
        }
    }
}

impl From<InHand> for WorkerJob {
    fn from(job: InHand) -> Self {
        Self {
            job_id: job.job_id.to_string(),
            stage: job.stage.to_string(),
            attempt: job.attempt,
            since: job.since.into(),
        }
    }
}
