//! What people query: jobs, tasks and dead letters as the store tells of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Params;
use crate::clock::Timestamp;
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};
use crate::progress::Progress;
use crate::state::JobState;

/// A job as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The job.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The version of the pipeline that it stays on.
    pub pipeline_version: u32,
    /// Where it stands. `running` exactly while a live lease says so.
    pub state: JobState,
    /// The stage it is at, or ended at.
    pub stage: StageId,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Not before this moment, when it is delayed or retrying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Since when a worker has it, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// How often the present stage run was delivered to a worker.
    pub deliveries: u32,
    /// Why it failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How far its attempt was when it last said so. Lossy, and some seconds late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Its params as they stand now.
    pub params: Params,
    /// Its contract as it stands now.
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// A job waiting at a manual stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The task's number, unique in its store.
    pub task_id: i64,
    /// The job that waits.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The manual stage.
    pub stage: StageId,
    /// Since when it waits.
    pub created_at: Timestamp,
    /// The contract, as it came to the stage.
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// A job that nobody will try again until a person says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetterRecord {
    /// The letter's number, unique in its store.
    pub dead_letter_id: i64,
    /// The job.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The stage at which it failed.
    pub stage: StageId,
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: Timestamp,
    /// The message as it was when it failed.
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// How many jobs of a pipeline stand at a stage in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The stage.
    pub stage: StageId,
    /// The state.
    pub state: JobState,
    /// How many.
    pub jobs: u64,
}

/// A version of a pipeline, as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineRecord {
    /// Its name.
    pub name: PipelineName,
    /// Counted from 1 for each name.
    pub version: u32,
    /// The text that the loader reads, before names of the environment are filled in.
    pub source: String,
}

/// Which jobs a listing shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only of this pipeline.
    pub pipeline: Option<PipelineName>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only at this stage.
    pub stage: Option<StageId>,
    /// Only older than this job: the cursor of the next page.
    pub before: Option<JobId>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// The largest page of any listing.
pub const PAGE_MAX: usize = 1_000;

/// Where a source stands: an opaque value that it left with the jobs that it covers.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which source: `pipeline/stage`.
    pub source: String,
    /// The source's own note.
    pub value: Value,
}
