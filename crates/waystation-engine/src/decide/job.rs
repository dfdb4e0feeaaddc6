//! From what somebody wants done to a new job.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{JobId, StageId};
use waystation_core::pipeline::StageKind;
use waystation_core::settlement::{Dedupe, NewJob, Next, Priority, Start};
use waystation_core::trace::Traceparent;

use super::hand_to;
use crate::graph::Graph;

/// What is to be done.
pub struct Plan {
    /// The job's id.
    pub job_id: JobId,
    /// Its params.
    pub params: waystation_core::Params,
    /// Where it starts.
    pub entry: StageId,
    /// Whether that is another stage than where jobs of this pipeline start by themselves.
    pub entry_is_explicit: bool,
    /// After which stage it ends early.
    pub exit: Option<StageId>,
    /// What makes it one with other jobs.
    pub dedupe: Option<Dedupe>,
    /// Higher runs first.
    pub priority: Priority,
    /// Not before this moment.
    pub not_before: Option<Timestamp>,
    /// When it is to have ended.
    pub deadline: Option<Timestamp>,
    /// Who submits it, where that is known.
    pub by: Option<String>,
    /// The trace that it belongs to.
    pub traceparent: Option<Traceparent>,
}

/// Makes the new job. `source` is the stage that found it, when one did.
pub fn new_job(graph: &Graph, plan: Plan, source: Option<&StageId>, now: Timestamp) -> NewJob {
    let pipeline = &graph.pipeline;
    let mut contract = Contract::new(plan.job_id.clone(), plan.params);
    contract.pipeline = Some(pipeline.name.clone());
    contract.pipeline_version = Some(graph.version);
    contract.entry_stage = plan.entry_is_explicit.then(|| plan.entry.clone());
    contract.exit_stage = plan.exit;
    contract.deadline = plan.deadline;
    if let Some(traceparent) = &plan.traceparent {
        contract.set_traceparent(traceparent);
    }
    let (_, next) = hand_to(graph, &plan.entry, &contract, plan.priority);
    let created = Event {
        job_id: plan.job_id.clone(),
        kind: EventKind::Created,
        stage: plan.entry.clone(),
        visit: 1,
        attempt: 1,
        at: now,
        detail: match source {
            Some(stage) => {
                let key = plan.dedupe.as_ref().map(|dedupe| &dedupe.key);
                Some(json!({ "source": stage, "item": key }))
            }
            None => plan.by.map(|by| json!({ "by": by })),
        },
    };
    let mut events = vec![created.clone()];
    if plan.entry_is_explicit {
        events.extend(skipped(graph, &plan.entry, &created));
    }
    let start = match next {
        Next::Park(task) => {
            events.push(Event { kind: EventKind::Waiting, detail: None, ..created });
            Start::Inbox(task)
        }
        Next::Enqueue(mut message) => {
            message.not_before = plan.not_before;
            Start::Queue(message)
        }
        // `hand_to` gives no others.
        Next::Await(..) | Next::HandBack | Next::End { .. } | Next::Drop | Next::HandOver => {
            unreachable!("a new job starts somewhere")
        }
    };
    NewJob {
        job_id: plan.job_id,
        pipeline: pipeline.name.clone(),
        pipeline_version: graph.version,
        dedupe: plan.dedupe,
        parent: None,
        start,
        events,
    }
}

/// The stages before the one that a job begins at. Sources are none of its stages.
fn skipped(graph: &Graph, entry: &StageId, created: &Event) -> Vec<Event> {
    let before = graph.pipeline.before(entry);
    let passed = before.filter(|stage| graph.kind(stage) != Some(StageKind::Source));
    let event = |stage: &StageId| Event {
        kind: EventKind::Skipped,
        stage: stage.clone(),
        detail: None,
        ..created.clone()
    };
    passed.map(event).collect()
}
