//! Waystation's embedded default: queue, store and bus in one SQLite file, meant for production.
//!
//! One thread owns the connection that writes. Callers send it commands and wait; it takes every
//! command that has gathered while the last commit was being flushed and commits them together,
//! so the flush is shared without a timer. What finished, what comes next, the state, the events
//! and the deliveries that refill the workers are all in that one commit.
//!
//! Several processes may use one file: they take turns by SQLite's own lock, see each other's
//! messages within [`writer::POLL`] and never hold a transaction open while they wait.

mod bus;
mod checkpointer;
mod connection;
mod error;
mod inspection;
mod ledger;
mod names;
mod options;
mod presence;
mod queue;
mod reader;
mod records;
mod store;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use waystation_core::clock::Clock;
use waystation_core::port::{Error, Finding, SIGNALS_MAX, Signal};

pub use inspection::inspect;
pub use options::{Options, PAYLOAD_BYTES_MAX, Synchronous};

/// How often the file is looked at for what other processes did, while somebody waits for it.
pub const POLL: Duration = writer::POLL;

/// A store in one file. Clones share it; it closes when the last one is dropped.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

struct Shared {
    writer: writer::Handle,
    readers: reader::Readers,
    signals: broadcast::Sender<Signal>,
    clock: Arc<dyn Clock>,
    options: Options,
    _checkpointer: checkpointer::Checkpointer,
}

impl Sqlite {
    /// Opens the file, or creates it, and brings its layout up to date.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let (signals, _) = broadcast::channel(SIGNALS_MAX);
        let connection = connection::open_writer(&options)?;
        let checkpointer = checkpointer::Checkpointer::start(&options)?;
        let writer = writer::Handle::start(
            connection,
            &options,
            Arc::clone(&clock),
            signals.clone(),
            checkpointer.backlog(),
        )?;
        let readers = reader::Readers::new(options.clone());
        let shared =
            Shared { writer, readers, signals, clock, options, _checkpointer: checkpointer };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Looks at the file as [`inspect`] does.
    pub fn inspect(&self) -> Result<Vec<Finding>, Error> {
        inspect(&self.shared.options)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.options.path
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }
}
