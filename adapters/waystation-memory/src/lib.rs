//! Waystation's queue, store and bus in plain memory.
//!
//! It is the reference for how a backend behaves: every other adapter is run against it, step by
//! step, by the model test of `waystation-testing`. It keeps nothing over the end of the process
//! and forgets nothing before it, so it is for tests, trials and pipelines that may be lost.
//!
//! One mutex guards plain collections. Each call of a port is one visit under that mutex, which
//! makes every batch all-or-nothing, and a dropped call either done or not begun.

mod abort;
mod bus;
mod counting;
mod dedupe;
mod family;
mod lease;
mod ledger;
mod line;
mod queue;
mod records;
mod runs;
mod settle;
mod state;
mod steps;
mod store;
mod submit;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use waystation_core::clock::{Clock, Timestamp};
use waystation_core::port::{SIGNALS_MAX, Signal};

use crate::state::State;

/// The largest body unless [`Memory::with_payload_bytes_max`] says otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// A queue, a store and a bus over the same memory. Clones share it.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    payload_bytes_max: usize,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    signals: broadcast::Sender<Signal>,
}

impl Memory {
    /// An empty memory that reads the time from this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                state: Mutex::new(State::default()),
                signals: broadcast::Sender::new(SIGNALS_MAX),
            }),
            payload_bytes_max: PAYLOAD_BYTES_MAX,
        }
    }

    /// The same memory, taking bodies up to this size through this handle and its clones.
    #[must_use]
    pub fn with_payload_bytes_max(mut self, payload_bytes_max: usize) -> Self {
        self.payload_bytes_max = payload_bytes_max;
        self
    }

    /// Has everybody who waits for a message look again: the clock was moved, which no receiver
    /// notices by itself. Without it a due message waits for the next one that comes.
    pub fn clock_moved(&self) {
        self.visit(|state, _| state.lines.values().for_each(|line| line.arrived.notify_waiters()));
    }

    /// One visit to the state, at one moment.
    fn visit<Answer>(&self, act: impl FnOnce(&mut State, Timestamp) -> Answer) -> Answer {
        // A panic inside a visit is a bug of ours. Later callers still see whole collections,
        // since each is changed by calls that do not panic half-way.
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.now();
        let answer = act(&mut state, now);
        state.move_up(now);
        answer
    }
}
