//! Keeps the last progress of each job in the store: now and then, many jobs at a time, and never
//! in the way of the work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use waystation_core::id::JobId;
use waystation_core::port::Store;
use waystation_core::progress::{PROGRESS_MAX, Progress};

/// The time between two writes, and so the least between two of one job.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a write may take; what is not written by then is lost.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// The most jobs that are remembered between two writes. What more of them say is lost.
const JOBS_MAX: usize = 10_000;

/// Takes what attempts say. Clones are the same keeper.
#[derive(Clone, Default)]
pub struct ProgressKeeper {
    said: Arc<Mutex<HashMap<JobId, Progress>>>,
}

impl ProgressKeeper {
    /// Remembers the last of what a job's attempt says. Never waits for the store.
    pub fn tell(&self, job_id: &JobId, progress: Progress) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < JOBS_MAX || said.contains_key(job_id) {
            said.insert(job_id.clone(), progress);
        }
    }

    /// Writes what was said, again and again, until the engine has ended. What is said after
    /// the last write is lost.
    pub async fn run(self, store: Arc<dyn Store>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let mut said: Vec<_> = self.take().into_iter().collect();
            // Every process in the same order: nobody waits for anybody crosswise.
            said.sort_by(|(one, _), (other, _)| one.cmp(other));
            for some in said.chunks(PROGRESS_MAX) {
                let written = tokio::time::timeout(WRITE_MAX, store.keep_progress(some)).await;
                if !matches!(written, Ok(Ok(()))) {
                    tracing::debug!(jobs = some.len(), ?written, "progress is not kept");
                    break;
                }
            }
        }
    }

    fn take(&self) -> HashMap<JobId, Progress> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
