//! The bus port: a broadcast within the process.

use waystation_core::port::{Bus, Signal, Subscription};

use crate::Memory;

impl Bus for Memory {
    fn publish(&self, signal: Signal) {
        // It fails when nobody listens, which is fine.
        let _ = self.shared.signals.send(signal);
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared.signals.subscribe())
    }
}
