//! Deliveries of one key that were received together: a run.
//!
//! Their attempts are made one after the other, so that a run takes the place of one. What ended is
//! settled while the next attempt goes on. When one ends such that it stays in its queue, the rest
//! goes back behind it.

use std::collections::VecDeque;
use std::sync::Arc;

use waystation_core::settlement::{Delivery, Lease};

use crate::stop::Stop;

/// A delivery that nobody has begun with.
pub struct Held {
    pub delivery: Delivery,
    pub stop: Arc<Stop>,
}

/// A run at one of its attempts; what has no key is one by itself.
pub struct Run {
    /// What the attempt works on, in case that it breaks.
    pub lease: Lease,
    /// Stops the attempt.
    pub stop: Arc<Stop>,
    /// What ended before it.
    pub ended: Vec<Lease>,
    /// What comes after it, in order.
    pub rest: VecDeque<Held>,
}

impl Held {
    /// A delivery that is told nothing yet.
    pub fn new(delivery: Delivery) -> Self {
        Self { delivery, stop: Arc::default() }
    }

    fn follows(&self, other: &Self) -> bool {
        self.delivery.key.is_some() && self.delivery.key == other.delivery.key
    }
}

/// Runs of what was received, where those of one key stand one after another.
pub fn by_key(deliveries: Vec<Held>) -> Vec<VecDeque<Held>> {
    let mut runs: Vec<VecDeque<Held>> = Vec::with_capacity(deliveries.len());
    for held in deliveries {
        match runs.last_mut() {
            Some(run) if run.back().is_some_and(|last| held.follows(last)) => run.push_back(held),
            _ => runs.push(VecDeque::from([held])),
        }
    }
    runs
}
