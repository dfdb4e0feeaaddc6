//! Does it to one job.

use waystation_core::id::JobId;
use waystation_core::port::{self, Abort};

use super::Kind;
use crate::client::{Client, JobError, RetryWith};

/// What came of it.
pub enum Fate {
    /// It is done.
    Done,
    /// It was not needed any more.
    Skipped,
    /// It cannot be done to this job.
    Failed(String),
}

/// Does it to one job. An error is the store's, and says nothing of the job.
pub async fn act(
    client: &Client,
    kind: &Kind,
    by: &str,
    job_id: &JobId,
) -> Result<Fate, port::Error> {
    let answer = match kind {
        Kind::Abort { reason } => {
            return Ok(match client.abort_as(job_id, reason, by).await? {
                Abort::Done | Abort::Requested => Fate::Done,
                Abort::TooLate | Abort::Unknown => Fate::Skipped,
            });
        }
        Kind::Retry { from } => {
            let how = RetryWith { from: from.clone(), params: None, by: Some(by.to_owned()) };
            client.retry_with(job_id, how).await
        }
        Kind::DropDead => client.drop_dead_as(job_id, by).await,
    };
    match answer {
        Ok(()) => Ok(Fate::Done),
        Err(JobError::NotDead(_) | JobError::NotFailed { .. } | JobError::Unknown(_)) => {
            Ok(Fate::Skipped)
        }
        Err(JobError::Store(error)) => Err(error),
        Err(other) => Ok(Fate::Failed(other.to_string())),
    }
}
