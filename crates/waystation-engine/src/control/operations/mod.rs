//! Bulk operations: one act on many jobs, durable, that goes on where it stood whoever dies.
//!
//! States: *running* (some server works at it, page by page, newest job first, or will soon), and
//! then *done*, *cancelled* or *failed*. A page whose server died is worked at again, which does no
//! harm: what is aborted or dropped already is passed over. What the dead one had done of that page
//! is not among the counts.

mod act;
mod dry_run;
mod runner;
mod selection;
mod store;

use std::fmt;

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, StageId};
use waystation_core::port;

pub use dry_run::DryRun;
pub use runner::run;
pub use selection::Selection;

pub(crate) use dry_run::dry_run;
pub(crate) use store::{cancel, list, read, start};

/// The most errors that an operation keeps.
pub const ERRORS_MAX: usize = 20;

/// What is done to each job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Kind {
    /// It is aborted, and its children with it.
    Abort {
        /// Why.
        reason: String,
    },
    /// A failed job is tried again.
    Retry {
        /// From this stage on; from where it failed unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<StageId>,
    },
    /// A failed job's dead letter is dropped. The job stays failed.
    DropDead,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A server works at it, or will soon.
    Running,
    /// Every job was looked at.
    Done,
    /// Somebody ended it before.
    Cancelled,
    /// It cannot go on: the last of its errors says why.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        })
    }
}

/// A bulk operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id. Later ones sort after earlier ones.
    pub id: String,
    /// What is done.
    pub kind: Kind,
    /// To which jobs, of those that were there when it began.
    pub selection: Selection,
    /// Who wanted it.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Where it stands.
    pub state: State,
    /// How many jobs there were to do it to before it began, as far as that was counted.
    pub matched: DryRun,
    /// How many it has looked at.
    pub looked_at: u64,
    /// To how many it was done.
    pub done: u64,
    /// How many needed it no more, as those that had ended meanwhile.
    pub skipped: u64,
    /// To how many it could not be done.
    pub failed: u64,
    /// The first of the errors.
    #[serde(default)]
    pub errors: Vec<JobFault>,
    /// Behind which job it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<JobId>,
    /// When somebody began it.
    pub created_at: Timestamp,
    /// When it went on last.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Which server works at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when, unless it says that it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_until: Option<Timestamp>,
}

/// Why something was not done to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFault {
    /// The job. None where the operation itself cannot go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Why.
    pub message: String,
}

/// An operation to be.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be done.
    pub kind: Kind,
    /// To which jobs.
    pub selection: Selection,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A page of operations, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Only those that began before this one.
    pub before: Option<String>,
    /// At most this many, and never more than [`PAGE_MAX`](waystation_core::job::PAGE_MAX).
    pub limit: usize,
}

/// Why an operation did not begin, or was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The jobs that are selected are never such that it can be done to them.
    #[error("nothing can be done: {what} jobs that are {wanted}, and {selected} are selected")]
    Senseless {
        /// What is to be done, as `abort takes`.
        what: &'static str,
        /// In which states they must be.
        wanted: String,
        /// In which states they are selected.
        selected: String,
    },
    /// Nobody would know why.
    #[error("an operation on many jobs needs a reason")]
    NoReason,
    /// There is no such operation.
    #[error("there is no operation {0}")]
    Unknown(String),
    /// It has ended already.
    #[error("operation {id} is {state} already")]
    Ended {
        /// Which.
        id: String,
        /// How.
        state: State,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}
