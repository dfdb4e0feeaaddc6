//! The ports that an engine stands on.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::id::QueueName;
use waystation_core::port::{BlobStore, Bus, Queue, Records, Store};
use waystation_core::settlement::Lease;
use waystation_core::trace::Tracer;

use crate::broker::{Books, Brokered, JoinedBus};

/// The ports, and the clock that goes with them.
#[derive(Clone)]
pub struct Backend {
    /// Moves contracts.
    pub queue: Arc<dyn Queue>,
    /// Keeps what people query.
    pub store: Arc<dyn Store>,
    /// Keeps what is known of the running itself.
    pub records: Arc<dyn Records>,
    /// Carries live signals.
    pub bus: Arc<dyn Bus>,
    /// What joins the queue and the store, where they are apart.
    pub books: Option<Books>,
    /// Keeps what is too large to travel, where somebody said where.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// Tells an outside program what jobs go through, where there is one.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Backend {
    /// A backend that is all of them in one.
    pub fn whole<T>(all: T, clock: Arc<dyn Clock>) -> Self
    where
        T: Queue + Store + Records + Bus + Clone + 'static,
    {
        Self {
            queue: Arc::new(all.clone()),
            store: Arc::new(all.clone()),
            records: Arc::new(all.clone()),
            bus: Arc::new(all),
            books: None,
            blobs: None,
            tracer: None,
            clock,
        }
    }

    /// A broker that moves contracts, and a store that keeps the books. Signals go over the
    /// broker, or over a bus of their own. To be called on a runtime.
    pub fn brokered(books: Books, buses: Buses, clock: Arc<dyn Clock>) -> Self {
        Self {
            queue: Arc::new(Brokered::new(&books)),
            store: Arc::clone(&books.ledger) as Arc<dyn Store>,
            records: Arc::clone(&books.ledger) as Arc<dyn Records>,
            bus: Arc::new(JoinedBus::new(buses.live, buses.ledger)),
            books: Some(books),
            blobs: None,
            tracer: None,
            clock,
        }
    }

    /// The same backend with live signals over another bus. To be called on a runtime.
    #[must_use]
    pub fn with_bus(mut self, live: Arc<dyn Bus>) -> Self {
        self.bus = Arc::new(JoinedBus::new(live, self.bus));
        self
    }

    /// The same backend with a place for blobs.
    #[must_use]
    pub fn with_blobs(mut self, blobs: Arc<dyn BlobStore>) -> Self {
        self.blobs = Some(blobs);
        self
    }

    /// The same backend, told of by a tracer.
    #[must_use]
    pub fn with_tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.tracer = Some(tracer);
        self
    }

    /// Gives back what a queue fetched ahead.
    pub(crate) async fn leave(&self, queue: &QueueName) {
        if let Err(error) = self.queue.leave(queue).await {
            tracing::warn!(%queue, %error, "what was fetched ahead returns by itself");
        }
    }

    /// Gives back what is out and will not be settled.
    pub(crate) async fn abandon(&self, leases: &[Lease]) {
        if let Err(error) = self.queue.abandon(leases).await {
            let deliveries = leases.len();
            tracing::warn!(deliveries, %error, "what was out returns by itself");
        }
    }
}

/// The buses of a broker with a ledger.
pub struct Buses {
    /// Carries live signals.
    pub live: Arc<dyn Bus>,
    /// The ledger's own, which tells that something changed.
    pub ledger: Arc<dyn Bus>,
}
