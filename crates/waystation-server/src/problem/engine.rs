//! What the engine and the stores say, as problems.

use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::hook::Refusal as Unheard;
use waystation_core::port::{self, BlobError};
use waystation_engine::control::PauseError;
use waystation_engine::control::operations;
use waystation_engine::decide::Refusal;
use waystation_engine::remote;
use waystation_engine::{
    AnswerError, DefinitionError, HookError, JobError, SourceError, SubmitError,
};

use super::{Code, Problem};

impl From<port::Error> for Problem {
    fn from(error: port::Error) -> Self {
        let code = match &error {
            port::Error::TooLarge { .. } | port::Error::BatchTooLarge { .. } => Code::TooLarge,
            error if error.retryable() => Code::Unavailable,
            _ => Code::Internal,
        };
        if code == Code::Internal {
            tracing::error!(%error, "request failed");
        }
        Self::new(code, error.to_string())
    }
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Problems(problems) => {
                let lines = problems.list.iter().map(ToString::to_string).collect();
                let detail = format!("{} has {} problems", problems.origin, problems.list.len());
                Self::new(Code::Invalid, detail).with_problems(lines)
            }
            DefinitionError::Unknown(_) | DefinitionError::UnknownVersion { .. } => {
                Self::new(Code::NotFound, error.to_string())
            }
            DefinitionError::Store(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) | SubmitError::TooLarge(error) => error.into(),
            SubmitError::Full(full) => Self::new(Code::Full, full.to_string()),
            SubmitError::Draining { .. } => Self::new(Code::Draining, error.to_string()),
            other => Self::new(Code::Invalid, other.to_string()),
        }
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Unknown(_) => Self::new(Code::NotFound, error.to_string()),
            AnswerError::Refused {
                refusal: Refusal::NoStage(_) | Refusal::Contract(_), ..
            } => Self::new(Code::Conflict, error.to_string()),
            AnswerError::Refused { .. } => Self::new(Code::Invalid, error.to_string()),
            AnswerError::Definition(error) => error.into(),
            AnswerError::Store(error) => error.into(),
        }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Definition(error) => error.into(),
            JobError::Store(error) => error.into(),
            JobError::Unknown(_) => Self::new(Code::NotFound, error.to_string()),
            JobError::Refused { .. } => Self::new(Code::Invalid, error.to_string()),
            JobError::NotFailed { .. } | JobError::NotDead(_) => {
                Self::new(Code::Conflict, error.to_string())
            }
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Definition(error) => error.into(),
            SourceError::Store(error) => error.into(),
            SourceError::Unknown { .. } => Self::new(Code::NotFound, error.to_string()),
            SourceError::NeverLooks(_) => Self::new(Code::Invalid, error.to_string()),
        }
    }
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        let code = match error {
            HookError::Store(error) | HookError::Definition(DefinitionError::Store(error)) => {
                return error.into();
            }
            // Whoever calls can mend nothing, and is not told what is in the file.
            HookError::Definition(error) => {
                tracing::error!(%error, "a hook is not ready");
                let why = "the stage takes no calls here (hint: the server's log says why)";
                return Self::new(Code::Internal, why);
            }
            HookError::Unknown(_) => Code::NotFound,
            HookError::Paused { .. } => Code::Paused,
            HookError::Full(_) => Code::Full,
            HookError::Refused(Unheard::Unproven(_)) => Code::Unauthenticated,
            HookError::Refused(Unheard::Unreadable(_)) => Code::BadRequest,
            HookError::Refused(Unheard::Misfit(_)) => Code::Invalid,
            HookError::Refused(Unheard::TooLarge(_)) => Code::TooLarge,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PauseError> for Problem {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Definition(error) => error.into(),
            PauseError::Store(error) => error.into(),
            PauseError::UnknownStage { .. } => Self::new(Code::NotFound, error.to_string()),
            PauseError::OnlyPipelinesDrain(_) => Self::new(Code::Invalid, error.to_string()),
        }
    }
}

impl From<operations::Error> for Problem {
    fn from(error: operations::Error) -> Self {
        let code = match &error {
            operations::Error::Senseless { .. } | operations::Error::NoReason => Code::Invalid,
            operations::Error::Unknown(_) => Code::NotFound,
            operations::Error::Ended { .. } => Code::Conflict,
            operations::Error::Store(error) => return error.clone().into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<remote::Error> for Problem {
    fn from(error: remote::Error) -> Self {
        let code = match error {
            remote::Error::Definition(error) => return error.into(),
            remote::Error::Store(error) => return error.into(),
            remote::Error::Lost => Code::LeaseLost,
            remote::Error::NoClaim(_) => Code::NotFound,
            remote::Error::NotRemote { .. } | remote::Error::Worker(_) => Code::Invalid,
            remote::Error::TooMany(_) => Code::TooMany,
            remote::Error::Stopping => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        let code = match &error {
            BlobError::NotConfigured | BlobError::NotFound { .. } => Code::NotFound,
            BlobError::TooLarge { .. } => Code::TooLarge,
            BlobError::Unavailable { .. } => Code::Unavailable,
            BlobError::Unsigned { .. } => Code::Conflict,
            BlobError::File { .. } | BlobError::Broken { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What keeps a job's values from being shown.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let code = match failure.kind {
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::Transient => Code::Unavailable,
            _ => Code::Conflict,
        };
        Self::new(code, failure.to_string())
    }
}
