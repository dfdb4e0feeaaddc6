//! Why a test did not get what it asked for.

use std::fmt;
use std::time::Duration;

use waystation_core::id::JobId;
use waystation_core::port;
use waystation_engine::{AnswerError, EngineError, JobError};

use crate::AppError;

/// Why a test did not get what it asked for. What a test returns is printed by `Debug`, so that
/// this prints its message.
#[derive(thiserror::Error)]
pub enum Error {
    /// The app did not open, or did not take a job.
    #[error(transparent)]
    App(#[from] AppError),
    /// An answer was refused.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A failed job was not tried again.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The memory refused.
    #[error(transparent)]
    Port(#[from] port::Error),
    /// The engine ended by itself.
    #[error("the engine ended: {0}")]
    Engine(#[from] EngineError),
    /// The job stands somewhere else than the test wants it.
    #[error("job {job_id} {wanted}: {stands}")]
    Stands {
        /// The job.
        job_id: JobId,
        /// What the test wants, denied.
        wanted: &'static str,
        /// How it is.
        stands: String,
    },
    /// A wait came to its limit.
    #[error("{what} after {waited:?}{}", told(stands))]
    TooLong {
        /// What did not come.
        what: &'static str,
        /// How long it was waited for.
        waited: Duration,
        /// Where the jobs stand that still move.
        stands: Vec<String>,
    },
}

fn told(stands: &[String]) -> String {
    if stands.is_empty() { String::new() } else { format!(": {}", stands.join("; ")) }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
