//! Files that are still being written: their size or their time of change changed a moment ago.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::walk::Found;

/// Files that were not at rest when they were looked at last.
pub struct Settling {
    wait: Duration,
    restless: Mutex<HashMap<PathBuf, Seen>>,
}

/// How a file was seen.
#[derive(PartialEq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
    /// It has been so since then.
    since: Instant,
}

impl Settling {
    /// A file is at rest when it did not change for so long.
    pub fn new(wait: Duration) -> Self {
        Self { wait, restless: Mutex::default() }
    }

    /// Only those files that are at rest.
    pub fn at_rest(&self, mut files: Vec<Found>) -> Vec<Found> {
        if self.wait.is_zero() {
            return files;
        }
        let mut restless = self.restless.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = std::mem::take(&mut *restless);
        files.retain(|file| match self.unsettled(file, earlier.get(file.path.as_path())) {
            None => true,
            Some(seen) => {
                restless.insert(file.path.clone(), seen);
                false
            }
        });
        files
    }

    /// How a file is that is not at rest. Another machine's clock may be ahead, so that what it
    /// says is no help with a change to come: then the file is watched from here.
    fn unsettled(&self, file: &Found, earlier: Option<&Seen>) -> Option<Seen> {
        let (bytes, modified) = (file.status.len(), file.status.modified().ok());
        let same_time = earlier.is_none_or(|seen| seen.modified == modified);
        let age = modified.and_then(|moment| moment.elapsed().ok()).unwrap_or_default();
        let now = Instant::now();
        let since = match earlier {
            Some(seen) if same_time && seen.bytes == bytes => seen.since,
            Some(_) if same_time => now,
            Some(_) | None => now.checked_sub(age.min(self.wait)).unwrap_or(now),
        };
        (since.elapsed() < self.wait).then_some(Seen { bytes, modified, since })
    }
}
