//! Bulk operations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_core::state::JobState;
use waystation_engine::control::operations::{self, Kind, State};

use super::Moment;
use crate::problem::{Code, Problem};

/// What is to be done to every job that is selected.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "act": "retry", "selection": { "pipeline": "scans", "states": ["failed"] },
    "reason": "the scanner was off"
}))]
pub struct OperationRequest {
    /// What.
    pub act: Act,
    /// To which jobs, of those that are there now.
    #[serde(default)]
    pub selection: Selection,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub reason: String,
    /// From which stage on failed jobs are tried again; from where each failed unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What is done to each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is aborted, and its children with it.
    Abort,
    /// A failed job is tried again.
    Retry,
    /// A failed job's dead letter is dropped.
    DropDead,
}

/// Which jobs. All there are, when nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = JobSelection)]
pub struct Selection {
    /// Only of this pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Only in one of these states. In any that can be acted on, when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Only at this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Only those that were submitted at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_from: Option<Moment>,
    /// Only those that were submitted before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Moment>,
    /// Only those whose id or params have this text in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only jobs that are nobody's child.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub parents_only: bool,
    /// Only the children of this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children_of: Option<String>,
}

impl OperationRequest {
    /// What the engine is asked for.
    pub fn parts(self) -> Result<(Kind, operations::Selection, String), Problem> {
        if self.from.is_some() && self.act != Act::Retry {
            let why = "`from` says nothing but with `retry`";
            return Err(Problem::new(Code::Invalid, why));
        }
        let kind = match self.act {
            Act::Abort => Kind::Abort { reason: self.reason.clone() },
            Act::Retry => Kind::Retry { from: self.from.map(Into::into) },
            Act::DropDead => Kind::DropDead,
        };
        Ok((kind, self.selection.read()?, self.reason))
    }
}

impl Selection {
    fn read(self) -> Result<operations::Selection, Problem> {
        let texts = [&self.pipeline, &self.stage, &self.text, &self.children_of];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(Problem::new(Code::Invalid, "a selection holds no NUL"));
        }
        let states = self.states.iter().map(|name| state(name)).collect::<Result<_, _>>()?;
        Ok(operations::Selection {
            pipeline: self.pipeline.map(Into::into),
            states,
            stage: self.stage.map(Into::into),
            created_from: self.created_from.map(|moment| moment.0),
            created_before: self.created_before.map(|moment| moment.0),
            text: self.text.filter(|text| !text.is_empty()),
            parents_only: self.parents_only,
            children_of: self.children_of.map(Into::into),
        })
    }
}

impl From<operations::Selection> for Selection {
    fn from(selection: operations::Selection) -> Self {
        Self {
            pipeline: selection.pipeline.map(|name| name.to_string()),
            states: selection.states.iter().map(|state| state.as_str().to_owned()).collect(),
            stage: selection.stage.map(|stage| stage.to_string()),
            created_from: selection.created_from.map(Moment),
            created_before: selection.created_before.map(Moment),
            text: selection.text,
            parents_only: selection.parents_only,
            children_of: selection.children_of.map(|job_id| job_id.to_string()),
        }
    }
}

/// Reads a state of a job.
pub fn state(name: &str) -> Result<JobState, Problem> {
    JobState::parse(name).ok_or_else(|| {
        let known = JobState::ALL.map(JobState::as_str).join(", ");
        Problem::new(Code::Invalid, format!("{name} is no state of a job (known: {known})"))
    })
}

/// How many jobs an operation would be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// So many.
    pub jobs: u64,
    /// Whether those are all. There are at least so many otherwise.
    pub complete: bool,
}

impl From<operations::DryRun> for DryRun {
    fn from(dry_run: operations::DryRun) -> Self {
        Self { jobs: dry_run.jobs, complete: dry_run.complete }
    }
}

/// A bulk operation: one act on many jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What is done.
    pub act: Act,
    /// From which stage on failed jobs are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To which jobs, of those that were there when it began.
    pub selection: Selection,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: OperationState,
    /// How many jobs there were to do it to before it began.
    pub matched: DryRun,
    /// How many it has looked at.
    pub looked_at: u64,
    /// To how many it was done.
    pub done: u64,
    /// How many needed it no more.
    pub skipped: u64,
    /// To how many it could not be done.
    pub failed: u64,
    /// The first of the errors.
    pub errors: Vec<OperationError>,
    /// When somebody began it.
    pub created_at: Moment,
    /// When it went on last.
    pub updated_at: Moment,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Which server works at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// A server works at it, or will soon.
    Running,
    /// Every job was looked at.
    Done,
    /// Somebody ended it before.
    Cancelled,
    /// It cannot go on: the last of its errors says why.
    Failed,
}

/// Why something was not done to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationError {
    /// The job. None where the operation itself cannot go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Why.
    pub message: String,
}

/// A page of operations, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationPage {
    /// The operations.
    pub operations: Vec<Operation>,
    /// What to give as `before` for the next page. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<operations::Operation> for Operation {
    fn from(operation: operations::Operation) -> Self {
        let (act, from) = match operation.kind {
            Kind::Abort { .. } => (Act::Abort, None),
            Kind::Retry { from } => (Act::Retry, from.map(|stage| stage.to_string())),
            Kind::DropDead => (Act::DropDead, None),
        };
        let error = |fault: operations::JobFault| OperationError {
            job_id: fault.job_id.map(|job_id| job_id.to_string()),
            message: fault.message,
        };
        Self {
            id: operation.id,
            act,
            from,
            selection: operation.selection.into(),
            by: operation.by,
            reason: operation.reason,
            state: match operation.state {
                State::Running => OperationState::Running,
                State::Done => OperationState::Done,
                State::Cancelled => OperationState::Cancelled,
                State::Failed => OperationState::Failed,
            },
            matched: operation.matched.into(),
            looked_at: operation.looked_at,
            done: operation.done,
            skipped: operation.skipped,
            failed: operation.failed,
            errors: operation.errors.into_iter().map(error).collect(),
            created_at: operation.created_at.into(),
            updated_at: operation.updated_at.into(),
            ended_at: operation.ended_at.map(Moment),
            owner: operation.owner,
        }
    }
}
