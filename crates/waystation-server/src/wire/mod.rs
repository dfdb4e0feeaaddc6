//! What travels over HTTP. Moments are texts in RFC 3339, in UTC, with milliseconds; durations end
//! in their unit. Fields that are not known are refused in requests, and to be passed over in
//! answers: new ones may come.

mod audit;
mod engine;
mod event;
mod executor;
mod failure;
mod hook;
mod job;
mod letter;
mod moment;
mod operation;
mod overview;
mod pause;
mod pipeline;
mod queue;
mod source;
mod submit;
mod task;
mod timeline;
mod work;
mod worker;

pub use audit::{AuditEntry, AuditPage};
pub use engine::{Engine, EngineWorker};
pub use event::{Event, EventPage, LogLine};
pub use executor::Executor;
pub use failure::{Failure, Progress};
pub use hook::HookCall;
pub use job::{
    AbortOutcome, AbortRequest, Aborted, Children, Job, JobDetail, JobPage, Parent, Reason,
    RetryRequest, WholeParams,
};
pub use letter::{DeadLetter, DeadLetterPage};
pub use moment::Moment;
pub use operation::{
    Act, DryRun, Operation, OperationError, OperationPage, OperationRequest, OperationState,
    Selection, state,
};
pub use overview::{Flow, Overview, PipelineOverview, StageOverview};
pub use pause::{Pause, PauseMode, PauseRequest, Resumed};
pub use pipeline::{
    JobCounts, PipelineDetail, PipelineGraph, PipelineRoute, PipelineSchema, PipelineStage,
    PipelineSummary, PipelineText, PipelineVersion, StageWork,
};
pub use queue::{Queue, QueueReader};
pub use source::{
    Crawl, CrawlAsked, CrawlFault, CrawlPage, CrawlRequest, CrawlState, Source, interval_seconds,
};
pub use submit::{
    ManyJobs, NewJob, Priority, PriorityName, Submit, SubmitOutcome, SubmittedJob, SubmittedJobs,
    WhenDuplicate,
};
pub use task::{
    Answered, FormField, Task, TaskAnswer, TaskAssignment, TaskClaim, TaskDetail, TaskDue,
    TaskPage, form_fields, form_schema,
};
pub use timeline::{Attempt, StageRun, stage_runs};
pub use work::{
    Claim, ClaimState, ClaimWork, ClaimedWork, Heartbeat, Heartbeats, LogLevel, WorkAnswer,
    WorkClaim, WorkCompleted, WorkFailed, WorkLine, WorkLog, WorkProgress,
};
pub use worker::{Worker, WorkerJob, WorkerStage};
