//! Why a job is where it is, and what it waits for: from facts to reasons, without asking anybody.

mod facts;
mod span;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, QueueName, StageId};
use waystation_core::key::Key;
use waystation_core::state::JobState;

use crate::control::Target;

pub use facts::{Facts, StageFacts};

/// One reason. The first of a list is the one that matters most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// A worker has it.
    Running {
        /// The stage.
        stage: StageId,
        /// Which attempt.
        attempt: u32,
        /// Since when.
        since: Timestamp,
        /// Which worker, where one tells so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
        /// Until when its worker has it unless it says that it goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leased_until: Option<Timestamp>,
        /// Nobody who tells of himself has it: its worker may have died, and then a broker hands it
        /// out again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_missed: bool,
    },
    /// An attempt failed, and the next one is due.
    RetryDue {
        /// The stage.
        stage: StageId,
        /// Which attempt failed.
        attempt: u32,
        /// How many there are, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempts_max: Option<u32>,
        /// When.
        due: Timestamp,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// It was put back, uncounted, by a process that could not work on it.
    Postponed {
        /// When it comes up again.
        due: Timestamp,
        /// Why it was put back.
        reason: String,
    },
    /// It is not to begin before a moment.
    Delayed {
        /// Which.
        until: Timestamp,
    },
    /// A person is to answer.
    AtInbox {
        /// The task.
        task_id: i64,
        /// The stage.
        stage: StageId,
        /// Since when.
        since: Timestamp,
        /// Whose it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
        /// When it is to be answered at the latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
    },
    /// It waits for its children.
    Join {
        /// The stage at which they come together.
        stage: StageId,
        /// How many there are, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        children: Option<u32>,
        /// How many completed.
        completed: u32,
        /// How many failed.
        failed: u32,
        /// So many more must end before it goes on, unless so many fail that it does at once.
        needed: u32,
    },
    /// Somebody wants it aborted, and whoever meets it next does so.
    AbortWanted {
        /// Why, and by whom where that was told.
        reason: String,
    },
    /// Somebody paused what it waits for.
    Paused {
        /// What.
        target: Target,
        /// Who.
        by: String,
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Nobody is known to work at its stage.
    Unserved {
        /// The stage.
        stage: StageId,
        /// Who would.
        by: Doer,
    },
    /// It waits its turn.
    InQueue {
        /// The queue.
        queue: QueueName,
        /// How many wait there, this one among them, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ready: Option<u64>,
        /// How many begin there a minute, of late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per_minute: Option<f64>,
    },
    /// Others of its key go before it.
    Behind {
        /// The key.
        key: Key,
        /// The job that goes first.
        first: JobId,
        /// How many go before it, that one among them.
        ahead: u64,
    },
    /// A broker has it, or will in a moment.
    Away {
        /// Its queue there.
        queue: QueueName,
        /// How many wait there or before it, this one among them, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ready: Option<u64>,
        /// How many begin there a minute, of late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per_minute: Option<f64>,
    },
    /// It failed, and nobody tries it again by himself.
    Failed {
        /// The stage.
        stage: StageId,
        /// When.
        at: Timestamp,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Whether its dead letter is still there to be tried again.
        can_retry: bool,
    },
    /// Somebody ended it.
    Aborted {
        /// When.
        at: Timestamp,
        /// Why, and by whom where that was told.
        reason: String,
    },
    /// It came to its end.
    Completed {
        /// When.
        at: Timestamp,
    },
    /// There was nothing to do.
    Skipped {
        /// When.
        at: Timestamp,
    },
    /// It was on its way while it was looked at.
    Moving,
}

/// Who does the work of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doer {
    /// A process with an engine.
    Engine,
    /// A program that asks a server for work.
    Remote,
    /// A program that is none of ours.
    Foreign,
}

/// The reasons, the one that matters most first. Never none.
pub fn why(facts: &Facts) -> Vec<Why> {
    let job = &facts.job;
    let wanted = facts.abort_wanted.clone().map(|reason| Why::AbortWanted { reason });
    let wanted = wanted.filter(|_| !job.state.is_terminal());
    wanted.into_iter().chain(where_it_is(facts)).collect()
}

fn where_it_is(facts: &Facts) -> Vec<Why> {
    let job = &facts.job;
    match job.state {
        JobState::Running => vec![facts.running()],
        JobState::Waiting => vec![facts.waiting()],
        JobState::Ready | JobState::Queued | JobState::Retrying | JobState::Delayed => {
            facts.obstacles().into_iter().chain([facts.turn()]).collect()
        }
        JobState::Completed => vec![Why::Completed { at: job.updated_at }],
        JobState::Skipped => vec![Why::Skipped { at: job.updated_at }],
        JobState::Aborted => vec![facts.aborted()],
        JobState::Failed => vec![facts.failed()],
    }
}
