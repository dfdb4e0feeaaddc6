//! The store port: durable state that people query.

use async_trait::async_trait;
use serde_json::Value;

use super::Error;
use crate::clock::Timestamp;
use crate::event::{Event, LogLine};
use crate::id::{JobId, PipelineName, QueueName};
use crate::job::{
    Awaited, Behind, ChildRecord, Count, DeadLetterFilter, DeadLetterRecord, Feed, JobFilter,
    JobPage, JobRecord, PipelineRecord, TaskFilter, TaskRecord,
};
use crate::port::Depth;
use crate::progress::Progress;
use crate::statistics::{Period, Statistic};
use crate::step::StepKey;

/// What came of a request to abort a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The job is aborted.
    Done,
    /// The job runs: its worker will be told, and no later stage will see the job.
    Requested,
    /// The job had already ended.
    TooLate,
    /// There is no such job.
    Unknown,
}

/// What is to be changed about a task that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskChange {
    /// It becomes this person's until this moment, if it is nobody else's.
    Claim {
        /// Who.
        by: String,
        /// Until when.
        until: Timestamp,
    },
    /// It becomes nobody's, if it is this person's.
    Release {
        /// Who.
        by: String,
    },
    /// It becomes this person's until it is answered, or nobody's, whosever it was.
    Assign {
        /// Whose.
        to: Option<String>,
    },
    /// It is to be answered before this moment, or at any time.
    Due(Option<Timestamp>),
}

impl TaskChange {
    /// Changes the task, unless it is somebody else's who keeps it from that. Tells whether it did.
    pub fn apply(self, task: &mut TaskRecord, now: Timestamp) -> bool {
        let is_anothers = |by: &String| task.holder(now).is_some_and(|holder| holder != by);
        match &self {
            Self::Claim { by, .. } | Self::Release { by } if is_anothers(by) => return false,
            _ => {}
        }
        match self {
            Self::Claim { by, until } => {
                (task.assignee, task.claimed_until) = (Some(by), Some(until));
            }
            Self::Release { .. } => (task.assignee, task.claimed_until) = (None, None),
            Self::Assign { to } => (task.assignee, task.claimed_until) = (to, None),
            Self::Due(due_at) => task.due_at = due_at,
        }
        true
    }

    /// The person that it names.
    fn person(&self) -> Option<&str> {
        match self {
            Self::Claim { by, .. } | Self::Release { by } => Some(by),
            Self::Assign { to } => to.as_deref(),
            Self::Due(_) => None,
        }
    }
}

/// The longest name of a person, in bytes.
pub const PERSON_BYTES_MAX: usize = 250;

/// Refuses a change that no adapter takes, before anything is written.
pub fn check_task_change(task_id: i64, change: &TaskChange) -> Result<(), Error> {
    let Some(person) = change.person() else { return Ok(()) };
    if person.is_empty() || person.len() > PERSON_BYTES_MAX || person.contains('\0') {
        let message = format!("a person's name is 1 to {PERSON_BYTES_MAX} bytes without NUL");
        return Err(Error::Broken { name: format!("task {task_id}"), message });
    }
    Ok(())
}

/// What came of changing a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskChanged {
    /// It is changed: this is how it stands now.
    Done(TaskRecord),
    /// It is somebody else's, and stays so.
    Held(TaskRecord),
    /// There is no such task.
    Unknown,
}

/// Durable state that people query. Reads are snapshots; writes are durable when they return.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps a pipeline's text and tells its version: the newest one's when the text is the same,
    /// the next number otherwise. Idempotent.
    async fn put_pipeline(&self, name: &PipelineName, source: &str) -> Result<u32, Error>;

    /// A pipeline in this version, or in its newest one.
    async fn pipeline(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Option<PipelineRecord>, Error>;

    /// The pipelines that there are, each with its newest version, by name: the first
    /// [`PAGE_MAX`](crate::job::PAGE_MAX).
    async fn pipelines(&self) -> Result<Vec<(PipelineName, u32)>, Error>;

    /// The versions of a pipeline that jobs which have not ended are on, ascending.
    async fn live_versions(&self, name: &PipelineName) -> Result<Vec<u32>, Error>;

    /// A job.
    async fn job(&self, job_id: &JobId) -> Result<Option<JobRecord>, Error>;

    /// A page of jobs, newest first. What it costs is bounded, whatever the filter and however many
    /// jobs there are: see [`JobPage::next`].
    async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error>;

    /// The children that a stage run of a job made, by their positions: the first `limit`, and at
    /// most [`PAGE_MAX`](crate::job::PAGE_MAX), from this position on. A snapshot, but for one
    /// promise: what made the job go on from its join is seen.
    async fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ChildRecord>, Error>;

    /// What a job waits for, while it waits for children.
    async fn awaited(&self, job_id: &JobId) -> Result<Option<Awaited>, Error>;

    /// What a job waits for that is in a queue behind others of its key; nothing while it is the
    /// first of them.
    async fn behind(&self, job_id: &JobId) -> Result<Option<Behind>, Error>;

    /// How many jobs stand at which stage in which state, of one pipeline or of all.
    async fn counts(&self, pipeline: Option<&PipelineName>) -> Result<Vec<Count>, Error>;

    /// Everything that happened to a job, oldest first.
    async fn events(&self, job_id: &JobId) -> Result<Vec<Event>, Error>;

    /// Everything that a job's attempts said, oldest first.
    async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error>;

    /// What happened to all jobs behind this place of the feed, in the order of writing: the first
    /// `limit`, and at most [`PAGE_MAX`](crate::job::PAGE_MAX). From `None` on, nothing is given
    /// but the place where the feed stands now. Nobody who reads on misses an event that was
    /// committed, and nobody is given one twice.
    async fn feed(&self, after: Option<u64>, limit: usize) -> Result<Feed, Error>;

    /// What was counted in a period, by minutes.
    async fn statistics(&self, period: Period) -> Result<Vec<Statistic>, Error>;

    /// Forgets the minutes before this moment. What was counted since ever stays.
    async fn forget_statistics(&self, before: Timestamp) -> Result<(), Error>;

    /// Every queue in which something waits or is out, and how much.
    ///
    /// What a broker has counts as the journal told of it last, which [`Queue::depth`] of a ledger
    /// does not count: in hand, held back, or waiting since the ledger knows it there.
    ///
    /// [`Queue::depth`]: super::Queue::depth
    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, Error>;

    /// A task of the inbox.
    async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error>;

    /// A page of the inbox, oldest first.
    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error>;

    /// Changes whose a task is, or when it is due. Idempotent. A person's name is refused that is
    /// empty, longer than [`PERSON_BYTES_MAX`] or has a NUL in it.
    async fn change_task(&self, task_id: i64, change: TaskChange) -> Result<TaskChanged, Error>;

    /// A page of the dead letters, newest first.
    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, Error>;

    /// Aborts a job that has not ended: at once where nobody works on it, by a lasting mark
    /// where somebody does. Idempotent.
    async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, Error>;

    /// What a step gave, where that is kept.
    async fn step_result(&self, step: &StepKey) -> Result<Option<Vec<u8>>, Error>;

    /// Keeps what a step gave, unless something is kept of it: the first result holds. Gives what
    /// is kept. Idempotent.
    async fn keep_step(&self, step: &StepKey, result: &[u8]) -> Result<Vec<u8>, Error>;

    /// Forgets the steps of jobs that ended otherwise than by failing: of those among the first
    /// [`FORGET_PAGE`](crate::step::FORGET_PAGE) jobs that have some and whose ids come after this
    /// one. Gives the last of these jobs when there may be more. Jobs that are not known are
    /// passed by.
    async fn forget_steps(&self, after: Option<&JobId>) -> Result<Option<JobId>, Error>;

    /// Keeps what the attempts of jobs that have not ended said last, of at most
    /// [`PROGRESS_MAX`](crate::progress::PROGRESS_MAX) jobs. Lossy: it may leave out jobs that
    /// move on at this moment, and it passes by those that it does not know.
    async fn keep_progress(&self, said: &[(JobId, Progress)]) -> Result<(), Error>;

    /// Where a source stands.
    async fn checkpoint(&self, source: &str) -> Result<Option<Value>, Error>;
}
