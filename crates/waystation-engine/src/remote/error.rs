//! Why something that a remote worker asked for was not done.

use waystation_core::id::{PipelineName, StageId};
use waystation_core::port;

use super::types::ClaimId;
use crate::definition::DefinitionError;

/// Why something that a remote worker asked for was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The claim is no longer this worker's: nothing of what it told counts.
    #[error("claim is lost: its lease ran out, its time was over, or it has ended otherwise")]
    Lost,
    /// It is no claim of ours.
    #[error("`{0}` is no claim")]
    NoClaim(ClaimId),
    /// The stage is not one for remote workers.
    #[error(
        "stage `{stage}` of pipeline `{pipeline}` is not of type remote (those that are: {known})"
    )]
    NotRemote {
        /// The pipeline.
        pipeline: PipelineName,
        /// What was named.
        stage: StageId,
        /// What there is.
        known: String,
    },
    /// The name is not one that people can read.
    #[error(
        "`{}` is no worker's name: 1 to 100 bytes without control characters",
        .0.escape_debug()
    )]
    Worker(String),
    /// Too much is out already.
    #[error("{0} claims are out at this server, which is all that it keeps (hint: ask another)")]
    TooMany(usize),
    /// The server ends.
    #[error("this server is stopping (hint: ask another)")]
    Stopping,
    /// The pipeline is not ready.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The backend did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Error {
    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::TooMany(_) | Self::Stopping => true,
            Self::Store(error) | Self::Definition(DefinitionError::Store(error)) => {
                error.retryable()
            }
            _ => false,
        }
    }
}
