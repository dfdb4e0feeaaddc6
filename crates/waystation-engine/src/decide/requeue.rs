//! What a person decides about a dead letter.

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::{self, Contract};
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::Failure;
use waystation_core::id::StageId;
use waystation_core::job::DeadLetterRecord;
use waystation_core::pipeline::StageKind;
use waystation_core::settlement::{Ended, Next, Settlement};
use waystation_core::state::{JobState, Step, transition};

use super::{check_key, check_required, hand_to};
use crate::graph::Graph;

/// How a failed job is tried again.
pub struct Requeue {
    /// From this stage on; from where it failed unless given.
    pub from: Option<StageId>,
    /// With these params in the place of its own.
    pub params: Option<Params>,
    /// Who wants it.
    pub by: Option<String>,
    /// When.
    pub now: Timestamp,
    /// The largest contract that the queue takes.
    pub bytes_max: usize,
}

/// Why a failed job cannot be tried again so. Its letter stays.
#[derive(Debug, thiserror::Error)]
pub enum NoRequeue {
    /// What lies there is no contract.
    #[error(transparent)]
    Contract(#[from] contract::Error),
    /// No job of its version comes to the stage.
    #[error("its pipeline has no stage `{stage}` that jobs come to (its stages: {known})")]
    UnknownStage {
        /// What was named.
        stage: StageId,
        /// What there is.
        known: String,
    },
    /// It would never come to the stage that it is to end after.
    #[error("from stage `{from}` on it never comes to its exit stage `{exit}`")]
    Exit {
        /// Where it was to go on.
        from: StageId,
        /// After which stage it is to end.
        exit: StageId,
    },
    /// The new params are not what the stage takes.
    #[error("{0}")]
    Params(Failure),
    /// The new params are more than the queue takes.
    #[error(
        "its contract would be {bytes} bytes, more than the {bytes_max} allowed (hint: put large \
         values into files or blobs, and where they are into the params)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

/// Tries the job again, at the stage where it failed unless another one is named: a new epoch of
/// attempts, which is a new stage run, so that no attempt of the old one is taken for one of the
/// new. It goes on with the steps of the one that failed, unless it begins elsewhere or its params
/// were edited: steps that were made of others say nothing then. A deadline that has come holds no
/// longer: whoever wants the job tried again knows that it is late.
pub fn settle_requeue(
    graph: &Graph,
    letter: &DeadLetterRecord,
    requeue: Requeue,
) -> Result<Settlement, NoRequeue> {
    let Requeue { from, params, by, now, bytes_max } = requeue;
    let mut contract = Contract::parse(&letter.body)?;
    let elsewhere = from.filter(|from| *from != letter.stage);
    let is_edited = params.is_some();
    let detail = told(by.as_deref(), elsewhere.as_ref(), is_edited);
    let requeued = event(letter, &contract, EventKind::Requeued, detail, now);
    contract.open_epoch();
    contract.deadline = contract.deadline.filter(|deadline| *deadline > now);
    if is_edited || elsewhere.is_some() {
        contract.forget_epochs();
    }
    if let Some(from) = &elsewhere {
        go_back(graph, from, &mut contract)?;
    }
    let stage = elsewhere.unwrap_or_else(|| letter.stage.clone());
    if let Some(params) = params {
        contract.params = params;
        // At a join the children may still give what is not there yet.
        if let Some(stage) = graph.pipeline.stage(&stage).filter(|_| contract.gathered.is_none()) {
            check_required(stage, &contract.params).map_err(NoRequeue::Params)?;
            check_key(stage, &contract.params).map_err(NoRequeue::Params)?;
        }
    }
    let bytes = contract.to_bytes().len();
    if is_edited && bytes > bytes_max {
        return Err(NoRequeue::TooLarge { bytes, bytes_max });
    }
    let (step, next) = hand_to(graph, &stage, &contract, 0);
    let queued = transition(JobState::Failed, Step::Requeue).unwrap_or(JobState::Queued);
    let state = if step == Step::Park { JobState::Waiting } else { queued };
    Ok(Settlement {
        job_id: letter.job_id.clone(),
        pipeline: letter.pipeline.clone(),
        pipeline_version: graph.version,
        ended: Ended::DeadLetter(letter.dead_letter_id),
        next,
        state,
        stage,
        events: vec![requeued],
        log: Vec::new(),
        children: Vec::new(),
    })
}

/// Makes the contract one that begins at another stage.
fn go_back(graph: &Graph, from: &StageId, contract: &mut Contract) -> Result<(), NoRequeue> {
    let pipeline = &graph.pipeline;
    let comes_there = |id: &StageId| graph.kind(id).is_some_and(|kind| kind != StageKind::Source);
    if !comes_there(from) {
        let stages = pipeline.stages.iter().map(|stage| &stage.id);
        let known: Vec<_> = stages.filter(|id| comes_there(id)).map(StageId::as_str).collect();
        return Err(NoRequeue::UnknownStage { stage: from.clone(), known: known.join(", ") });
    }
    if let Some(exit) = contract.exit_stage.as_ref().filter(|exit| *exit != from)
        && !pipeline.goes_itself(from).contains(exit)
    {
        return Err(NoRequeue::Exit { from: from.clone(), exit: exit.clone() });
    }
    // Stages before its entry would pass it by.
    contract.entry_stage =
        contract.entry_stage.take().filter(|entry| !pipeline.is_before(from, entry));
    // What its children gave was for the stage where it failed.
    contract.gathered = None;
    Ok(())
}

/// What the event tells of how the job is tried again.
fn told(by: Option<&str>, from: Option<&StageId>, is_edited: bool) -> Option<Value> {
    let mut detail = Params::new();
    if let Some(by) = by {
        detail.insert("by".to_owned(), json!(by));
    }
    if let Some(from) = from {
        detail.insert("from".to_owned(), json!(from));
    }
    if is_edited {
        detail.insert("edited".to_owned(), json!(true));
    }
    (!detail.is_empty()).then_some(Value::Object(detail))
}

/// Drops the letter. The job stays failed.
pub fn settle_drop(letter: &DeadLetterRecord, by: Option<&str>, now: Timestamp) -> Settlement {
    // A letter that is no contract is dropped as well.
    let contract = Contract::parse(&letter.body)
        .unwrap_or_else(|_| Contract::new(letter.job_id.clone(), Params::new()));
    let dropped = event(letter, &contract, EventKind::Dropped, told(by, None, false), now);
    Settlement {
        job_id: letter.job_id.clone(),
        pipeline: letter.pipeline.clone(),
        pipeline_version: contract.pipeline_version.unwrap_or(0),
        ended: Ended::DeadLetter(letter.dead_letter_id),
        next: Next::Drop,
        state: JobState::Failed,
        stage: letter.stage.clone(),
        events: vec![dropped],
        log: Vec::new(),
        children: Vec::new(),
    }
}

fn event(
    letter: &DeadLetterRecord,
    contract: &Contract,
    kind: EventKind,
    detail: Option<Value>,
    now: Timestamp,
) -> Event {
    Event {
        job_id: letter.job_id.clone(),
        kind,
        stage: letter.stage.clone(),
        visit: contract.visit,
        attempt: contract.retry_count + 1,
        at: now,
        detail,
    }
}
