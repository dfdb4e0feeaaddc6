//! Asks the store what an attempt must know before it can go on.

use std::fmt::Display;
use std::time::Duration;

use waystation_core::port;

use crate::decide::Outcome;
use crate::definition::DefinitionError;
use crate::stop::{Cause, Stop};

/// The wait before the store is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no answer.
pub enum Unanswered<E> {
    /// Asking again would not help.
    Refused(E),
    /// The attempt must stop.
    Stopped(Cause),
}

/// Says whether the store may answer when it is asked again.
pub trait Retryable {
    fn retryable(&self) -> bool;
}

impl Retryable for port::Error {
    fn retryable(&self) -> bool {
        Self::retryable(self)
    }
}

impl Retryable for DefinitionError {
    fn retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable())
    }
}

/// Asks until there is an answer, or the attempt is told to stop.
pub async fn ask<T, E: Retryable + Display, Asked: Future<Output = Result<T, E>>>(
    stop: &Stop,
    question: impl Fn() -> Asked,
) -> Result<T, Unanswered<E>> {
    loop {
        let answer = tokio::select! {
            biased;
            cause = stop.stopped() => return Err(Unanswered::Stopped(cause)),
            answer = question() => answer,
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) if error.retryable() => {
                let job = stop.job_id.get().map(tracing::field::display);
                tracing::warn!(job, %error, "store not reached, trying on");
            }
            Err(error) => return Err(Unanswered::Refused(error)),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            cause = stop.stopped() => return Err(Unanswered::Stopped(cause)),
        }
    }
}

/// How an attempt ends that was told to stop. `None` when its lease was lost.
pub fn stopped(cause: Cause) -> Option<Outcome> {
    match cause {
        Cause::LeaseLost => None,
        Cause::Abort(reason) => Some(Outcome::Aborted(reason)),
        Cause::Shutdown => Some(Outcome::HandedBack),
    }
}
