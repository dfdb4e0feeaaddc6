//! How a command ends, and the exit code that tells so.

use std::process::ExitCode;

use waystation::backends::OpenError;
use waystation::core::pipeline::Problems;
use waystation::core::port;
use waystation::engine::{
    AnswerError, DefinitionError, EngineError, JobError, SubmitError as Submit,
};

use super::out;

/// The command did what it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is done: 0.
    Done,
    /// A job failed, or not everything was done: 1.
    NotAll,
    /// Something that was named does not exist; what does was dealt with: 2.
    Unknown,
    /// Somebody wanted it to stop at once: 130.
    StoppedAtOnce,
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::NotAll => FAILED,
            Self::Unknown => USAGE,
            Self::StoppedAtOnce => 130,
        })
    }

    /// The worse of the two.
    pub fn and(self, other: Self) -> Self {
        let rank = |outcome| match outcome {
            Self::Done => 0,
            Self::NotAll => 1,
            Self::Unknown => 2,
            Self::StoppedAtOnce => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// The command could not do what was asked.
#[derive(Debug)]
pub struct Error {
    code: u8,
    /// Lines that stand on their own, above the message.
    lines: Option<String>,
    message: String,
}

/// A job failed or the work could not be done.
const FAILED: u8 = 1;
/// What was asked for makes no sense here.
const USAGE: u8 = 2;

impl Error {
    /// What was asked for makes no sense here.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, lines: None, message: message.into() }
    }

    /// The work could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, lines: None, message: message.into() }
    }

    /// The same error with more to say at the end.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The same error below these lines, which say what is wrong one by one.
    #[must_use]
    pub fn after_lines(mut self, lines: &[String]) -> Self {
        if !lines.is_empty() {
            self.lines = Some(lines.join("\n"));
        }
        self
    }

    /// Tells it on stderr; the exit code is left to be returned.
    pub fn report(&self) -> ExitCode {
        if let Some(lines) = &self.lines {
            out::say(lines);
        }
        out::say(format_args!("{}: {}", out::error_word(), self.message));
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let count = match problems.list.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let message = format!("{} has {count}", problems.origin);
        Self { code: USAGE, lines: Some(problems.to_string()), message }
    }
}

impl From<port::Error> for Error {
    fn from(error: port::Error) -> Self {
        let message = error.to_string();
        match error {
            port::Error::NewerVersion { .. } | port::Error::TooLarge { .. } => Self::usage(message),
            _ => Self::failed(message),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<DefinitionError> for Error {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Problems(problems) => problems.into(),
            DefinitionError::Store(error) => error.into(),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<Submit> for Error {
    fn from(error: Submit) -> Self {
        match error {
            Submit::Store(error) => error.into(),
            Submit::Full(full) => Self::failed(full.to_string()),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<AnswerError> for Error {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Definition(error) => error.into(),
            AnswerError::Store(error) => error.into(),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Definition(error) => error.into(),
            JobError::Store(error) => error.into(),
            JobError::Refused { .. } => Self::failed(error.to_string()),
            JobError::Unknown(_) | JobError::NotFailed { .. } | JobError::NotDead(_) => {
                Self::usage(error.to_string())
            }
        }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Definition(error) => error.into(),
            EngineError::Backend(error) => error.into(),
            EngineError::Source { .. } => Self::usage(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}
