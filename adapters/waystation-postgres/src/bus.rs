//! Live signals within the process. What other processes do arrives as [`Signal::Changed`] and
//! [`Signal::Abort`] by way of `NOTIFY`.

use waystation_core::port::{Bus, Signal, Subscription};

use crate::Postgres;

impl Bus for Postgres {
    fn publish(&self, signal: Signal) {
        // Nobody listening is fine.
        let _ = self.shared.signals.send(signal);
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared.signals.subscribe())
    }
}
