//! The messages of one queue, sorted by what can be done with them.
//!
//! A message stands in exactly one of three places: *ready* to be handed out, *delayed* until a
//! time, or *leased* until a time. Its id is its place in the order of coming and never changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Notify;
use waystation_core::clock::Timestamp;
use waystation_core::port::Share;
use waystation_core::settlement::Priority;

use crate::state::QueuedMessage;

/// The messages of one queue by id.
#[derive(Default)]
pub(crate) struct Line {
    ready: BTreeMap<Reverse<Priority>, BTreeSet<i64>>,
    delayed: BTreeSet<(Timestamp, Priority, i64)>,
    leased: BTreeSet<(Timestamp, i64)>,
    /// What those get that are passed over.
    share: Share,
    /// Told whenever something came that a waiting receiver should look at.
    pub arrived: Arc<Notify>,
}

impl Line {
    /// Puts a message where it belongs now.
    pub fn insert(&mut self, id: i64, message: &QueuedMessage, now: Timestamp) {
        if let Some(until) = message.leased_until {
            self.leased.insert((until, id));
            return;
        }
        match message.not_before {
            Some(moment) if moment > now => {
                self.delayed.insert((moment, message.priority, id));
            }
            _ => self.insert_ready(message.priority, id),
        }
        // Also for a delayed one: it may be due before what the receivers wait for.
        self.arrived.notify_waiters();
    }

    /// Takes a message out, wherever it stands.
    pub fn remove(&mut self, id: i64, message: &QueuedMessage) {
        if let Some(until) = message.leased_until {
            self.leased.remove(&(until, id));
        }
        if let Some(moment) = message.not_before {
            self.delayed.remove(&(moment, message.priority, id));
        }
        if let Some(ids) = self.ready.get_mut(&Reverse(message.priority)) {
            ids.remove(&id);
            if ids.is_empty() {
                self.ready.remove(&Reverse(message.priority));
            }
        }
    }

    /// Takes out what is due.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<i64> {
        let mut due = Vec::new();
        while let Some(&(moment, _, id)) = self.delayed.first()
            && moment <= now
        {
            self.delayed.pop_first();
            due.push(id);
        }
        due
    }

    /// Takes out up to this many ready messages, in the order of delivery, the share of those that
    /// are passed over last.
    pub fn take_ready(&mut self, max: usize) -> Vec<i64> {
        let lowest = self.ready.last_key_value().map(|(priority, _)| *priority);
        let due = self.share.due(max);
        let mut first = self.take_first(max - due);
        let mut last = self.take_lowest(due);
        first.extend(self.take_first(max - first.len() - last.len()));
        let passed_over = lowest > first.last().map(|(priority, _)| *priority);
        self.share.took(first.len(), last.len(), passed_over && !first.is_empty());
        first.append(&mut last);
        first.sort_unstable();
        first.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes out up to this many, by priority and then as they came.
    fn take_first(&mut self, max: usize) -> Vec<(Reverse<Priority>, i64)> {
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(mut first) = self.ready.first_entry()
        {
            let priority = *first.key();
            taken.extend(first.get_mut().pop_first().map(|id| (priority, id)));
            if first.get().is_empty() {
                first.remove();
            }
        }
        taken
    }

    /// Takes out up to this many of the lowest priority, as they came.
    fn take_lowest(&mut self, max: usize) -> Vec<(Reverse<Priority>, i64)> {
        let Some(mut last) = self.ready.last_entry() else { return Vec::new() };
        let priority = *last.key();
        let ids = (0..max).map_while(|_| last.get_mut().pop_first());
        let taken = ids.map(|id| (priority, id)).collect();
        if last.get().is_empty() {
            last.remove();
        }
        taken
    }

    /// Those whose lease has run out, longest ago first.
    pub fn expired(&self, now: Timestamp) -> Vec<i64> {
        self.leased.iter().take_while(|(until, _)| *until <= now).map(|(_, id)| *id).collect()
    }

    /// When something becomes deliverable by itself, if nothing else happens.
    pub fn next_moment(&self) -> Option<Timestamp> {
        let due = self.delayed.first().map(|(moment, _, _)| *moment);
        let end = self.leased.first().map(|(until, _)| *until);
        due.into_iter().chain(end).min()
    }

    pub fn ready_count(&self) -> usize {
        self.ready.values().map(BTreeSet::len).sum()
    }

    pub fn urgent_count(&self) -> usize {
        self.ready.range(..Reverse(0)).map(|(_, ids)| ids.len()).sum()
    }

    pub fn delayed_count(&self) -> usize {
        self.delayed.len()
    }

    pub fn leased_count(&self) -> usize {
        self.leased.len()
    }

    /// The ready message that came first, whatever its priority.
    pub fn oldest_ready(&self) -> Option<i64> {
        self.ready.values().filter_map(|ids| ids.first()).min().copied()
    }

    fn insert_ready(&mut self, priority: Priority, id: i64) {
        self.ready.entry(Reverse(priority)).or_default().insert(id);
    }
}
