//! From a person's answer to the settlement of the task.

use serde_json::json;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::{self, Contract};
use waystation_core::event::{Event, EventKind};
use waystation_core::id::Label;
use waystation_core::job::TaskRecord;
use waystation_core::pipeline::ParamsMode;
use waystation_core::settlement::{Ended, Settlement};
use waystation_core::state::{JobState, transition};

use super::onward::{Leaving, NoWay};
use crate::graph::Graph;

/// What a person said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The form's fields.
    pub fields: Params,
    /// Who said it.
    pub by: Option<String>,
}

/// Why an answer is not taken. The task stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not fit the form.
    #[error("answer does not fit the form: {0}")]
    Form(String),
    /// The stage is not in the pipeline any more.
    #[error("stage `{0}` is not a manual stage of this job's pipeline")]
    NoStage(String),
    /// The task's contract cannot be read.
    #[error(transparent)]
    Contract(#[from] contract::Error),
    /// The answer leads nowhere, or makes the contract too large.
    #[error(transparent)]
    NoWay(#[from] NoWay),
}

/// Decides what becomes of a job whose task was answered.
pub fn settle_answer(
    graph: &Graph,
    task: &TaskRecord,
    answer: Answer,
    now: Timestamp,
    bytes_max: usize,
) -> Result<Settlement, Refusal> {
    let no_stage = || Refusal::NoStage(task.stage.to_string());
    let stage = graph.pipeline.stage(&task.stage).ok_or_else(no_stage)?;
    let problems = stage.form.check(&answer.fields);
    if !problems.is_empty() {
        return Err(Refusal::Form(problems.join("; ")));
    }
    let mut contract = Contract::parse(&task.body)?;
    let detail = json!({ "answer": answer.fields, "by": answer.by });
    let completed = Event {
        job_id: task.job_id.clone(),
        kind: EventKind::Completed,
        stage: task.stage.clone(),
        visit: contract.visit,
        attempt: contract.retry_count + 1,
        at: now,
        detail: Some(detail),
    };
    match stage.params {
        ParamsMode::Merge => contract.params.extend(answer.fields),
        ParamsMode::Replace => contract.params = answer.fields,
    }
    let leaving =
        Leaving { graph, stage: &task.stage, label: &Label::ok(), priority: 0, at: now, bytes_max };
    let gone = leaving.take_on(contract)?;
    let events = [completed].into_iter().chain(gone.waiting).collect();
    Ok(Settlement {
        job_id: task.job_id.clone(),
        pipeline: task.pipeline.clone(),
        pipeline_version: graph.version,
        ended: Ended::Task(task.task_id),
        next: gone.next,
        // Every step taken here is allowed from `waiting`.
        state: transition(JobState::Waiting, gone.step).unwrap_or(JobState::Waiting),
        stage: gone.stage,
        events,
        log: Vec::new(),
        children: gone.children,
    })
}
