//! Jobs that are to be, and what came of them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::Params;
use waystation_core::id::{JobId, StageId};
use waystation_core::settlement::{Dedupe, OnDuplicate, Submitted, priority};
use waystation_engine::Submission;

use super::Moment;
use crate::problem::{Code, Problem};

/// A job that is to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipeline": "scans", "params": { "image": "scans/17.png" }, "dedupe_key": "scan-17"
}))]
pub struct NewJob {
    /// The pipeline.
    pub pipeline: String,
    /// Which version of it; the newest unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub pipeline_version: Option<u32>,
    /// Its id; a new one unless given. A job of this id that exists stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub job_id: Option<String>,
    /// Its params.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Params,
    /// Where it starts; where the pipeline starts unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_stage: Option<String>,
    /// After which stage it ends early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_stage: Option<String>,
    /// What makes it one with other jobs of its pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000)]
    pub dedupe_key: Option<String>,
    /// What becomes of it when another job has its dedupe key; the other one stands for it unless
    /// said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_duplicate: Option<WhenDuplicate>,
    /// Higher runs first: `low`, `normal`, `high`, `critical`, or a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// When it is to have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
}

/// What becomes of a job whose dedupe key another job has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenDuplicate {
    /// It is not created, and that is told as a mistake.
    Reject,
    /// It is not created: the other job stands for it.
    ReturnExisting,
    /// It is created, and the other job is aborted unless it has ended.
    Replace,
}

/// A priority: one of four names, or a number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Priority {
    /// `low`, `normal`, `high` or `critical`.
    Named(PriorityName),
    /// Any number; higher runs first.
    Number(i16),
}

/// The priorities that have names.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriorityName {
    /// When nothing else is to be done.
    Low,
    /// What a job has unless it is given another one.
    Normal,
    /// Before everyday work.
    High,
    /// Before everything that is only high.
    Critical,
}

/// One job, or many of one pipeline.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({ "pipeline": "scans", "params": { "image": "scans/17.png" } }))]
pub enum Submit {
    /// Many: all are taken, or none is for what is wrong with any.
    Many(ManyJobs),
    /// One.
    One(Box<NewJob>),
}

/// Many jobs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyJobs {
    /// The jobs, all of one pipeline and version.
    #[schema(min_items = 1, max_items = 1000)]
    pub jobs: Vec<NewJob>,
}

/// Told apart by whether there are `jobs`, so that messages speak of the one that was meant.
impl<'de> Deserialize<'de> for Submit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("jobs").is_some() {
            return serde_json::from_value(value).map(Self::Many).map_err(D::Error::custom);
        }
        let job = serde_json::from_value(value).map_err(D::Error::custom)?;
        Ok(Self::One(Box::new(job)))
    }
}

impl NewJob {
    /// What the engine is asked for. `job_id` is what it is to be called unless it says so itself,
    /// `by` who submits it.
    pub fn submission(self, job_id: &str, by: &str) -> Result<Submission, Problem> {
        let on_duplicate = match self.on_duplicate {
            Some(WhenDuplicate::Reject) => OnDuplicate::Reject,
            Some(WhenDuplicate::ReturnExisting) => OnDuplicate::ReturnExisting,
            Some(WhenDuplicate::Replace) => OnDuplicate::Replace,
            None => OnDuplicate::default(),
        };
        if self.on_duplicate.is_some() && self.dedupe_key.is_none() {
            let why = "`on_duplicate` says nothing without a `dedupe_key`";
            return Err(Problem::new(Code::Invalid, why));
        }
        let dedupe = self.dedupe_key.map(|key| Dedupe::new(key).on_duplicate(on_duplicate));
        Ok(Submission {
            job_id: Some(JobId::from(job_id)),
            params: self.params,
            entry: self.entry_stage.map(StageId::from),
            exit: self.exit_stage.map(StageId::from),
            dedupe,
            priority: self.priority.map_or(priority::NORMAL, |priority| priority.number()),
            not_before: self.not_before.map(|moment| moment.0),
            deadline: self.deadline.map(|moment| moment.0),
            by: Some(by.to_owned()),
            traceparent: None,
        })
    }
}

impl Priority {
    fn number(&self) -> priority::Priority {
        match self {
            Self::Named(PriorityName::Low) => priority::LOW,
            Self::Named(PriorityName::Normal) => priority::NORMAL,
            Self::Named(PriorityName::High) => priority::HIGH,
            Self::Named(PriorityName::Critical) => priority::CRITICAL,
            Self::Number(number) => *number,
        }
    }
}

/// What came of jobs that were to be, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedJobs {
    /// What came of each.
    pub jobs: Vec<SubmittedJob>,
}

/// What came of a job that was to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedJob {
    /// The job that stands for it: the new one, or the one that was there already.
    pub job_id: String,
    /// What was done.
    pub outcome: SubmitOutcome,
    /// The job whose place it takes, and which is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
}

/// What was done about a job that was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmitOutcome {
    /// It was created.
    Created,
    /// It was created in the place of another one.
    Replaced,
    /// It is there already. Nothing was written.
    Duplicate,
    /// Another job has its dedupe key, and that was to be a mistake. Nothing was written.
    Rejected,
}

impl From<Submitted> for SubmittedJob {
    fn from(submitted: Submitted) -> Self {
        let (job_id, outcome, replaced) = match submitted {
            Submitted::Created(job_id) => (job_id, SubmitOutcome::Created, None),
            Submitted::Replaced { job_id, replaced } => {
                (job_id, SubmitOutcome::Replaced, Some(replaced.to_string()))
            }
            Submitted::Duplicate(job_id) => (job_id, SubmitOutcome::Duplicate, None),
            Submitted::Rejected(rejected) => (rejected.job_id, SubmitOutcome::Rejected, None),
        };
        Self { job_id: job_id.to_string(), outcome, replaced }
    }
}
