//! The ports that an engine stands on.

use std::sync::Arc;

use waystation_core::clock::Clock;
use waystation_core::port::{Bus, Queue, Store};

/// The ports, and the clock that goes with them.
#[derive(Clone)]
pub struct Backend {
    /// Moves contracts.
    pub queue: Arc<dyn Queue>,
    /// Keeps what people query.
    pub store: Arc<dyn Store>,
    /// Carries live signals.
    pub bus: Arc<dyn Bus>,
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
            clock,
        }
    }
}
