//! What people and programs ask of a backend: submit, answer, abort, try again, drop.

use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{DeadLetterRecord, JobRecord};
use waystation_core::pipeline::StageKind;
use waystation_core::port::{self, Abort, SETTLE_MAX};
use waystation_core::settlement::{Priority, Settled, Settlement, Submitted};
use waystation_core::state::JobState;

use crate::abort::abort_children;
use crate::backend::Backend;
use crate::decide::{self, Answer, Plan, Refusal};
use crate::definition::{DefinitionError, Registry};
use crate::graph::Graph;
use crate::worker::offload;

/// Asks things of a backend.
#[derive(Clone)]
pub struct Client {
    backend: Backend,
    registry: Registry,
}

/// The longest job id that is taken from outside.
const JOB_ID_BYTES_MAX: usize = 200;

/// A job to be.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    /// Its id; a new one unless given.
    pub job_id: Option<JobId>,
    /// Its params.
    pub params: Params,
    /// Where it starts; where the pipeline starts unless given.
    pub entry: Option<StageId>,
    /// After which stage it ends early.
    pub exit: Option<StageId>,
    /// Jobs of one pipeline with the same key are one job.
    pub dedupe_key: Option<String>,
    /// Higher runs first.
    pub priority: Priority,
    /// Not before this moment.
    pub not_before: Option<Timestamp>,
}

/// Why a job was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// A stage that was named is not in the pipeline.
    #[error("pipeline `{pipeline}` has no {role} stage `{stage}` (its stages: {known})")]
    UnknownStage {
        /// The pipeline.
        pipeline: String,
        /// `entry` or `exit`.
        role: &'static str,
        /// What was named.
        stage: StageId,
        /// What there is.
        known: String,
    },
    /// The stage that the job is to end after does not come.
    #[error("a job that begins at stage `{entry}` never comes to its exit stage `{exit}`")]
    Exit {
        /// Where it begins.
        entry: StageId,
        /// After which stage it was to end.
        exit: StageId,
    },
    /// Only children of the job come to the stage that it is to end after.
    #[error(
        "a job that begins at stage `{entry}` does not come to its exit stage `{exit}` itself, \
         only its children do (hint: name the stage before the fan-out, or the join)"
    )]
    ExitOfChildren {
        /// Where it begins.
        entry: StageId,
        /// After which stage it was to end.
        exit: StageId,
    },
    /// It is not said where the job starts.
    #[error(transparent)]
    Entry(#[from] waystation_core::pipeline::EntryError),
    /// The id is not one that people can read and paste.
    #[error(
        "`{}` is no job id: 1 to {JOB_ID_BYTES_MAX} bytes without control characters",
        .0.as_str().escape_debug()
    )]
    JobId(JobId),
    /// A task in the inbox has neither a priority nor a time before which it is hidden.
    #[error(
        "stage `{0}` is manual: its tasks cannot be delayed or given a priority \
         (hint: leave both out)"
    )]
    NotAtManual(StageId),
    /// The params are not what the first stage takes.
    #[error("{0}")]
    Params(Failure),
    /// The params are more than the queue takes.
    #[error("{0} (hint: put large values into files or blobs, and where they are into the params)")]
    TooLarge(port::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(port::Error),
}

impl From<port::Error> for SubmitError {
    fn from(error: port::Error) -> Self {
        match error {
            port::Error::TooLarge { .. } => Self::TooLarge(error),
            other => Self::Store(other),
        }
    }
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

/// Why nothing was done about a failed job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is no dead letter of this job.
    #[error("job {0} is not with the dead letters")]
    NotDead(JobId),
    /// What lies there is no contract.
    #[error("job {job_id} cannot be tried again: {source}")]
    Contract {
        /// The job.
        job_id: JobId,
        /// Why.
        source: contract::Error,
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
        Self { backend, registry }
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
    pub async fn submit(
        &self,
        graph: &Graph,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Submitted>, SubmitError> {
        let now = self.backend.clock.now();
        let plans: Vec<Plan> = submissions
            .into_iter()
            .map(|submission| self.plan(graph, submission))
            .collect::<Result<_, _>>()?;
        let mut jobs: Vec<_> =
            plans.into_iter().map(|plan| decide::new_job(graph, plan, None, now)).collect();
        let mut submitted = Vec::with_capacity(jobs.len());
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(SETTLE_MAX));
            let batch = std::mem::replace(&mut jobs, rest);
            submitted.extend(self.backend.queue.submit(batch, None).await?);
        }
        Ok(submitted)
    }

    fn plan(&self, graph: &Graph, submission: Submission) -> Result<Plan, SubmitError> {
        let pipeline = &graph.pipeline;
        let unknown = |role, stage: &StageId| SubmitError::UnknownStage {
            pipeline: pipeline.name.to_string(),
            role,
            stage: stage.clone(),
            known: pipeline.stages.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        for (role, stage) in [("entry", &submission.entry), ("exit", &submission.exit)] {
            if let Some(stage) = stage {
                let kind = graph.kind(stage);
                if kind.is_none() || kind == Some(StageKind::Source) {
                    return Err(unknown(role, stage));
                }
            }
        }
        if let Some(job_id) = &submission.job_id {
            let text = job_id.as_str();
            let fits = (1..=JOB_ID_BYTES_MAX).contains(&text.len());
            if !fits || text.chars().any(char::is_control) {
                return Err(SubmitError::JobId(job_id.clone()));
            }
        }
        let entry_is_explicit = submission.entry.is_some();
        let entry = match submission.entry {
            Some(entry) => entry,
            None => pipeline.default_entry(self.registry.catalog())?,
        };
        if let Some(exit) = submission.exit.as_ref().filter(|exit| **exit != entry)
            && !pipeline.reached_from(&entry).contains(exit)
        {
            return Err(SubmitError::Exit { entry, exit: exit.clone() });
        }
        if let Some(exit) = submission.exit.as_ref()
            && !pipeline.goes_itself(&entry).contains(exit)
        {
            return Err(SubmitError::ExitOfChildren { entry, exit: exit.clone() });
        }
        let plain = submission.priority == 0 && submission.not_before.is_none();
        if !plain && graph.kind(&entry) == Some(StageKind::Manual) {
            return Err(SubmitError::NotAtManual(entry));
        }
        if let Some(stage) = pipeline.stage(&entry) {
            decide::check_required(stage, &submission.params).map_err(SubmitError::Params)?;
        }
        // Where the code of the stages is at hand, it says what it takes.
        let ready = self.registry.known(&pipeline.name, graph.version);
        if let Some(input) = ready.as_ref().and_then(|definition| definition.input(&entry)) {
            input.check(&submission.params).map_err(SubmitError::Params)?;
        }
        Ok(Plan {
            job_id: submission.job_id.unwrap_or_else(JobId::generate),
            params: submission.params,
            entry,
            entry_is_explicit,
            exit: submission.exit,
            dedupe_key: submission.dedupe_key,
            priority: submission.priority,
            not_before: submission.not_before,
        })
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

    /// Tries a failed job again at the stage where it failed.
    pub async fn retry(&self, job_id: &JobId) -> Result<(), JobError> {
        let letter = self.letter(job_id).await?;
        let version = self.backend.store.job(job_id).await?.map(|job| job.pipeline_version);
        let graph = self.registry.graph_to_act_on(&letter.pipeline, version).await?;
        let settlement = decide::settle_requeue(&graph, &letter, self.backend.clock.now())
            .map_err(|source| JobError::Contract { job_id: job_id.clone(), source })?;
        self.settle_letter(job_id, settlement).await
    }

    /// Drops a dead letter. The job stays failed.
    pub async fn drop_dead(&self, job_id: &JobId) -> Result<(), JobError> {
        let letter = self.letter(job_id).await?;
        let settlement = decide::settle_drop(&letter, self.backend.clock.now());
        self.settle_letter(job_id, settlement).await
    }

    async fn letter(&self, job_id: &JobId) -> Result<DeadLetterRecord, JobError> {
        let letters = self.backend.store.dead_letters(Some(job_id), 1).await?;
        letters.into_iter().next().ok_or_else(|| JobError::NotDead(job_id.clone()))
    }

    async fn settle_letter(&self, job_id: &JobId, settlement: Settlement) -> Result<(), JobError> {
        match self.settle(settlement).await? {
            Settled::Lost => Err(JobError::NotDead(job_id.clone())),
            Settled::Applied | Settled::Aborted => Ok(()),
        }
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, port::Error> {
        let answers = self.backend.queue.settle([settlement].into()).await?;
        Ok(answers.first().copied().unwrap_or(Settled::Lost))
    }
}
