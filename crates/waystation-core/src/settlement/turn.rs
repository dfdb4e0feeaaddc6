//! The order of messages that have one key.

use crate::key::Key;

/// A message's turn among those of its queue that have the same key: of these, one is out at a
/// time, and the next one can be received when it has left the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The key.
    pub key: Key,
    /// It takes the place of the message that its settlement ends, before all that came behind
    /// that. Without this it goes behind them, at the moment when it can be received.
    pub keeps_place: bool,
}

impl Turn {
    /// Behind all that have the key.
    pub fn last(key: Key) -> Self {
        Self { key, keeps_place: false }
    }

    /// In the place of the message that the settlement ends.
    pub fn kept(key: Key) -> Self {
        Self { key, keeps_place: true }
    }
}
