//! The journal: what workers on a broker tell the ledger, in the form that it has on the wire.
//!
//! A broker cannot commit a hop together with the job's state. Its workers write an [`Entry`] for
//! each settlement instead, durably and before they acknowledge, and the tracker applies the
//! entries to the ledger. An entry may come twice, late, or out of order: [`verdict`] tells what
//! still holds of it, by the step that was taken.

mod verdict;
mod wire;

use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};
use crate::settlement::{Next, Settlement};
use crate::state::JobState;
use crate::{Params, contract};

pub use verdict::{Standing, Verdict, verdict};
pub use wire::{Unreadable, decode, encode, encode_created, part};

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
    /// and so belongs to nobody, its job gets an id of its own.
    pub fn of(settlement: &Settlement, now: Timestamp) -> Self {
        let mut settlement = settlement.clone();
        if settlement.job_id.as_str().is_empty() {
            settlement.job_id = JobId::new(format!("unreadable-{}", JobId::generate()));
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

/// The stage run and the attempt that a contract on its way is for; `None` when it is none.
pub fn awaited(body: &[u8]) -> Option<(u32, u32)> {
    let contract = contract::Contract::parse(body).ok()?;
    Some((contract.visit, contract.retry_count.saturating_add(1)))
}
