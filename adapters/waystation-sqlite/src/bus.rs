//! Live signals within the process. What other processes do arrives as [`Signal::Changed`] and
//! [`Signal::Abort`], made by the writer when it sees that the file changed.

use waystation_core::port::{Bus, Signal, Subscription};

use crate::Sqlite;

impl Bus for Sqlite {
    fn publish(&self, signal: Signal) {
        // Nobody listening is fine.
        let _ = self.shared.signals.send(signal);
    }

    fn subscribe(&self) -> Subscription {
        let subscription = Subscription::new(self.shared.signals.subscribe());
        // The writer looks at other processes' changes only while somebody listens.
        self.shared.writer.wake();
        subscription
    }
}
