//! What a test does with jobs, and asks of them.

use serde_json::Value;
use waystation_core::clock::Clock;
use waystation_core::contract::kind_of;
use waystation_core::event::LogLine;
use waystation_core::failure::Failure;
use waystation_core::id::JobId;
use waystation_core::job::{JobRecord, PAGE_MAX, TaskRecord};
use waystation_core::port::Abort;
use waystation_core::state::JobState;
use waystation_engine::Submission;
use waystation_engine::decide::Answer;

use super::rest::Rest;
use super::{Error, Events, World};
use crate::AppError;

/// Who answers, as the job's events tell it.
const TESTER: &str = "test";
/// The clock is not moved more often than this for one job: it would never end.
const MOVES_MAX: usize = 1_000;

impl World {
    /// Submits a job with these params.
    pub async fn submit(&self, params: Value) -> Result<JobId, Error> {
        Ok(self.app().submit(params).await?)
    }

    /// Submits a job with all that can be said of it.
    pub async fn submit_as(&self, submission: Submission) -> Result<JobId, Error> {
        Ok(self.app().submit_as(submission).await?)
    }

    /// Waits until the job rests; gives it as it stands.
    pub async fn job(&self, job_id: &JobId) -> Result<JobRecord, Error> {
        Ok(self.rested(job_id).await?.0)
    }

    /// The job at its end, whichever. Refused when it waits for a person or for a later time.
    pub async fn finished(&self, job_id: &JobId) -> Result<JobRecord, Error> {
        match self.rested(job_id).await? {
            (job, Rest::Ended) => Ok(job),
            (job, _) => Err(self.otherwise(&job, "has not ended")),
        }
    }

    /// The job that completed. Refused when it did not, with why.
    pub async fn completed(&self, job_id: &JobId) -> Result<JobRecord, Error> {
        let job = self.job(job_id).await?;
        match job.state {
            JobState::Completed => Ok(job),
            _ => Err(self.otherwise(&job, "has not completed")),
        }
    }

    /// Why the job failed. Refused when it did not.
    pub async fn failed(&self, job_id: &JobId) -> Result<Failure, Error> {
        let job = self.job(job_id).await?;
        match (job.state, &job.failure) {
            (JobState::Failed, Some(failure)) => Ok(failure.clone()),
            _ => Err(self.otherwise(&job, "has not failed")),
        }
    }

    /// Moves the clock on to whatever the job waits for, again and again, until it has ended or
    /// waits for a person.
    pub async fn sit_out(&self, job_id: &JobId) -> Result<JobRecord, Error> {
        for _ in 0..MOVES_MAX {
            let (job, rest) = self.rested(job_id).await?;
            let Rest::Until(moment) = rest else { return Ok(job) };
            self.advance(moment.since(self.clock().now())).await?;
        }
        let job = self.job(job_id).await?;
        Err(self.otherwise(&job, "waits for one time after the other"))
    }

    /// The task that the job waits at.
    pub async fn task(&self, job_id: &JobId) -> Result<TaskRecord, Error> {
        let (job, rest) = self.rested(job_id).await?;
        if rest != Rest::Person {
            return Err(self.otherwise(&job, "does not wait for a person"));
        }
        let tasks =
            self.backend().store.tasks(waystation_core::job::TaskFilter::first(PAGE_MAX)).await?;
        let task = tasks.into_iter().find(|task| task.job_id == job.job_id);
        task.ok_or_else(|| self.otherwise(&job, "is not on the inbox's first page"))
    }

    /// Answers the task that the job waits at, as a person would. An answer that the form refuses,
    /// or that leads nowhere, is an error, and the task stays.
    pub async fn answer(&self, job_id: &JobId, fields: Value) -> Result<(), Error> {
        let Value::Object(fields) = fields else {
            return Err(AppError::Params(kind_of(&fields)).into());
        };
        let answer = Answer { fields, by: Some(TESTER.to_owned()) };
        let task = self.task(job_id).await?;
        self.app().client().answer(task.task_id, answer).await?;
        Ok(())
    }

    /// Has a failed job tried again at the stage where it failed, as a person would.
    pub async fn retry(&self, job_id: &JobId) -> Result<(), Error> {
        self.failed(job_id).await?;
        Ok(self.app().client().retry(job_id).await?)
    }

    /// Wants a job to end, as a person would, wherever it stands now.
    pub async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, Error> {
        Ok(self.app().client().abort(job_id, reason).await?)
    }

    /// What has happened to the job once it rests.
    pub async fn events(&self, job_id: &JobId) -> Result<Events, Error> {
        self.rested(job_id).await?;
        Ok(Events::new(job_id, self.backend().store.events(job_id).await?))
    }

    /// What the job's attempts have said once it rests.
    pub async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error> {
        self.rested(job_id).await?;
        Ok(self.backend().store.log(job_id).await?)
    }

    fn otherwise(&self, job: &JobRecord, wanted: &'static str) -> Error {
        let stands = self.stands(job);
        Error::Stands { job_id: job.job_id.clone(), wanted, stands }
    }
}
