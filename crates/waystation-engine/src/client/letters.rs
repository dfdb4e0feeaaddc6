//! What people decide about failed jobs: try again, from another stage or with other params, or
//! drop.

use waystation_core::Params;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord};
use waystation_core::port;
use waystation_core::settlement::{Settled, Settlement};
use waystation_core::state::JobState;

use super::Client;
use crate::decide::{self, NoRequeue, Requeue};
use crate::definition::DefinitionError;

/// How a failed job is tried again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryWith {
    /// From this stage on; from where it failed unless given.
    pub from: Option<StageId>,
    /// With these params in the place of its own.
    pub params: Option<Params>,
    /// Who wants it, where that is known.
    pub by: Option<String>,
}

/// Why nothing was done about a failed job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is no such job.
    #[error("there is no job {0} in this store")]
    Unknown(JobId),
    /// There is nothing to try again: it goes on by itself, or has ended otherwise.
    #[error("job {job_id} is {state}, not failed: {}", what_can_be_done(*state))]
    NotFailed {
        /// The job.
        job_id: JobId,
        /// How it stands.
        state: JobState,
    },
    /// There is no dead letter of this failed job any more.
    #[error(
        "job {0} is not with the dead letters: its letter was dropped (hint: submit it again as a \
         new job)"
    )]
    NotDead(JobId),
    /// It cannot go on so.
    #[error("job {job_id} cannot be tried again: {source}")]
    Refused {
        /// The job.
        job_id: JobId,
        /// Why.
        source: NoRequeue,
    },
    /// The job's pipeline is not ready.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

fn what_can_be_done(state: JobState) -> &'static str {
    match state {
        JobState::Completed | JobState::Skipped | JobState::Aborted => {
            "only a failed job is tried again (hint: submit it again as a new job)"
        }
        _ => "it has not ended (hint: abort it, or wait)",
    }
}

impl Client {
    /// Tries a failed job again at the stage where it failed.
    pub async fn retry(&self, job_id: &JobId) -> Result<(), JobError> {
        self.retry_with(job_id, RetryWith::default()).await
    }

    /// Tries a failed job again, from another stage or with other params. Either makes it a stage
    /// run of its own, which takes no step of the failed one for done.
    pub async fn retry_with(&self, job_id: &JobId, how: RetryWith) -> Result<(), JobError> {
        let letter = self.letter(job_id).await?;
        let version = self.backend.store.job(job_id).await?.map(|job| job.pipeline_version);
        let graph = self.registry.graph_to_act_on(&letter.pipeline, version).await?;
        let requeue = Requeue {
            from: how.from,
            params: how.params,
            by: how.by,
            now: self.backend.clock.now(),
            bytes_max: self.backend.queue.capabilities().payload_bytes_max,
        };
        let settlement = decide::settle_requeue(&graph, &letter, requeue)
            .map_err(|source| JobError::Refused { job_id: job_id.clone(), source })?;
        self.settle_letter(job_id, settlement).await
    }

    /// Drops a dead letter. The job stays failed.
    pub async fn drop_dead(&self, job_id: &JobId) -> Result<(), JobError> {
        self.drop_letter(job_id, None).await
    }

    /// The same, and who wanted it is told with the event.
    pub async fn drop_dead_as(&self, job_id: &JobId, by: &str) -> Result<(), JobError> {
        self.drop_letter(job_id, Some(by)).await
    }

    async fn drop_letter(&self, job_id: &JobId, by: Option<&str>) -> Result<(), JobError> {
        let letter = self.letter(job_id).await?;
        let settlement = decide::settle_drop(&letter, by, self.backend.clock.now());
        self.settle_letter(job_id, settlement).await
    }

    async fn letter(&self, job_id: &JobId) -> Result<DeadLetterRecord, JobError> {
        let letters = self.backend.store.dead_letters(DeadLetterFilter::of_job(job_id)).await?;
        match letters.into_iter().next() {
            Some(letter) => Ok(letter),
            None => Err(self.not_dead(job_id).await?),
        }
    }

    async fn settle_letter(&self, job_id: &JobId, settlement: Settlement) -> Result<(), JobError> {
        match self.settle(settlement).await? {
            Settled::Lost => Err(self.not_dead(job_id).await?),
            Settled::Applied | Settled::Aborted => Ok(()),
        }
    }

    /// Why a job has no dead letter.
    async fn not_dead(&self, job_id: &JobId) -> Result<JobError, port::Error> {
        let job_id = job_id.clone();
        Ok(match self.backend.store.job(&job_id).await? {
            None => JobError::Unknown(job_id),
            Some(job) if job.state == JobState::Failed => JobError::NotDead(job_id),
            Some(job) => JobError::NotFailed { job_id, state: job.state },
        })
    }
}
