//! Two buses as one: live signals go over the broker, the store tells that something changed.

use std::sync::Arc;

use tokio::sync::broadcast;
use waystation_core::port::{Bus, SIGNALS_MAX, Signal, Subscription};

/// Speaks on one bus and hears both.
pub struct JoinedBus {
    live: Arc<dyn Bus>,
    heard: broadcast::Sender<Signal>,
}

impl JoinedBus {
    /// Joins a bus for live signals with that of a store. To be called on a runtime.
    pub fn new(live: Arc<dyn Bus>, store: Arc<dyn Bus>) -> Self {
        let (heard, _) = broadcast::channel(SIGNALS_MAX);
        for bus in [Arc::clone(&live), store] {
            tokio::spawn(pass_on(bus.subscribe(), heard.downgrade()));
        }
        Self { live, heard }
    }
}

impl Bus for JoinedBus {
    fn publish(&self, signal: Signal) {
        self.live.publish(signal);
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.heard.subscribe())
    }
}

async fn pass_on(mut signals: Subscription, heard: broadcast::WeakSender<Signal>) {
    while let Some(signal) = signals.next().await {
        let Some(heard) = heard.upgrade() else { return };
        let _ = heard.send(signal);
    }
}
