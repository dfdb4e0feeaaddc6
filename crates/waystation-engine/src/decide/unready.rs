//! Deliveries that no attempt can be made at: unreadable ones, and those that this process is not
//! ready for.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::key::Key;
use waystation_core::settlement::{Delivery, Ended, Message, Next, Settlement, Turn};
use waystation_core::state::{JobState, Step, transition};

/// A delivery at a stage, with its contract where it could be read.
pub struct Unready<'a> {
    /// What was delivered.
    pub delivery: &'a Delivery,
    /// Of which pipeline.
    pub pipeline: &'a PipelineName,
    /// In the version that contracts without one are taken for.
    pub version: u32,
    /// At which stage.
    pub stage: &'a StageId,
    /// Its contract.
    pub contract: Option<&'a Contract>,
    /// The moment.
    pub now: Timestamp,
}

impl Unready<'_> {
    /// No process will ever be able to: it goes to the dead letters as it is.
    pub fn fail(&self, why: String) -> Settlement {
        let failure = Failure::new(ErrorKind::Contract, why);
        let failed = self.event(EventKind::Failed, json!(failure));
        let failure = failure.at(self.stage, failed.attempt);
        let next = Next::End { body: self.delivery.body.clone(), failure: Some(failure) };
        self.settlement(Step::Fail, next, vec![failed])
    }

    /// Another process may be: it goes back into its queue, hidden until a moment, and neither
    /// as a failure nor as a delivery is it counted.
    pub fn postpone(&self, why: &str, until: Timestamp) -> Settlement {
        let detail = json!({ "postponed": why, "not_before": until.to_string() });
        let postponed = self.event(EventKind::Retried, detail);
        let turn = self.delivery.key.clone().map(Turn::kept);
        let next = Next::Enqueue(self.again(Some(until), turn));
        self.settlement(Step::Retry, next, vec![postponed])
    }

    /// It came past the order of its stage: it goes behind all that have its key.
    pub fn line_up(&self, key: Key) -> Settlement {
        let next = Next::Enqueue(self.again(None, Some(Turn::last(key))));
        self.settlement(Step::Enqueue, next, Vec::new())
    }

    fn again(&self, not_before: Option<Timestamp>, turn: Option<Turn>) -> Message {
        Message {
            queue: self.delivery.lease.queue.clone(),
            stage: self.stage.clone(),
            priority: self.delivery.priority,
            not_before,
            turn,
            body: self.delivery.body.clone(),
        }
    }

    /// The engine ends: it goes back as if it had never been handed out.
    pub fn hand_back(&self) -> Settlement {
        self.settlement(Step::HandBack, Next::HandBack, Vec::new())
    }

    fn event(&self, kind: EventKind, detail: serde_json::Value) -> Event {
        Event {
            job_id: self.job_id(),
            kind,
            stage: self.stage.clone(),
            visit: self.contract.map_or(1, |contract| contract.visit),
            attempt: self.contract.map_or(1, |contract| contract.retry_count + 1),
            at: self.now,
            detail: Some(detail),
        }
    }

    fn settlement(&self, step: Step, next: Next, events: Vec<Event>) -> Settlement {
        Settlement {
            job_id: self.job_id(),
            pipeline: self.pipeline.clone(),
            pipeline_version: self.version(),
            ended: Ended::Delivery(self.delivery.lease.clone()),
            next,
            // Each step taken here is allowed from `running`.
            state: transition(JobState::Running, step).unwrap_or(JobState::Failed),
            stage: self.stage.clone(),
            events,
            log: Vec::new(),
            children: Vec::new(),
        }
    }

    fn version(&self) -> u32 {
        let told = self.contract.and_then(|contract| contract.pipeline_version);
        told.unwrap_or(self.version)
    }

    /// The job, where its contract could be read. The queue goes by the lease.
    fn job_id(&self) -> JobId {
        self.contract.map_or_else(|| JobId::from(""), |contract| contract.job_id.clone())
    }
}

/// The same settlement when the queue finds its body too large: the job fails with that.
pub fn refused_as_too_large(settlement: &Settlement, why: &str, now: Timestamp) -> Settlement {
    let mut failure = Failure::new(ErrorKind::Contract, why);
    let mut refused = settlement.clone();
    let body = match refused.next {
        Next::Enqueue(message) | Next::Await(message, _) => message.body,
        Next::Park(task) => task.body,
        Next::End { body, .. } => body,
        Next::HandBack | Next::Drop | Next::HandOver => Vec::new(),
    };
    // The attempt began; what it brought does not count.
    refused.events.truncate(1);
    if let Some(first) = refused.events.first().cloned() {
        refused.stage = first.stage.clone();
        let detail = Some(json!(failure));
        failure = failure.at(&first.stage, first.attempt);
        refused.events.push(Event { kind: EventKind::Failed, at: now, detail, ..first });
    }
    refused.children.clear();
    refused.state = JobState::Failed;
    refused.next = Next::End { body, failure: Some(failure) };
    refused
}
