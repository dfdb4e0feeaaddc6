//! Waystation on PostgreSQL: queue, store and bus for many machines.
//!
//! Each process has one connection that writes, one that reads and one that listens. Commands
//! that gather while a commit is under way are carried out together in the next transaction, set
//! by set: one statement for all deliveries that end, one for all messages that follow, and so
//! on. Processes claim side by side by `FOR UPDATE SKIP LOCKED` and wake each other by `NOTIFY`;
//! a look around every second stands behind that, for whoever sits behind a pooler that drops
//! notifications.

mod bus;
mod connection;
mod error;
mod family;
mod inspection;
mod ledger;
mod options;
mod parameter;
mod queue;
mod reader;
mod records;
mod rows;
mod store;
mod tls;
mod writer;

use std::sync::Arc;

use tokio::sync::broadcast;
use waystation_core::clock::Clock;
use waystation_core::port::{Error, Finding, SIGNALS_MAX, Signal};

pub use inspection::inspect;
pub use options::{Options, PAYLOAD_BYTES_MAX, SCHEMA};
pub use tls::{Mode, Tls};

/// A database. Clones share its connections, which close when the last one is dropped.
#[derive(Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
}

struct Shared {
    writer: writer::Handle,
    reader: reader::Reader,
    signals: broadcast::Sender<Signal>,
    clock: Arc<dyn Clock>,
    options: Options,
}

impl Postgres {
    /// Connects, and brings the schema up to date.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let mut client = connection::connect(&options, None).await?;
        connection::migrate(&mut client, &options).await?;
        let (signals, _) = broadcast::channel(SIGNALS_MAX);
        let writer = writer::Handle::start(client, &options, Arc::clone(&clock), signals.clone());
        let reader = reader::Reader::new(options.clone());
        let shared = Shared { writer, reader, signals, clock, options };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Looks at the server as [`inspect`] does.
    pub async fn inspect(&self) -> Result<Vec<Finding>, Error> {
        inspect(&self.shared.options, &*self.shared.clock).await
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }
}
