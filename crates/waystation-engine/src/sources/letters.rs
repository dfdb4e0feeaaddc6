//! What a source had to take and no stage can work on: each becomes a failed job with its dead
//! letter, under a key of its own, however often it is found.
//!
//! A job must be before it can fail, which takes two commits: it is parked at the stage that it was
//! for, and its task is ended by its failure. A process that is killed in between leaves a job that
//! nothing happened to yet; the item is found again then, and that job is ended. That takes an id
//! that the item keeps: one without gets another job, and the first stays at its stage.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{TaskFilter, TaskRecord};
use waystation_core::port::Error;
use waystation_core::settlement::{
    Dedupe, Ended, NewJob, Next, Settlement, Start, Submitted, Task,
};
use waystation_core::source::Letter;
use waystation_core::state::{JobState, Step, transition};

use crate::backend::Backend;
use crate::graph::Graph;

/// Where the letters of a source go.
pub struct Letters<'a> {
    /// Where jobs go.
    pub backend: &'a Backend,
    /// The pipeline.
    pub graph: &'a Graph,
    /// The source.
    pub source: &'a StageId,
}

impl Letters<'_> {
    /// Lays a letter with the dead letters; one that lies there already, or was tried again from
    /// there, stays as it is.
    pub async fn bury(&self, letter: &Letter) -> Result<(), Error> {
        let now = self.backend.clock.now();
        let Some(stage) = self.stage() else {
            let name = self.source.to_string();
            let message = "it leads to no stage whose dead letters there could be".to_owned();
            return Err(Error::Broken { name, message });
        };
        let job = self.job(letter, stage, now);
        let version = job.pipeline_version;
        let answers = self.backend.queue.submit([job].into(), None).await?;
        let Some(Submitted::Created(job_id) | Submitted::Duplicate(job_id)) =
            answers.into_iter().next()
        else {
            return Ok(());
        };
        let Some(task) = self.untouched(&job_id).await? else { return Ok(()) };
        let settlement = end(task, version, &letter.failure, now);
        self.backend.queue.settle([settlement].into()).await?;
        Ok(())
    }

    /// The stage that the source leads to first.
    fn stage(&self) -> Option<&StageId> {
        let routes = self.graph.pipeline.routes.iter();
        let own = routes.filter(|route| route.from == *self.source);
        own.flat_map(|route| route.to.stages()).next()
    }

    fn job(&self, letter: &Letter, stage: &StageId, now: Timestamp) -> NewJob {
        let pipeline = &self.graph.pipeline;
        let (job_id, key) = (JobId::generate(), format!("{}!/{}", self.source, letter.item.id));
        let mut contract = Contract::new(job_id.clone(), letter.item.params.clone());
        contract.pipeline = Some(pipeline.name.clone());
        contract.pipeline_version = Some(self.graph.version);
        let created = Event {
            job_id: job_id.clone(),
            kind: EventKind::Created,
            stage: stage.clone(),
            visit: 1,
            attempt: 1,
            at: now,
            detail: Some(json!({ "source": self.source, "item": key })),
        };
        NewJob {
            job_id,
            pipeline: pipeline.name.clone(),
            pipeline_version: self.graph.version,
            dedupe: Some(Dedupe::new(key)),
            parent: None,
            start: Start::Inbox(Task { stage: stage.clone(), body: contract.to_bytes() }),
            events: vec![created],
        }
    }

    /// The task of a job that nothing happened to since it was made.
    async fn untouched(&self, job_id: &JobId) -> Result<Option<TaskRecord>, Error> {
        let store = &self.backend.store;
        if store.events(job_id).await?.len() != 1 {
            return Ok(None);
        }
        let filter = TaskFilter { job_id: Some(job_id.clone()), ..TaskFilter::first(1) };
        Ok(store.tasks(filter).await?.pop())
    }
}

/// The job's end, as one that failed where it is.
fn end(task: TaskRecord, version: u32, failure: &Failure, now: Timestamp) -> Settlement {
    let failed = Event {
        job_id: task.job_id.clone(),
        kind: EventKind::Failed,
        stage: task.stage.clone(),
        visit: 1,
        attempt: 1,
        at: now,
        detail: Some(json!(failure)),
    };
    Settlement {
        job_id: task.job_id,
        pipeline: task.pipeline,
        pipeline_version: version,
        ended: Ended::Task(task.task_id),
        next: Next::End { body: task.body, failure: Some(failure.clone()) },
        state: transition(JobState::Waiting, Step::Fail).unwrap_or(JobState::Failed),
        stage: task.stage,
        events: vec![failed],
        log: Vec::new(),
        children: Vec::new(),
    }
}
