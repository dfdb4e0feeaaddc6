//! A worker as a task of this process.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::watch::{Heard, Saying};
use super::{Work, worker};

/// A worker's task. When this is dropped, it is aborted.
pub struct Task {
    drain: CancellationToken,
    task: AbortHandle,
}

impl Task {
    /// Starts one. What it says, and that it ended, goes to `heard`.
    pub fn start(work: Work, saying: Saying, heard: mpsc::Sender<Heard>) -> Self {
        let drain = CancellationToken::new();
        let (said, to) = (saying.clone(), heard.clone());
        let tell: worker::Tell = Arc::new(move |line: &Line| {
            // A beat more or less is nothing: the next one comes.
            let _ = to.try_send(said.line(line.clone()));
        });
        let run = worker::run(work, saying.assignment, tell, drain.clone());
        let running = tokio::spawn(run);
        let task = running.abort_handle();
        tokio::spawn(async move {
            let reason = match running.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            let _ = heard.send(saying.ended(reason)).await;
        });
        Self { drain, task }
    }

    /// Tells it to end when what it has in hand has.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends it where it is.
    pub fn kill(&self) {
        self.task.abort();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.task.abort();
    }
}
