//! What a job's page shows.

use std::sync::Arc;

use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{JobRecord, TaskFilter};
use waystation_core::pipeline::ParamsMode;
use waystation_core::port;
use waystation_core::state::JobState;
use waystation_engine::{DefinitionError, Graph};

use super::runs::{Run, runs, tell_running};
use crate::context::Context;

/// What a job's page shows.
pub struct Shown {
    /// The present moment.
    pub now: Timestamp,
    /// The job.
    pub job: JobRecord,
    /// Why it is where it is, in words.
    pub why: Vec<String>,
    /// Its stage runs.
    pub runs: Vec<Run>,
    /// Everything that happened.
    pub events: Vec<Event>,
    /// Everything that its attempts wrote.
    pub log: Vec<LogLine>,
    /// The task that waits, if one does.
    pub task_id: Option<i64>,
    /// Whether it has children.
    pub has_children: bool,
    /// Its pipeline, in its version; none where it cannot be read here.
    pub graph: Option<Arc<Graph>>,
    /// When it is to have ended.
    pub deadline: Option<Timestamp>,
}

/// Reads it; none when there is no such job.
pub async fn read(context: &Context, job_id: &JobId) -> Result<Option<Shown>, port::Error> {
    let store = &context.backend().store;
    let Some(explained) = context.client().why(job_id).await? else { return Ok(None) };
    let job = explained.job;
    let (events, log) = tokio::try_join!(store.events(job_id), store.log(job_id))?;
    let made = |event: &Event| event.detail.as_ref()?.get(Event::CHILDREN).cloned();
    let task_id = match job.state {
        JobState::Waiting => {
            let filter = TaskFilter { job_id: Some(job_id.clone()), ..TaskFilter::first(1) };
            store.tasks(filter).await?.first().map(|task| task.task_id)
        }
        _ => None,
    };
    let graph = match context.client().registry().graph(&job.pipeline, job.pipeline_version).await {
        Ok(graph) => Some(graph),
        Err(DefinitionError::Store(error)) => return Err(error),
        Err(_) => None,
    };
    let mode = |stage: &StageId| {
        let stage = graph.as_ref().and_then(|graph| graph.pipeline.stage(stage));
        stage.map_or(ParamsMode::Merge, |stage| stage.params)
    };
    let mut runs = runs(&events, &job.params, mode);
    tell_running(&mut runs, &job);
    let deadline = Contract::parse(&job.body).ok().and_then(|contract| contract.deadline);
    Ok(Some(Shown {
        now: context.now(),
        why: explained.words,
        has_children: events.iter().any(|event| made(event).is_some()),
        job,
        runs,
        events,
        log,
        task_id,
        graph,
        deadline,
    }))
}
