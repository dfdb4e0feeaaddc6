//! Waystation on RabbitMQ: queues, the journal and live signals.
//!
//! Workers need nothing but the broker. A hop is safe by its order: what goes on is published and
//! confirmed, what happened is written to the journal and confirmed, and only then is the delivery
//! acknowledged. A crash in between repeats the hop, which the ledger that reads the journal
//! recognises. What travels is the contract as plain JSON in durable queues, persistent, through
//! the default exchange, so that any program can stand between two of our stages.
//!
//! [`dp3`] speaks with the task queues of DP3 instead, as DP3 does.

mod bus;
pub mod dp3;
mod error;
mod inspection;
mod journal;
mod line;
mod lines;
mod link;
mod options;
mod parting;
mod publisher;
mod queue;
mod settle;
mod topology;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio_util::sync::{CancellationToken, DropGuard};
use waystation_core::clock::Clock;
use waystation_core::id::QueueName;
use waystation_core::port::Error;

use line::{Kind, Line, Receipt};
use lines::{Lines, Maker};
use link::Link;
use topology::QueueKey;

pub use inspection::inspect;
pub use link::RECONNECT;
pub use options::{Declare, Events, JOURNAL, Options, PAYLOAD_BYTES_MAX, QueueKind};

/// A broker that is connected. Clones share the connections.
#[derive(Clone)]
pub struct RabbitMq {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    lines: Mutex<HashMap<QueueName, Arc<Lines>>>,
    /// Queues that were looked for and not there, and when.
    absent: Mutex<HashMap<QueueKey, Instant>>,
    journal: OnceLock<Arc<Line>>,
    reading: journal::Reading,
    signals: bus::Signals,
    closed: CancellationToken,
    _close: DropGuard,
}

impl RabbitMq {
    /// Connects. Queues are made, or looked for, as they are used.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let closed = CancellationToken::new();
        let link = Link::open(options, closed.clone()).await?;
        let signals = bus::Signals::open(&link, closed.clone());
        let shared = Shared {
            link,
            clock,
            lines: Mutex::default(),
            absent: Mutex::default(),
            journal: OnceLock::new(),
            reading: journal::Reading::default(),
            signals,
            _close: closed.clone().drop_guard(),
            closed,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Ends the connections. What is not acknowledged returns to its queue.
    pub async fn close(&self) {
        self.shared.closed.cancel();
        self.shared.link.close().await;
    }

    /// The lines of a queue, made when they are first asked for.
    fn lines(&self, queue: &QueueName) -> Arc<Lines> {
        let mut all = self.all_lines();
        let shared = &self.shared;
        let open = || {
            Lines::open(Maker {
                link: Arc::clone(&shared.link),
                clock: Arc::clone(&shared.clock),
                base: queue.as_str().to_owned(),
                closed: shared.closed.clone(),
            })
        };
        Arc::clone(all.entry(queue.clone()).or_insert_with(open))
    }

    /// The lines of a queue that was received from.
    fn known_lines(&self, queue: &QueueName) -> Option<Arc<Lines>> {
        self.all_lines().get(queue).cloned()
    }

    /// The line that something was received from.
    fn line_of(&self, queue: &QueueName, receipt: Receipt) -> Option<Arc<Line>> {
        self.known_lines(queue)?.of(receipt)
    }

    fn all_lines(&self) -> std::sync::MutexGuard<'_, HashMap<QueueName, Arc<Lines>>> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn journal_line(&self) -> Arc<Line> {
        let open = || {
            let maker = Maker {
                link: Arc::clone(&self.link),
                clock: Arc::clone(&self.clock),
                base: self.link.options().journal.clone(),
                closed: self.closed.clone(),
            };
            maker.line(Kind::Journal, 0, &Arc::default())
        };
        Arc::clone(self.journal.get_or_init(open))
    }
}
