//! The ports that an engine stands on.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::port::{Bus, Journal, Ledger, Queue, Store};

use crate::broker::{Books, Brokered, JoinedBus};

/// The ports, and the clock that goes with them.
#[derive(Clone)]
pub struct Backend {
    /// Moves contracts.
    pub queue: Arc<dyn Queue>,
    /// Keeps what people query.
    pub store: Arc<dyn Store>,
    /// Carries live signals.
    pub bus: Arc<dyn Bus>,
    /// What joins the queue and the store, where they are apart.
    pub books: Option<Books>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Backend {
    /// A backend that is queue, store and bus in one.
    pub fn whole<T: Queue + Store + Bus + Clone + 'static>(all: T, clock: Arc<dyn Clock>) -> Self {
        Self {
            queue: Arc::new(all.clone()),
            store: Arc::new(all.clone()),
            bus: Arc::new(all),
            books: None,
            clock,
        }
    }

    /// A broker that moves contracts, and a store that keeps the books. Signals go over the
    /// broker, or over a bus of their own.
    pub fn brokered<B, L>(
        broker: B,
        ledger: L,
        bus: Option<Arc<dyn Bus>>,
        clock: Arc<dyn Clock>,
    ) -> Self
    where
        B: Queue + Journal + Bus + Clone + 'static,
        L: Ledger + Bus + Clone + 'static,
    {
        let books = Books {
            broker: Arc::new(broker.clone()),
            journal: Arc::new(broker.clone()),
            ledger: Arc::new(ledger.clone()),
        };
        let live = bus.unwrap_or_else(|| Arc::new(broker));
        Self {
            queue: Arc::new(Brokered::new(&books)),
            store: Arc::new(ledger.clone()),
            bus: Arc::new(JoinedBus::new(live, Arc::new(ledger))),
            books: Some(books),
            clock,
        }
    }
}
