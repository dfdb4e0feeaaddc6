//! One message to many workers at once.

use std::fmt;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::writer::{Error, Outgoing, TaskQueueWriter};

/// So many workers are sent to at the same time, each on a channel of its own.
const AT_ONCE_MAX: usize = 16;
/// So many reasons stand in a message.
const SHOWN_MAX: usize = 3;

/// A broadcast that did not reach every worker.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Missed {
    /// These workers have it.
    pub reached: Vec<u16>,
    /// These have not, each with the reason.
    pub missed: Vec<(u16, Error)>,
}

impl fmt::Display for Missed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.reached.len() + self.missed.len();
        write!(formatter, "{} of {all} workers did not get it", self.missed.len())?;
        for (worker, error) in self.missed.iter().take(SHOWN_MAX) {
            write!(formatter, "; worker {worker}: {error}")?;
        }
        if self.missed.len() > SHOWN_MAX {
            write!(formatter, "; …")?;
        }
        Ok(())
    }
}

impl TaskQueueWriter {
    /// Tries once with each of these workers; tells who did not get it.
    pub(super) async fn try_each(
        &self,
        outgoing: &Outgoing,
        workers: Vec<u16>,
        until: Instant,
    ) -> Vec<(u16, Error)> {
        let attempts = workers.into_iter().map(|worker| async move {
            let error = self.attempt(outgoing, worker, until).await.err()?;
            Some((worker, error))
        });
        let tried = stream::iter(attempts).buffer_unordered(AT_ONCE_MAX);
        tried.filter_map(|missed| async move { missed }).collect().await
    }
}
