//! From a person's answer to the settlement of the task.

use serde_json::json;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::{self, Contract};
use waystation_core::event::{Event, EventKind};
use waystation_core::id::Label;
use waystation_core::job::TaskRecord;
use waystation_core::pipeline::{NoRoute, Onward, ParamsMode};
use waystation_core::settlement::{Ended, Next, Settlement};
use waystation_core::state::{JobState, Step, transition};

use super::hand_to;
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
    /// The answer leads nowhere.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// The contract would be too large.
    #[error("the contract would be {bytes} bytes with this answer, more than {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
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
    let exit = contract.exit_stage.as_ref();
    let onward = graph.pipeline.onward(&task.stage, exit, &Label::ok(), &contract.params)?;
    contract.visit += u32::from(onward != Onward::Done);
    let body = contract.to_bytes();
    let bytes = body.len();
    if bytes > bytes_max {
        return Err(Refusal::TooLarge { bytes, bytes_max });
    }
    let mut events = vec![completed.clone()];
    let (step, next, stage) = match onward {
        Onward::Done => (Step::Complete, Next::End { body, failure: None }, task.stage.clone()),
        Onward::To(stage) => {
            let (step, next) = hand_to(graph, &stage, body, 0);
            if step == Step::Park {
                events.push(Event {
                    kind: EventKind::Waiting,
                    stage: stage.clone(),
                    visit: contract.visit,
                    detail: None,
                    ..completed
                });
            }
            (step, next, stage)
        }
    };
    Ok(Settlement {
        job_id: task.job_id.clone(),
        pipeline: task.pipeline.clone(),
        pipeline_version: graph.version,
        ended: Ended::Task(task.task_id),
        next,
        // Every step taken here is allowed from `waiting`.
        state: transition(JobState::Waiting, step).unwrap_or(JobState::Waiting),
        stage,
        events,
        log: Vec::new(),
    })
}
