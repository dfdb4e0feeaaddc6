//! Why an attempt failed, and whether trying again can help.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::StageId;

/// The kind of a failure. It decides whether the stage's retry policy is asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A param that the stage requires is absent, null or an empty text.
    MissingParam,
    /// A param is there but holds what the stage cannot take.
    InvalidParam,
    /// Something that a param refers to does not exist.
    NotFound,
    /// The stage's own check refused the input.
    Validation,
    /// The stage broke its promise: output keys, routes or wire form are not as declared.
    Contract,
    /// Something that may pass: a network outage, a busy service.
    Transient,
    /// The attempt took longer than the stage allows.
    Timeout,
    /// Somebody asked for the job to end.
    Aborted,
    /// The job was delivered too often without an end: it takes its workers down.
    Poison,
    /// The handler panicked.
    Panic,
    /// The handler says that trying again is of no use.
    Permanent,
    /// Any other error of a handler.
    Error,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::MissingParam,
        Self::InvalidParam,
        Self::NotFound,
        Self::Validation,
        Self::Contract,
        Self::Transient,
        Self::Timeout,
        Self::Aborted,
        Self::Poison,
        Self::Panic,
        Self::Permanent,
        Self::Error,
    ];

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether another attempt may end differently.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::Timeout | Self::Panic | Self::Error)
    }

    /// The name on the wire and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingParam => "missing_param",
            Self::InvalidParam => "invalid_param",
            Self::NotFound => "not_found",
            Self::Validation => "validation",
            Self::Contract => "contract",
            Self::Transient => "transient",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Poison => "poison",
            Self::Panic => "panic",
            Self::Permanent => "permanent",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A failed attempt: kind, message and the chain of causes below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened, in words that name the thing and the value.
    pub message: String,
    /// The errors below, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// How long to wait at least before the next attempt, when the handler knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The stage at which it happened, where it is kept on a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// The attempt that failed, where it is kept on a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

/// The longest message that is kept, in bytes; the rest is cut off visibly.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// The deepest chain of causes that is kept.
pub const CAUSES_MAX: usize = 16;

impl Failure {
    /// A failure of this kind with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        truncate(&mut message, MESSAGE_BYTES_MAX);
        Self { kind, message, causes: Vec::new(), retry_after: None, stage: None, attempt: None }
    }

    /// A failure that may pass.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, message)
    }

    /// A failure made from any error, with its causes.
    pub fn from_error(kind: ErrorKind, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            if failure.causes.len() == CAUSES_MAX {
                break;
            }
            let mut message = error.to_string();
            truncate(&mut message, MESSAGE_BYTES_MAX);
            failure.causes.push(message);
            cause = error.source();
        }
        failure
    }

    /// The same failure, of this attempt at this stage.
    #[must_use]
    pub fn at(mut self, stage: &StageId, attempt: u32) -> Self {
        (self.stage, self.attempt) = (Some(stage.clone()), Some(attempt));
        self
    }

    /// The same failure, not to be tried again before this long.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.message)?;
        for cause in &self.causes {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

/// Any error of a handler becomes a failure that the stage's retry policy decides about.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::from_error(ErrorKind::Error, &error)
    }
}

/// Cuts a text to this many bytes at a character's border and says so.
pub fn truncate(text: &mut String, bytes_max: usize) {
    const MARK: &str = " … (cut)";
    if text.len() <= bytes_max {
        return;
    }
    let mut end = bytes_max.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(MARK);
}
