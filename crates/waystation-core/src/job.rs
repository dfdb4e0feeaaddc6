//! What people query: jobs, tasks and dead letters as the store tells of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Params;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};
use crate::key::Key;
use crate::port::Held;
use crate::progress::Progress;
use crate::settlement::{Parent, Quorum, Tally};
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
    /// Until when its worker has it unless it says that it goes on, while it runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased_until: Option<Timestamp>,
    /// How often the present stage run was delivered to a worker.
    pub deliveries: u32,
    /// Why it failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
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
    /// Whose it is, if it is anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Until when it is theirs, where they claimed it for a while. It is nobody's from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// When it is to be answered at the latest. Nothing happens then but that it is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The contract, as it came to the stage.
    #[serde(skip)]
    pub body: Vec<u8>,
}

impl TaskRecord {
    /// Whose it is at this moment.
    pub fn holder(&self, now: Timestamp) -> Option<&str> {
        let lasts = self.claimed_until.is_none_or(|until| until > now);
        self.assignee.as_deref().filter(|_| lasts)
    }
}

/// Which tasks a listing shows, oldest first.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Only of this pipeline.
    pub pipeline: Option<PipelineName>,
    /// Only at this stage.
    pub stage: Option<StageId>,
    /// Only of this job.
    pub job_id: Option<JobId>,
    /// Whose they are.
    pub holder: Holder,
    /// Only those that were to be answered before this moment.
    pub due_before: Option<Timestamp>,
    /// Only behind this task: the cursor of the next page.
    pub after: Option<i64>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// Which tasks a listing shows, by whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Holder {
    /// All of them.
    #[default]
    Any,
    /// Those that are nobody's.
    Nobody,
    /// Those of one person.
    Person(String),
    /// Those of one person, and those that are nobody's.
    PersonOrNobody(String),
}

impl TaskFilter {
    /// The oldest tasks, whosever they are.
    pub fn first(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether the filter lets a task through, the cursor aside.
    pub fn has(&self, task: &TaskRecord, now: Timestamp) -> bool {
        let holder = task.holder(now);
        let holder_fits = match &self.holder {
            Holder::Any => true,
            Holder::Nobody => holder.is_none(),
            Holder::Person(person) => holder == Some(person),
            Holder::PersonOrNobody(person) => holder.is_none_or(|holder| holder == person),
        };
        let is_due = |moment| task.due_at.is_some_and(|due| due < moment);
        holder_fits
            && self.pipeline.as_ref().is_none_or(|name| task.pipeline == *name)
            && self.stage.as_ref().is_none_or(|stage| task.stage == *stage)
            && self.job_id.as_ref().is_none_or(|job_id| task.job_id == *job_id)
            && self.due_before.is_none_or(is_due)
    }
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

/// Which dead letters a listing shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    /// Only of this pipeline.
    pub pipeline: Option<PipelineName>,
    /// Only of jobs that failed at this stage.
    pub stage: Option<StageId>,
    /// Only of this job.
    pub job_id: Option<JobId>,
    /// Only before this letter: the cursor of the next page.
    pub before: Option<i64>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

impl DeadLetterFilter {
    /// The newest letters.
    pub fn newest(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The newest letter of a job.
    pub fn of_job(job_id: &JobId) -> Self {
        Self { job_id: Some(job_id.clone()), ..Self::newest(1) }
    }
}

/// A child of a job, as far as its parent wants to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildRecord {
    /// The child.
    pub job_id: JobId,
    /// Which of the children of its fan-out it is, counted from 0.
    pub position: u32,
    /// Where it stands.
    pub state: JobState,
    /// The stage it is at, or ended at.
    pub stage: StageId,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
    /// Its contract as it stands now.
    pub body: Vec<u8>,
}

/// What a job waits for at a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// The stage run that made the children.
    pub visit: u32,
    /// When it goes on.
    pub quorum: Quorum,
    /// How many have ended so far.
    pub tally: Tally,
}

/// What a job waits for that is behind others of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The key.
    pub key: Key,
    /// The job that goes first.
    pub first: JobId,
    /// How many go before it, that one among them.
    pub ahead: u64,
}

/// How many jobs of a pipeline stand at a stage in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The pipeline.
    pub pipeline: PipelineName,
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
    /// Only in one of these states. In any, when there is none.
    pub states: Vec<JobState>,
    /// Only at this stage.
    pub stage: Option<StageId>,
    /// Only those that were submitted at this moment or later. Where the time begins among the jobs
    /// is found by the order in which the store came to know them. A job that it came to know more
    /// than [`OUT_OF_PLACE_MAX`] jobs too late, as a journal may tell of one, may be left out.
    pub created_from: Option<Timestamp>,
    /// Only those that were submitted before this moment. Found as the beginning is.
    pub created_before: Option<Timestamp>,
    /// Only those whose id, or whose contract as it stands now, has this text in it, in any case of
    /// its letters. It is looked for in the JSON as it is kept, as a
    /// [`Needle`](crate::needle::Needle) is.
    pub text: Option<String>,
    /// Whose children. Jobs that are nobody's child alone, where it is [`Family::Parents`].
    pub family: Family,
    /// Only older than this job: the cursor of the next page.
    pub before: Option<JobId>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobPage {
    /// The jobs that were found.
    pub jobs: Vec<JobRecord>,
    /// Behind which job to look on. Also after fewer jobs than were asked for, and after none: a
    /// search gives what it found among the jobs that it had time to look at. `None` once there is
    /// nothing more to be found.
    pub next: Option<JobId>,
}

/// The most jobs that a store looks at for one page, where no index leads to those that are wanted.
pub const LOOKED_AT_MAX: usize = 20_000;
/// By how many places a job may stand too late or too early for its time and still be found by it:
/// as many as several processes may submit while their clocks and commits are apart.
pub const OUT_OF_PLACE_MAX: usize = 5_000;

/// A page of the feed of events: those of all jobs, in the order in which stores wrote them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    /// What happened, with the pipeline of the job.
    pub events: Vec<(PipelineName, Event)>,
    /// Behind which place to read on: also when there was nothing yet.
    pub next: u64,
}

/// Which jobs a listing shows, by whose children they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// All of them.
    #[default]
    All,
    /// Those that are nobody's child.
    Parents,
    /// The children of this job.
    ChildrenOf(JobId),
}

impl Family {
    /// Whether a job is among them.
    pub fn has(&self, parent: Option<&Parent>) -> bool {
        match self {
            Self::All => true,
            Self::Parents => parent.is_none(),
            Self::ChildrenOf(job_id) => parent.is_some_and(|parent| parent.job_id == *job_id),
        }
    }
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
    /// The lock under which it was found: where that is not held any more, neither this nor the
    /// jobs that it covers are written.
    pub held: Option<Held>,
}

impl Checkpoint {
    /// Where a source stands, whoever else looks.
    pub fn new(source: impl Into<String>, value: Value) -> Self {
        Self { source: source.into(), value, held: None }
    }
}
