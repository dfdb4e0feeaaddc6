//! What people and programs ask of a backend: submit, answer, abort, try again, drop.

mod control;
mod depths;
mod hooks;
mod letters;
mod sources;
mod submission;
mod why;

use std::time::Duration;

use tokio::time::Instant;
use waystation_core::Params;
use waystation_core::contract;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::JobRecord;
use waystation_core::port::{self, Abort, SETTLE_MAX};
use waystation_core::settlement::{Dedupe, Settled, Settlement, Submitted};
use waystation_core::state::JobState;

use crate::abort::abort_children;
use crate::backend::Backend;
use crate::control::{Pause, View};
use crate::decide::{self, Answer, Plan, Refusal};
use crate::definition::{DefinitionError, Registry};
use crate::graph::Graph;
use crate::lanes;
use crate::worker::offload;

pub use depths::Depths;
pub use hooks::{HookError, Hooked};
pub use letters::{JobError, RetryWith};
pub use sources::{SourceError, SourceStanding};
pub use submission::{Submission, SubmitError};
pub use why::Explained;

/// How often is looked whether a lane has room, and how long at most.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const PATIENCE_MAX: Duration = Duration::from_hours(1);

/// Asks things of a backend.
#[derive(Clone)]
pub struct Client {
    backend: Backend,
    registry: Registry,
    /// What is paused, as far as those who submit must know.
    view: View,
}

/// Why a task was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such task.
    #[error("there is no task {0} in the inbox (it may have been answered)")]
    Unknown(i64),
    /// The answer is not taken; the task stays.
    #[error("task {task_id}: {refusal}")]
    Refused {
        /// The task.
        task_id: i64,
        /// Why.
        refusal: Refusal,
    },
    /// The job's pipeline is not ready.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Client {
    /// A client of this backend.
    pub fn new(backend: Backend, registry: Registry) -> Self {
        Self { backend, registry, view: View::default() }
    }

    /// The ports, for queries.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The pipelines.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Submits jobs, by transactions of at most [`SETTLE_MAX`]. None of them is written when one
    /// cannot be: only an error of the store may leave the first transactions without the rest.
    /// Whoever wants to ask again after such an error gives each job its own id or dedupe key.
    ///
    /// Each job stands alone where another one has its dedupe key: the answers, in the order of
    /// the submissions, tell what was created and what was not. The children of a job that was
    /// replaced are aborted after it.
    ///
    /// Where a stage has a `lane_limit` and as many wait there, nothing is written:
    /// [`SubmitError::Full`]. [`Self::submit_within`] waits for room.
    pub async fn submit(
        &self,
        graph: &Graph,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Submitted>, SubmitError> {
        self.check_open(&graph.pipeline.name).await?;
        let now = self.backend.clock.now();
        let mut plans: Vec<Plan> = submissions
            .into_iter()
            .map(|submission| submission.plan(graph, &self.registry, now))
            .collect::<Result<_, _>>()?;
        if let Some(tracer) = &self.backend.tracer {
            for plan in plans.iter_mut().filter(|plan| plan.traceparent.is_none()) {
                plan.traceparent = tracer.job(&plan.job_id, &graph.pipeline.name, now);
            }
        }
        let mut jobs: Vec<_> =
            plans.into_iter().map(|plan| decide::new_job(graph, plan, None, now)).collect();
        if let Some(full) = lanes::look(&self.backend, graph, jobs.iter()).await? {
            return Err(full.into());
        }
        let mut submitted = Vec::with_capacity(jobs.len());
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(SETTLE_MAX));
            let batch = std::mem::replace(&mut jobs, rest);
            let answers = self.backend.queue.submit(batch, None).await?;
            for answer in &answers {
                self.abort_children_of_replaced(answer).await;
            }
            submitted.extend(answers);
        }
        Ok(submitted)
    }

    /// The same, and where a lane is full it waits so long for room before it says so.
    pub async fn submit_within(
        &self,
        graph: &Graph,
        submissions: Vec<Submission>,
        patience: Duration,
    ) -> Result<Vec<Submitted>, SubmitError> {
        let until = Instant::now() + patience.min(PATIENCE_MAX);
        loop {
            match self.submit(graph, submissions.clone()).await {
                Err(SubmitError::Full(_)) if Instant::now() < until => {
                    tokio::time::sleep_until(until.min(Instant::now() + LOOK_AGAIN)).await;
                }
                answered => return answered,
            }
        }
    }

    /// Refuses what is for a pipeline that is drained, as far as that is known: at most a second
    /// ago, so that a submit costs no read of its own.
    async fn check_open(&self, pipeline: &PipelineName) -> Result<(), SubmitError> {
        let pauses = self.view.see(&*self.backend.records).await;
        match pauses.drains(pipeline) {
            None => Ok(()),
            Some(Pause { by, reason, .. }) => Err(SubmitError::Draining {
                pipeline: pipeline.clone(),
                by: by.clone(),
                reason: reason.clone(),
            }),
        }
    }

    /// What was submitted stays submitted, also where the children cannot be reached: they end
    /// without anybody who waits for them.
    async fn abort_children_of_replaced(&self, answer: &Submitted) {
        let Submitted::Replaced { job_id, replaced } = answer else { return };
        let store = &*self.backend.store;
        let aborted = abort_children(store, replaced, &Dedupe::replaced_by(job_id)).await;
        if let Err(error) = aborted {
            tracing::warn!(job = %replaced, %error, "children of a replaced job go on");
        }
    }

    /// The params of a job as its handlers see them: with every value in its place that lies
    /// apart as a blob.
    pub async fn whole_params(&self, job: &JobRecord) -> Result<Params, Failure> {
        let whole = offload::whole(&self.backend, &job.params).await?;
        Ok(whole.unwrap_or_else(|| job.params.clone()))
    }

    /// Answers a task of the inbox. A second answer to the same task is refused.
    pub async fn answer(&self, task_id: i64, answer: Answer) -> Result<JobId, AnswerError> {
        let task = self.backend.store.task(task_id).await?;
        let task = task.ok_or(AnswerError::Unknown(task_id))?;
        let version = contract::Contract::parse(&task.body)
            .map_err(|error| AnswerError::Refused { task_id, refusal: error.into() })?
            .pipeline_version;
        let graph = self.registry.graph_to_act_on(&task.pipeline, version).await?;
        let bytes_max = self.backend.queue.capabilities().payload_bytes_max;
        let now = self.backend.clock.now();
        let settlement = decide::settle_answer(&graph, &task, answer, now, bytes_max)
            .map_err(|refusal| AnswerError::Refused { task_id, refusal })?;
        match self.settle(settlement).await? {
            Settled::Lost => Err(AnswerError::Unknown(task_id)),
            Settled::Applied | Settled::Aborted => Ok(task.job_id),
        }
    }

    /// Aborts a job that has not ended, and then its children, and theirs. Asked for again of a job
    /// that was aborted or failed, it goes through the children again; those of a completed job are
    /// jobs of their own.
    pub async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, port::Error> {
        let store = &*self.backend.store;
        let answer = store.abort(job_id, reason).await?;
        let its_children = match answer {
            Abort::Done | Abort::Requested => true,
            Abort::Unknown => false,
            Abort::TooLate => store
                .job(job_id)
                .await?
                .is_some_and(|job| matches!(job.state, JobState::Aborted | JobState::Failed)),
        };
        if its_children {
            abort_children(store, job_id, reason).await?;
        }
        Ok(answer)
    }

    /// The same, and the reason names who wants it.
    pub async fn abort_as(
        &self,
        job_id: &JobId,
        reason: &str,
        by: &str,
    ) -> Result<Abort, port::Error> {
        self.abort(job_id, &format!("{reason} (by {by})")).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, port::Error> {
        let answers = self.backend.queue.settle([settlement].into()).await?;
        Ok(answers.first().copied().unwrap_or(Settled::Lost))
    }
}
