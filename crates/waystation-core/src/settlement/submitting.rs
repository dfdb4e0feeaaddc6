//! New jobs that may be there already: what makes two one, and what comes of each.

use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// What makes jobs of one pipeline one job, and what becomes of a second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// At most one job of a pipeline has this key, and keeps it also after its end.
    pub key: String,
    /// What becomes of this job when another one has the key.
    pub on_duplicate: OnDuplicate,
}

/// What becomes of a new job whose dedupe key another job has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// It is not created, and whoever submits it is told so as a mistake.
    Reject,
    /// It is not created: the other job stands for it.
    #[default]
    ReturnExisting,
    /// It is created and has the key from then on. The other job is aborted, unless it has ended.
    Replace,
}

impl Dedupe {
    /// The same key is the same job: a second one is not created.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), on_duplicate: OnDuplicate::default() }
    }

    /// The same key, with this done about a second job.
    #[must_use]
    pub fn on_duplicate(mut self, policy: OnDuplicate) -> Self {
        self.on_duplicate = policy;
        self
    }

    /// How a job that does not exist yet is let in when this job has its key, if any has.
    pub fn admit(&self, holder: Option<&JobId>) -> Admission {
        let Some(holder) = holder.cloned() else { return Admission::Free };
        match self.on_duplicate {
            OnDuplicate::Replace => Admission::InPlaceOf(holder),
            OnDuplicate::ReturnExisting => Admission::Refused(Submitted::Duplicate(holder)),
            OnDuplicate::Reject => {
                let rejected = Rejected { key: self.key.clone(), job_id: holder };
                Admission::Refused(Submitted::Rejected(rejected))
            }
        }
    }

    /// Why a job is aborted that this one takes the place of.
    pub fn replaced_by(job_id: &JobId) -> String {
        format!("replaced by job {job_id}")
    }
}

/// How a new job is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nobody is in its way.
    Free,
    /// It takes the key of this job, which is to be aborted.
    InPlaceOf(JobId),
    /// It is not created.
    Refused(Submitted),
}

/// What came of a new job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It exists, durably.
    Created(JobId),
    /// It exists, durably, and the job that had its dedupe key is aborted: at once where nobody
    /// worked on it, by a mark where somebody did.
    Replaced {
        /// The new job.
        job_id: JobId,
        /// The one whose place it takes.
        replaced: JobId,
    },
    /// It is this job already, by its id or its dedupe key. Nothing was written.
    Duplicate(JobId),
    /// Another job has its dedupe key, and that was to be a mistake. Nothing was written.
    Rejected(Rejected),
}

/// Why a job was not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dedupe key `{key}` is that of job {job_id} already: nothing was submitted")]
pub struct Rejected {
    /// The key.
    pub key: String,
    /// The job that has it.
    pub job_id: JobId,
}

impl Submitted {
    /// That a job exists from now on, in the place of this one if it took one's.
    pub fn made(job_id: JobId, replaced: Option<JobId>) -> Self {
        match replaced {
            Some(replaced) => Self::Replaced { job_id, replaced },
            None => Self::Created(job_id),
        }
    }

    /// Whether a job was created.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Created(_) | Self::Replaced { .. })
    }

    /// The job that stands for what was submitted: the new one, or the one that is there already.
    pub fn accepted(self) -> Result<JobId, Rejected> {
        match self {
            Self::Created(job_id) | Self::Replaced { job_id, .. } | Self::Duplicate(job_id) => {
                Ok(job_id)
            }
            Self::Rejected(rejected) => Err(rejected),
        }
    }
}
