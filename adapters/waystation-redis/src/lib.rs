//! Waystation on Redis: queues, the journal and live signals.
//!
//! Workers need nothing but the server. A queue is a stream with a consumer group; what is handed
//! out is under a lease by the server's clock. A script settles a delivery in one step: what goes
//! on is in its queue, what happened is in the journal, and the delivery is gone, or none of it.
//! The ledger that reads the journal is apart, and recognises a hop that it is told of twice. What
//! travels is the contract as plain JSON in the field `body`, so that any program can stand between
//! two of our stages. One server without cluster mode; `docs/brokers.md` tells what is kept where.

mod bus;
mod error;
mod inspect;
mod journal;
mod line;
mod link;
mod options;
mod queue;
mod scripts;
mod settle;
mod topology;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::{CancellationToken, DropGuard};
use waystation_core::clock::Clock;
use waystation_core::id::QueueName;
use waystation_core::port::Error;

use journal::Reading;
use line::Line;
use link::Link;

pub use bus::LAST_PROGRESS;
pub use inspect::inspect;
pub use link::RECONNECT;
pub use options::{Durability, Events, JOURNAL, LEASE, Options, PAYLOAD_BYTES_MAX};

/// A server that is connected. Clones share the connections.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    /// This process among the consumers of a queue and the readers of the journal.
    consumer: Arc<str>,
    durable: bool,
    lines: Mutex<HashMap<QueueName, Arc<Line>>>,
    reading: OnceLock<Arc<Reading>>,
    signals: bus::Signals,
    closed: CancellationToken,
    _close: DropGuard,
}

impl Redis {
    /// Connects, unless the server would lose what it is given. Queues are made as they are used.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let durable = inspect::admit(&options).await?;
        let closed = CancellationToken::new();
        let close = closed.clone().drop_guard();
        let link = Link::open(options, closed.clone()).await?;
        let signals = bus::Signals::open(&link, closed.clone()).await?;
        let shared = Shared {
            link,
            clock,
            consumer: format!("{}-{:016x}", std::process::id(), fastrand::u64(..)).into(),
            durable,
            lines: Mutex::default(),
            reading: OnceLock::new(),
            signals,
            closed,
            _close: close,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Ends the connections. What is leased returns when its leases run out; another reader of the
    /// journal follows at once.
    pub async fn close(&self) {
        if let Some(reading) = self.shared.reading.get() {
            reading.close().await;
        }
        let lines: Vec<_> = self.lines().values().cloned().collect();
        for line in lines {
            line.close().await;
        }
        self.shared.closed.cancel();
        self.shared.link.close();
    }

    /// The line of a queue, made when it is first asked for.
    fn line(&self, queue: &QueueName) -> Arc<Line> {
        let open = || self.shared.open_line(queue);
        Arc::clone(self.lines().entry(queue.clone()).or_insert_with(open))
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<QueueName, Arc<Line>>> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn open_line(&self, queue: &QueueName) -> Arc<Line> {
        let base = topology::queue(self.link.options(), queue);
        let consumer = Arc::clone(&self.consumer);
        Line::open(Arc::clone(&self.link), base, consumer, self.closed.clone())
    }

    fn reading(&self) -> &Arc<Reading> {
        let open = || {
            let reader = Arc::clone(&self.consumer);
            Reading::open(Arc::clone(&self.link), reader, self.closed.clone())
        };
        self.reading.get_or_init(open)
    }
}
