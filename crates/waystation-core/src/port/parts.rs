//! How a queue is parted among processes, where that is how the order of keys is kept.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The partitions of a queue, until their number changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Grows with each change, and never comes again.
    pub number: u32,
    /// How many there are.
    pub partitions: NonZeroU32,
}

/// What a process is told of a queue's partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// What is published from now on goes to these.
    pub current: Generation,
    /// The ones before, from which nothing may be left when the current ones are taken from.
    pub former: Option<Generation>,
    /// Those that this process is to own: of the former generation while there is one, of the
    /// current one otherwise.
    pub mine: BTreeSet<u32>,
}

impl Parts {
    /// The generation that is taken from.
    pub fn taken(&self) -> Generation {
        self.former.unwrap_or(self.current)
    }
}

/// What came of parting a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parted {
    /// Whether somebody here wants deliveries of the queue.
    pub wanted: bool,
    /// The partitions that this process owns by now, of the generation that is taken from.
    pub owned: BTreeSet<u32>,
    /// Those of the former generation, of those that are this process's, that are no more.
    pub emptied: BTreeSet<u32>,
}
