//! Creating jobs.

use rusqlite::params;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Error, LOCKS};
use waystation_core::settlement::{Admission, NewJob, Start, Submitted};
use waystation_core::state::{JobState, Step, transition};
use waystation_core::statistics::count_events;

use super::batch::Writer;
use super::rows::state_number;

impl Writer {
    /// Creates jobs with their first messages, and moves the source's checkpoint.
    pub(super) fn submit(
        &mut self,
        jobs: &[NewJob],
        checkpoint: Option<Checkpoint>,
    ) -> rusqlite::Result<Result<Vec<Submitted>, Error>> {
        if let Some(held) = checkpoint.as_ref().and_then(|checkpoint| checkpoint.held.as_ref())
            && self.revision_of(LOCKS, &held.lock)? != Some(held.token)
        {
            return Ok(Err(Error::Fenced { lock: held.lock.clone() }));
        }
        let submitted =
            jobs.iter().map(|job| self.create(job)).collect::<rusqlite::Result<Vec<_>>>()?;
        if let Some(checkpoint) = checkpoint {
            self.connection
                .prepare_cached(
                    "INSERT INTO checkpoint (source, value, updated_at) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (source) DO UPDATE \
                     SET value = excluded.value, updated_at = excluded.updated_at",
                )?
                .execute(params![checkpoint.source, checkpoint.value.to_string(), self.now.0])?;
        }
        Ok(Ok(submitted))
    }

    /// Creates a job, unless it is there already.
    pub(super) fn create(&mut self, job: &NewJob) -> rusqlite::Result<Submitted> {
        let pipeline = self.names.number(&self.connection, job.pipeline.as_str())?;
        let replaced = match self.admit(pipeline, job)? {
            Admission::Refused(answer) => return Ok(answer),
            Admission::Free => None,
            Admission::InPlaceOf(holder) => self.replace(holder, &job.job_id)?,
        };
        let (step, stage) = match &job.start {
            Start::Inbox(task) => (Step::Park, &task.stage),
            Start::Queue(message) => {
                let later = message.not_before.is_some_and(|moment| moment > self.now);
                (if later { Step::Delay } else { Step::Enqueue }, &message.stage)
            }
        };
        // The steps out of `ready` are all allowed.
        let state = transition(JobState::Ready, step).unwrap_or(JobState::Ready);
        let stage = self.names.number(&self.connection, stage.as_str())?;
        let parent = job.parent.as_ref().map(|parent| self.number_of(parent)).transpose()?;
        let number = self.next_job;
        // The message's number is known before it is written, so that the job is written once.
        let live = matches!(job.start, Start::Queue(_)).then_some(self.next_message);
        let created = self
            .connection
            .prepare_cached(
                "INSERT INTO job (job_number, job_id, pipeline, pipeline_version, state, stage, \
                 created_at, updated_at, live, parent, parent_visit, position) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11) \
                 ON CONFLICT (job_id) DO NOTHING",
            )?
            .execute(params![
                number,
                job.job_id.as_str(),
                pipeline,
                job.pipeline_version,
                state_number(state),
                stage,
                self.now.0,
                live,
                parent,
                job.parent.as_ref().map(|parent| parent.visit),
                job.parent.as_ref().map(|parent| parent.position),
            ])?;
        if created == 0 {
            return Ok(Submitted::Duplicate(job.job_id.clone()));
        }
        self.next_job += 1;
        match &job.start {
            Start::Queue(message) => {
                self.insert_message(number, message, None)?;
            }
            Start::Inbox(task) => {
                let task = self.insert_task(number, task)?;
                self.move_job(number, state, stage, task)?;
            }
        }
        self.keep_key(pipeline, job)?;
        count_events(&mut self.sums, &job.pipeline, &job.events, None);
        self.insert_events(number, &job.events)?;
        Ok(Submitted::made(job.job_id.clone(), replaced))
    }
}
