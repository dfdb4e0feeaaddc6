//! Jobs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::job::{Awaited, JobPage as Page, JobRecord};
use waystation_core::settlement;

use super::{Failure, Moment, Progress, StageRun};

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The version of the pipeline that it stays on.
    pub pipeline_version: u32,
    /// Where it stands.
    pub state: String,
    /// The stage it is at, or ended at.
    pub stage: String,
    /// When it was submitted.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
    /// Not before this moment, when it is delayed or retrying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Since when a worker has it, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Moment>,
    /// Until when its worker has it unless it says that it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased_until: Option<Moment>,
    /// How often the present stage run was delivered to a worker.
    pub deliveries: u32,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// How far its attempt was when it last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Its params as they stand now.
    #[schema(value_type = Object)]
    pub params: Params,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobPage {
    /// The jobs that were found.
    pub jobs: Vec<Job>,
    /// What to give as `before` for the next page. Also after fewer jobs than were asked for, and
    /// after none: a search looks at a bounded number of jobs at a time. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<JobRecord> for Job {
    fn from(job: JobRecord) -> Self {
        Self {
            job_id: job.job_id.to_string(),
            pipeline: job.pipeline.to_string(),
            pipeline_version: job.pipeline_version,
            state: job.state.as_str().to_owned(),
            stage: job.stage.to_string(),
            created_at: job.created_at.into(),
            updated_at: job.updated_at.into(),
            not_before: job.not_before.map(Moment),
            running_since: job.running_since.map(Moment),
            leased_until: job.leased_until.map(Moment),
            deliveries: job.deliveries,
            failure: job.failure.map(Failure::from),
            parent: job.parent.map(Parent::from),
            progress: job.progress.map(Progress::from),
            params: job.params,
        }
    }
}

impl From<Page> for JobPage {
    fn from(page: Page) -> Self {
        let next = page.next.map(|job_id| job_id.to_string());
        Self { jobs: page.jobs.into_iter().map(Job::from).collect(), next }
    }
}

/// Whose child a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parent {
    /// The job that was fanned out.
    pub job_id: String,
    /// The stage run of it that made this child.
    pub visit: u32,
    /// Which one of that run's children this is, counted from 0.
    pub position: u32,
}

impl From<settlement::Parent> for Parent {
    fn from(parent: settlement::Parent) -> Self {
        let job_id = parent.job_id.to_string();
        Self { job_id, visit: parent.visit, position: parent.position }
    }
}

/// All that is known of a job, but for its log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Why it is where it is, and what it waits for.
    pub why: Vec<Reason>,
    /// Its stage runs, in the order in which they began.
    pub runs: Vec<StageRun>,
    /// The task that waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<i64>,
    /// The children that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Children>,
    /// When it is to have ended, as its contract says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
}

/// The children that a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Children {
    /// The stage run that made them.
    pub visit: u32,
    /// How many completed so far.
    pub completed: u32,
    /// How many failed so far.
    pub failed: u32,
}

impl From<Awaited> for Children {
    fn from(awaited: Awaited) -> Self {
        let Awaited { visit, tally, .. } = awaited;
        Self { visit, completed: tally.completed, failed: tally.failed }
    }
}

/// A reason why a job is where it is. The first of several is the one that matters most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// In words.
    pub words: String,
    /// For programs: what it is under `why`, and what there is to say of it.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// The names under which reasons tell moments.
const MOMENTS: [&str; 6] = ["since", "leased_until", "due", "until", "at", "due_at"];

impl Reason {
    /// A reason with its words.
    pub fn new(words: String, why: &waystation_engine::why::Why) -> Self {
        let mut detail = serde_json::to_value(why).unwrap_or_default();
        if let Value::Object(fields) = &mut detail {
            tell_moments(fields);
        }
        Self { words, detail }
    }
}

/// Milliseconds become moments.
fn tell_moments(fields: &mut Map<String, Value>) {
    for name in MOMENTS {
        if let Some(value) = fields.get_mut(name)
            && let Some(ms) = value.as_i64()
        {
            *value = Value::from(Timestamp(ms).to_string());
        }
    }
}

/// A job's params, every value in its place.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WholeParams {
    /// The params.
    #[schema(value_type = Object)]
    pub params: Params,
}

/// Why a job is to be aborted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "the wrong folder" }))]
pub struct AbortRequest {
    /// In words, for those who wonder.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub reason: String,
}

/// What came of a wish to abort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Aborted {
    /// The job.
    pub job_id: String,
    /// How it stands.
    pub outcome: AbortOutcome,
}

/// How a job stands that is to be aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbortOutcome {
    /// It is aborted.
    Aborted,
    /// It runs, or a broker has it: its worker is told, or whoever meets it next, and no later
    /// stage will see it.
    Requested,
}

/// How a failed job is to be tried again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "from": "read", "params": { "image": "scans/17-turned.png" } }))]
pub struct RetryRequest {
    /// From this stage on; from where it failed unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// With these params in the place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub params: Option<Params>,
}
