//! What a person decides about a dead letter.

use waystation_core::clock::Timestamp;
use waystation_core::contract::{self, Contract};
use waystation_core::event::{Event, EventKind};
use waystation_core::job::DeadLetterRecord;
use waystation_core::settlement::{Ended, Next, Settlement};
use waystation_core::state::{JobState, Step, transition};

use super::hand_to;
use crate::graph::Graph;

/// Tries the job again at the stage where it failed: a new epoch of attempts, which is a new stage
/// run, so that no attempt of the old one is taken for one of the new. It goes on with the steps of
/// the one that failed. A deadline that has come holds no longer: whoever wants the job tried again
/// knows that it is late.
pub fn settle_requeue(
    graph: &Graph,
    letter: &DeadLetterRecord,
    now: Timestamp,
) -> Result<Settlement, contract::Error> {
    let mut contract = Contract::parse(&letter.body)?;
    let requeued = event(letter, &contract, EventKind::Requeued, now);
    contract.open_epoch();
    contract.deadline = contract.deadline.filter(|deadline| *deadline > now);
    let (step, next) = hand_to(graph, &letter.stage, contract.to_bytes(), 0);
    let queued = transition(JobState::Failed, Step::Requeue).unwrap_or(JobState::Queued);
    let state = if step == Step::Park { JobState::Waiting } else { queued };
    Ok(Settlement {
        job_id: letter.job_id.clone(),
        pipeline: letter.pipeline.clone(),
        pipeline_version: graph.version,
        ended: Ended::DeadLetter(letter.dead_letter_id),
        next,
        state,
        stage: letter.stage.clone(),
        events: vec![requeued],
        log: Vec::new(),
        children: Vec::new(),
    })
}

/// Drops the letter. The job stays failed.
pub fn settle_drop(letter: &DeadLetterRecord, now: Timestamp) -> Settlement {
    // A letter that is no contract is dropped as well.
    let contract = Contract::parse(&letter.body)
        .unwrap_or_else(|_| Contract::new(letter.job_id.clone(), waystation_core::Params::new()));
    Settlement {
        job_id: letter.job_id.clone(),
        pipeline: letter.pipeline.clone(),
        pipeline_version: contract.pipeline_version.unwrap_or(0),
        ended: Ended::DeadLetter(letter.dead_letter_id),
        next: Next::Drop,
        state: JobState::Failed,
        stage: letter.stage.clone(),
        events: vec![event(letter, &contract, EventKind::Dropped, now)],
        log: Vec::new(),
        children: Vec::new(),
    }
}

fn event(letter: &DeadLetterRecord, contract: &Contract, kind: EventKind, now: Timestamp) -> Event {
    Event {
        job_id: letter.job_id.clone(),
        kind,
        stage: letter.stage.clone(),
        visit: contract.visit,
        attempt: contract.retry_count + 1,
        at: now,
        detail: None,
    }
}
