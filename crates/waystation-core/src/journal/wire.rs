//! The wire form of the journal: JSON events that a foreign program can read and write.
//!
//! The queue's name, `job_events`, and the kinds `started`, `completed`, `failed` and `skipped` are
//! mda-common's.
//!
//! `event`, `job_id`, `stage`, `timestamp`, `attempt`, and `response` or `error` are common to all
//! who speak it. The rest is ours, optional and additive: `visit`, `pipeline`, `pipeline_version`,
//! `detail`, and, with the last event of a settlement, `job`: what became of the job.

mod child;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use read::{Unreadable, decode, part};
pub use write::{encode, encode_created, encode_settlement};

/// Where a job is.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Queue,
    Inbox,
    /// In its queue, until enough of its children have ended.
    Join,
    End,
    /// Where it was: the delivery was handed back.
    Back,
}

#[cfg(test)]
mod tests;
