//! Moves the write-ahead log into the file, off the writer's commits.
//!
//! Inside a commit a checkpoint would delay everybody who waits for that commit by several
//! milliseconds; on a thread of its own it delays nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use waystation_core::port::Error;

use crate::connection::open_checkpointer;
use crate::options::Options;

const INTERVAL: Duration = Duration::from_millis(200);

/// The thread that checkpoints. Stops when dropped, after a last checkpoint.
pub struct Checkpointer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    backlog: Arc<AtomicU64>,
}

impl Checkpointer {
    /// Starts the thread.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let connection = open_checkpointer(options)?;
        let (stop, stopped) = mpsc::channel();
        let backlog = Arc::new(AtomicU64::new(0));
        let pages = Arc::clone(&backlog);
        let thread = std::thread::Builder::new()
            .name("waystation-checkpoint".into())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    checkpoint(&connection, &pages);
                }
                checkpoint(&connection, &pages);
            })
            .map_err(|error| Error::Broken {
                name: options.path.display().to_string(),
                message: format!("no thread for checkpoints: {error}"),
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), backlog })
    }

    /// How many pages the log holds, as of the last look.
    pub fn backlog(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.backlog)
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn checkpoint(connection: &Connection, pages: &AtomicU64) {
    let result =
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
    match result {
        Ok(log_pages) => pages.store(u64::try_from(log_pages).unwrap_or(0), Ordering::Relaxed),
        // A busy or full disk shows where it matters, in the writer's commits.
        Err(error) => tracing::debug!(%error, "checkpoint put off"),
    }
}
