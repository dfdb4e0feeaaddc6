//! The journal: what workers on a broker tell the ledger, in the form that it has on the wire.
//!
//! A broker cannot commit a hop together with the job's state. Its workers write an [`Entry`] for
//! each settlement instead, durably and before they acknowledge, and the tracker applies the
//! entries to the ledger. An entry may come twice, late, or out of order: [`verdict`] tells what
//! still holds of it, by the step that was taken.

mod verdict;
mod wire;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Params;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};
use crate::settlement::{Ended, NewJob, Next, Settlement};
use crate::state::JobState;

pub use verdict::{Standing, Verdict, verdict};
pub use wire::{Unreadable, decode, encode, encode_created, encode_settlement, part};

/// What a worker tells of one attempt at a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The job.
    pub job_id: JobId,
    /// The pipeline and the version that the job is on; foreign stages do not know them.
    pub origin: Option<(PipelineName, u32)>,
    /// The attempt that is told of.
    pub step: Step,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// What the attempt said.
    pub log: Vec<LogLine>,
    /// What became of the job.
    pub change: Change,
    /// The jobs that it makes.
    pub children: Vec<NewJob>,
}

/// Names an attempt of a job: a repetition has the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage.
    pub stage: StageId,
    /// In which stage run of the job. Foreign stages do not know it.
    pub visit: Option<u32>,
    /// In which attempt of that run.
    pub attempt: u32,
    /// When it happened, by the clock of whoever tells.
    pub at: Timestamp,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It was submitted straight to the broker.
    Created {
        /// Where it waits.
        next: Next,
    },
    /// A worker has it since then.
    Running,
    /// Its delivery was settled.
    Landed {
        /// Its state from now on.
        state: JobState,
        /// The stage at which it is from now on.
        stage: StageId,
        /// Where it is.
        next: Next,
    },
    /// Nothing yet: the settlement's last event tells it.
    Part,
    /// A foreign stage tells how its attempt ended, and leaves to the pipeline what follows.
    Told {
        /// How.
        kind: EventKind,
        /// What it gave.
        response: Params,
        /// Why it failed, if it did.
        failure: Option<Failure>,
    },
}

impl Entry {
    /// The entry of a settlement that a broker carried out. Where the delivery could not be read,
    /// and so belongs to nobody, its job gets an id of its own: the same one however often this
    /// settlement is asked for, so that the ledger knows the repetition.
    pub fn of(settlement: &Settlement, now: Timestamp) -> Self {
        let mut settlement = settlement.clone();
        if settlement.job_id.as_str().is_empty() {
            settlement.job_id = unreadable_id(&settlement);
            for event in &mut settlement.events {
                event.job_id = settlement.job_id.clone();
            }
        }
        let first = settlement.events.first();
        let step = Step {
            stage: first.map_or(&settlement.stage, |event| &event.stage).clone(),
            visit: first.map(|event| event.visit),
            attempt: first.map_or(1, |event| event.attempt),
            at: first.map_or(now, |event| event.at),
        };
        Self {
            job_id: settlement.job_id,
            origin: Some((settlement.pipeline, settlement.pipeline_version)),
            step,
            events: settlement.events,
            log: settlement.log,
            change: Change::Landed {
                state: settlement.state,
                stage: settlement.stage,
                next: settlement.next,
            },
            children: settlement.children,
        }
    }

    /// When it happened: an attempt ends with its last event.
    pub fn told_at(&self) -> Timestamp {
        self.events.last().map_or(self.step.at, |event| event.at)
    }

    /// The same entry, in a stage run that its teller did not know.
    #[must_use]
    pub fn in_visit(mut self, visit: u32) -> Self {
        self.step.visit = Some(visit);
        for event in &mut self.events {
            event.visit = visit;
        }
        self
    }
}

/// The id of what could not be read: when that was found out, and a hash of what was delivered to
/// whom. The hash need not outlive this program, since nobody else asks for the settlement again.
fn unreadable_id(settlement: &Settlement) -> JobId {
    let mut hasher = DefaultHasher::new();
    if let Ended::Delivery(lease) = &settlement.ended {
        lease.hash(&mut hasher);
    }
    match &settlement.next {
        Next::End { body, .. } => body.hash(&mut hasher),
        Next::Enqueue(message) | Next::Await(message, _) => message.body.hash(&mut hasher),
        Next::Park(task) => task.body.hash(&mut hasher),
        Next::HandBack | Next::Drop | Next::HandOver => {}
    }
    let found_at = settlement.events.first().map_or(0, |event| event.at.0);
    JobId::new(format!("unreadable-{found_at}-{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::Lease;

    fn unread(delivery_id: i64, body: &[u8]) -> Settlement {
        let (job_id, stage) = (JobId::from(""), StageId::from("predict"));
        let failed = Event {
            job_id: job_id.clone(),
            kind: EventKind::Failed,
            stage: stage.clone(),
            visit: 1,
            attempt: 1,
            at: Timestamp(1_700_000_000_123),
            detail: None,
        };
        Settlement {
            job_id,
            pipeline: "images".into(),
            pipeline_version: 1,
            ended: Ended::Delivery(Lease { queue: "predictions".into(), delivery_id, token: 1 }),
            next: Next::End { body: body.to_vec(), failure: None },
            state: JobState::Failed,
            stage,
            events: vec![failed],
            log: Vec::new(),
            children: Vec::new(),
        }
    }

    #[test]
    fn unreadable_delivery_has_one_id_however_often_it_is_settled() {
        let entry = |delivery_id, body, now| Entry::of(&unread(delivery_id, body), Timestamp(now));
        let first = entry(7, b"no contract", 1);
        assert!(first.job_id.as_str().starts_with("unreadable-1700000000123-"), "{first:?}");
        assert_eq!(first.events[0].job_id, first.job_id);
        assert_eq!(entry(7, b"no contract", 2), first, "asked for again, later");
        let others = [entry(8, b"no contract", 1), entry(7, b"none either", 1)];
        for other in others {
            assert_ne!(other.job_id, first.job_id);
        }
    }
}
