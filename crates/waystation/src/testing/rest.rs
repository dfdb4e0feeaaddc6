//! Jobs at rest: nothing happens to them until a person, the clock or the test does something.

use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{JobFilter, JobRecord, PAGE_MAX};
use waystation_core::pipeline::StageKind;
use waystation_core::port;
use waystation_core::state::JobState;

use super::{Error, World};
use crate::AppError;

/// How many jobs that still move are told of.
const TOLD_MAX: usize = 5;

/// Why a job does not go on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It has ended.
    Ended,
    /// It waits for a person.
    Person,
    /// It waits for children, and those rest, too.
    Family,
    /// It waits for a time that the clock does not show yet.
    Until(Timestamp),
}

impl Rest {
    /// Why this job rests, which waits for no children; `None` while it moves.
    pub fn of(job: &JobRecord) -> Option<Self> {
        match job.state {
            JobState::Waiting => Some(Self::Person),
            JobState::Retrying | JobState::Delayed => job.not_before.map(Self::Until),
            state => state.is_terminal().then_some(Self::Ended),
        }
    }
}

impl World {
    /// Waits until every job rests.
    pub async fn rest(&self) -> Result<(), Error> {
        let look = async || Ok(self.all_rest().await?.then_some(()));
        match self.wait(look).await? {
            Some(()) => Ok(()),
            None => Err(self.too_long().await?),
        }
    }

    /// Where a job stands, in words that tell what the test can do.
    pub(super) fn stands(&self, job: &JobRecord) -> String {
        let stage = &job.stage;
        let why = job.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
        match (job.state, job.not_before) {
            (JobState::Waiting, _) if self.is_manual(stage) => {
                format!("it waits for a person at stage `{stage}` (hint: `World::answer`)")
            }
            (JobState::Waiting, _) => {
                format!("it waits at stage `{stage}` for children, which wait themselves")
            }
            (state, Some(moment)) => format!(
                "it is {state} at stage `{stage}`, due in {:?} (hint: `World::advance`)",
                moment.since(self.clock().now())
            ),
            (state, None) => format!("it is {state} at stage `{stage}`{why}"),
        }
    }

    fn is_manual(&self, stage: &StageId) -> bool {
        self.app().definition.kind(stage) == Some(StageKind::Manual)
    }

    /// Waits until a job rests; gives it as it stands then.
    pub(super) async fn rested(&self, job_id: &JobId) -> Result<(JobRecord, Rest), Error> {
        let store = &self.backend().store;
        let look = async || {
            let job = store.job(job_id).await?;
            let job = job.ok_or_else(|| AppError::UnknownJob(job_id.clone()))?;
            let rest = match Rest::of(&job) {
                Some(Rest::Person) if store.awaited(job_id).await?.is_some() => {
                    self.all_rest().await?.then_some(Rest::Family)
                }
                rest => rest,
            };
            // What went on while we looked is looked at again.
            let same = store.job(job_id).await?.is_some_and(|now| now == job);
            Ok(rest.filter(|_| same).map(|rest| (job, rest)))
        };
        match self.wait(look).await? {
            Some(rested) => Ok(rested),
            None => Err(self.too_long().await?),
        }
    }

    /// Looks again whenever something changed; `None` at the limit.
    async fn wait<T>(
        &self,
        look: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let mut signals = self.backend().bus.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                signals.next().await;
            }
        };
        tokio::time::timeout(self.wait_max(), waiting).await.ok().transpose()
    }

    /// A job that rests stays so, and one that moves is in no state that is listed here: it is
    /// seen by the count, which comes last.
    async fn all_rest(&self) -> Result<bool, port::Error> {
        for state in [JobState::Retrying, JobState::Delayed] {
            if self.jobs_in(state).await?.iter().any(|job| Rest::of(job).is_none()) {
                return Ok(false);
            }
        }
        let counts = self.backend().store.counts(None).await?;
        Ok(!counts.iter().any(|count| moves(count.state)))
    }

    async fn jobs_in(&self, state: JobState) -> Result<Vec<JobRecord>, port::Error> {
        let mut all: Vec<JobRecord> = Vec::new();
        let mut before = None;
        loop {
            let states = vec![state];
            let filter = JobFilter { states, before, limit: PAGE_MAX, ..JobFilter::default() };
            let page = self.backend().store.jobs(filter).await?;
            all.extend(page.jobs);
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn too_long(&self) -> Result<Error, Error> {
        let mut moving = Vec::new();
        for state in JobState::ALL {
            moving.extend(self.jobs_in(state).await?);
        }
        moving.retain(|job| Rest::of(job).is_none());
        let told = |job: &JobRecord| format!("job {}: {}", job.job_id, self.stands(job));
        let stands = moving.iter().take(TOLD_MAX).map(told).collect();
        let waited: Duration = self.wait_max();
        Ok(Error::TooLong { what: "jobs still move", waited, stands })
    }
}

fn moves(state: JobState) -> bool {
    matches!(state, JobState::Ready | JobState::Queued | JobState::Running)
}
