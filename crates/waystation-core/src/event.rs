//! Durable facts about a job, in the order they happened.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::{JobId, StageId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The job was submitted.
    Created,
    /// An attempt at a stage began.
    Started,
    /// A stage completed.
    Completed,
    /// A stage was passed over.
    Skipped,
    /// An attempt failed and another one is due.
    Retried,
    /// The job failed for good and lies with the dead letters.
    Failed,
    /// The job was aborted.
    Aborted,
    /// The job waits for a person: a task was opened.
    Waiting,
    /// A lease ran out: the worker died or lost touch. The delivery returned to its queue.
    Abandoned,
    /// A worker gave the delivery back unfinished, as when it shuts down.
    HandedBack,
    /// A person had a failed job tried again.
    Requeued,
    /// A person dropped a dead letter.
    Dropped,
}

impl EventKind {
    /// Every kind. Its place in this list is the number that stores may keep for it, so new kinds
    /// go to the end.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Started,
        Self::Completed,
        Self::Skipped,
        Self::Retried,
        Self::Failed,
        Self::Aborted,
        Self::Waiting,
        Self::Abandoned,
        Self::HandedBack,
        Self::Requeued,
        Self::Dropped,
    ];

    /// The name in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Skipped => "skipped",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Waiting => "waiting",
            Self::Abandoned => "abandoned",
            Self::HandedBack => "handed_back",
            Self::Requeued => "requeued",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One durable fact about a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The job.
    pub job_id: JobId,
    /// What happened.
    pub kind: EventKind,
    /// At which stage.
    pub stage: StageId,
    /// In which stage run of the job, counted from 1.
    pub visit: u32,
    /// In which attempt of that run, counted from 1.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// What else there is to say: the failure, the label, who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Event {
    /// Where the detail of a stage's end tells how many children it made.
    pub const CHILDREN: &str = "children";

    /// Tells of no children: they were not made after all.
    pub fn forget_children(&mut self) {
        if let Some(Value::Object(told)) = &mut self.detail {
            told.shift_remove(Self::CHILDREN);
        }
    }
}

/// How serious a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever hunts a fault.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    /// Every level, mildest first; its place is the number that stores may keep for it.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The name in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line that an attempt wrote. Kept with the attempt's settlement, up to a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// At which stage.
    pub stage: StageId,
    /// In which attempt.
    pub attempt: u32,
    /// How serious it is.
    pub level: Level,
    /// The line, without its end.
    pub line: String,
}

/// The most log lines that one attempt keeps; further ones are counted, not kept.
pub const LOG_LINES_MAX: usize = 1_000;
/// The longest log line that is kept, in bytes.
pub const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
