//! The one act that ends a delivery: what to forward, which events, what state.
//!
//! A settlement is a value. Adapters that are queue and store at once commit it whole; brokers
//! carry it out in the safe order.

mod family;
pub mod priority;
mod submitting;
mod turn;

use serde_json::json;

use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::{ErrorKind, Failure};
use crate::id::{JobId, PipelineName, QueueName, StageId};
use crate::key::Key;
use crate::state::JobState;

pub use family::{Parent, Quorum, Tally};
pub use priority::Priority;
pub use submitting::{Admission, Dedupe, OnDuplicate, Rejected, Submitted};
pub use turn::Turn;

/// A contract on its way into a stage's queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The queue it goes to.
    pub queue: QueueName,
    /// The stage that reads the queue.
    pub stage: StageId,
    /// Higher runs first.
    pub priority: Priority,
    /// Not to be delivered before this moment.
    pub not_before: Option<Timestamp>,
    /// Its turn among those of its key, where the stage tells jobs apart by one.
    pub turn: Option<Turn>,
    /// The contract's wire form.
    pub body: Vec<u8>,
}

/// A contract on its way into the inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The manual stage.
    pub stage: StageId,
    /// The contract's wire form.
    pub body: Vec<u8>,
}

/// The right to settle one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The queue that the delivery came from.
    pub queue: QueueName,
    /// The delivery within it.
    pub delivery_id: i64,
    /// Fences: a later lease on the same delivery has another token, and this one is refused.
    pub token: u64,
}

/// A contract handed to one worker under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The right to settle it.
    pub lease: Lease,
    /// The contract's wire form.
    pub body: Vec<u8>,
    /// Higher runs first.
    pub priority: Priority,
    /// What it is told apart by from others of its queue, where it is.
    pub key: Option<Key>,
    /// How often it was handed out, this time included. Handing back does not count.
    pub deliveries: u32,
    /// When it came into the queue.
    pub enqueued_at: Timestamp,
}

/// What a settlement ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// A delivery under a lease.
    Delivery(Lease),
    /// A task in the inbox, by its number.
    Task(i64),
    /// A dead letter, by its number.
    DeadLetter(i64),
}

/// What becomes of the job.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// It goes into the queue of its next stage, or back into the same one with another body.
    Enqueue(Message),
    /// It waits in the inbox.
    Park(Task),
    /// It waits for its children. The message lies in its queue, out of every receiver's reach,
    /// until enough of them have ended.
    Await(Message, Quorum),
    /// The delivery returns to its queue as it is, and this handing out is not counted.
    HandBack,
    /// It ends. Its last contract is kept with it.
    End {
        /// The last contract's wire form.
        body: Vec<u8>,
        /// Why it failed: such a job lies with the dead letters.
        failure: Option<Failure>,
    },
    /// Nothing but the end of the dead letter: the job stays failed.
    Drop,
    /// A broker has the message now, and keeps it. The ledger remembers what was handed over until
    /// the journal tells what became of it, and with it an abort that was asked for meanwhile.
    HandOver,
}

impl Next {
    /// Whether an abort that somebody asked for meanwhile comes first. It does not where the job
    /// ends anyway, nor where a broker has it already.
    pub fn yields_to_abort(&self) -> bool {
        matches!(self, Self::Enqueue(_) | Self::Park(_) | Self::Await(..) | Self::HandBack)
    }
}

/// The one act that ends a delivery, a task or a dead letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The job.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The version that it stays on.
    pub pipeline_version: u32,
    /// What it ends.
    pub ended: Ended,
    /// What becomes of the job.
    pub next: Next,
    /// The job's state from now on, as the transition function gave it.
    pub state: JobState,
    /// The stage at which the job is from now on.
    pub stage: StageId,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// What the attempt said.
    pub log: Vec<LogLine>,
    /// The jobs that it makes, in the order of their positions: created with it, or not at all.
    /// One whose id is taken by another job counts as a child that failed.
    pub children: Vec<NewJob>,
}

/// What came of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It holds: everything in it is durable.
    Applied,
    /// It holds as an abort: somebody had asked for one while the attempt ran.
    Aborted,
    /// Nothing of it holds: the lease, task or dead letter is no longer there to be ended.
    Lost,
}

impl Settlement {
    /// Whether an abort that somebody asked for meanwhile comes first. It does also where the job
    /// ends, but would make others.
    pub fn yields_to_abort(&self) -> bool {
        let ends_well = matches!(self.next, Next::End { failure: None, .. });
        self.next.yields_to_abort() || (ends_well && !self.children.is_empty())
    }

    /// Why this settlement can mean nothing, if so: only a delivery can be handed back or over,
    /// and only a dead letter can be dropped. Every queue refuses such a batch before it writes.
    pub fn senseless(&self) -> Option<&'static str> {
        match (&self.ended, &self.next) {
            (Ended::Task(_) | Ended::DeadLetter(_), Next::HandBack) => {
                Some("only a delivery can be handed back")
            }
            (Ended::Task(_) | Ended::DeadLetter(_), Next::HandOver) => {
                Some("only a delivery can be handed over to a broker")
            }
            (Ended::Delivery(_) | Ended::Task(_), Next::Drop) => {
                Some("only a dead letter can be dropped")
            }
            _ => None,
        }
    }

    /// The same end, but for a job that somebody wants aborted: it goes nowhere else, and stays at
    /// the stage that it was at. A job that ends anyway ends as it would have. `held` is the body
    /// that was delivered, which a delivery that is handed back keeps.
    #[must_use]
    pub fn overruled_by_abort(mut self, reason: &str, at: Timestamp, held: Vec<u8>) -> Self {
        let makes_others = !self.children.is_empty();
        let body = match self.next {
            Next::End { body, failure: None } if makes_others => body,
            Next::End { .. } | Next::Drop | Next::HandOver => return self,
            Next::Enqueue(message) | Next::Await(message, _) => message.body,
            Next::Park(task) => task.body,
            Next::HandBack => held,
        };
        // Neither of the two comes to pass.
        let untrue = [EventKind::Waiting, EventKind::HandedBack];
        self.events.retain(|event| !untrue.contains(&event.kind));
        self.events.iter_mut().for_each(Event::forget_children);
        // The first event is of the attempt itself; later ones may be of the next stage.
        let (visit, attempt) = match self.events.first() {
            Some(first) => {
                self.stage = first.stage.clone();
                (first.visit, first.attempt)
            }
            None => (1, 1),
        };
        self.events.push(Event {
            job_id: self.job_id.clone(),
            kind: EventKind::Aborted,
            stage: self.stage.clone(),
            visit,
            attempt,
            at,
            detail: Some(json!({ "reason": reason })),
        });
        self.children.clear();
        self.state = JobState::Aborted;
        self.next = Next::End { body, failure: Some(Failure::new(ErrorKind::Aborted, reason)) };
        self
    }
}

/// A job that is about to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The version that it stays on.
    pub pipeline_version: u32,
    /// What makes it one with other jobs of its pipeline, if anything does beside its id.
    pub dedupe: Option<Dedupe>,
    /// Whose child it is, when it came of a fan-out.
    pub parent: Option<Parent>,
    /// Where it starts.
    pub start: Start,
    /// What is known of it from the beginning.
    pub events: Vec<Event>,
}

/// Where a new job starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// In a stage's queue.
    Queue(Message),
    /// In the inbox, because its first stage is manual.
    Inbox(Task),
}
