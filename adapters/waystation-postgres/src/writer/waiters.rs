//! Receivers that wait for a delivery, by queue.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use waystation_core::id::QueueName;
use waystation_core::port::Error;
use waystation_core::port::Purpose;
use waystation_core::settlement::Delivery;

use super::command::Reply;

/// A receiver that waits.
pub struct Waiter {
    /// For how many deliveries at most that can be received by themselves.
    pub max: usize,
    /// How many of one key may come at once.
    pub together: usize,
    /// How long their leases are to last.
    pub lease: Duration,
    /// What they are for.
    pub purpose: Purpose,
    /// Until when it waits.
    pub until: Instant,
    /// Where they go.
    pub reply: Reply<Vec<Delivery>>,
}

/// One queue's receivers.
struct Line {
    /// The receivers, the longest waiting first.
    waiters: VecDeque<Waiter>,
    /// Whether the queue may hold something deliverable. False only when a look found nothing
    /// more and nothing has come since.
    promising: bool,
}

/// Every queue's receivers.
#[derive(Default)]
pub struct Waiters {
    lines: HashMap<QueueName, Line>,
}

impl Waiters {
    /// Adds a receiver.
    pub fn add(&mut self, queue: QueueName, waiter: Waiter) {
        let line = match self.lines.entry(queue) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Line { waiters: VecDeque::new(), promising: true })
            }
        };
        line.waiters.push_back(waiter);
    }

    /// Notes that a queue got something.
    pub fn promise(&mut self, queue: &QueueName) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.promising = true;
        }
    }

    /// Notes that any queue may have got something.
    pub fn promise_all(&mut self) {
        for line in self.lines.values_mut() {
            line.promising = true;
        }
    }

    /// The queues whose receivers may be served now.
    pub fn hopeful(&self) -> Vec<QueueName> {
        let hopeful = |line: &Line| line.promising && !line.waiters.is_empty();
        self.lines.iter().filter(|(_, line)| hopeful(line)).map(|(name, _)| name.clone()).collect()
    }

    /// Takes the receiver of a queue that has waited longest and is still there.
    pub fn take_first(&mut self, queue: &QueueName) -> Option<Waiter> {
        let line = self.lines.get_mut(queue)?;
        while let Some(waiter) = line.waiters.pop_front() {
            if !waiter.reply.is_closed() {
                return Some(waiter);
            }
        }
        None
    }

    /// Puts a receiver back to the place it was taken from.
    pub fn put_back(&mut self, queue: &QueueName, waiter: Waiter) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.waiters.push_front(waiter);
        }
    }

    /// Notes that a queue holds nothing more.
    pub fn disappoint(&mut self, queue: &QueueName) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.promising = false;
        }
    }

    /// Answers every receiver whose time is over with nothing, and forgets those that went away.
    pub fn dismiss(&mut self, now: Instant) {
        for line in self.lines.values_mut() {
            for waiter in std::mem::take(&mut line.waiters) {
                if waiter.until <= now {
                    let _ = waiter.reply.send(Ok(Vec::new()));
                } else if !waiter.reply.is_closed() {
                    line.waiters.push_back(waiter);
                }
            }
        }
    }

    /// Answers every receiver with an error.
    pub fn fail(&mut self, error: &Error) {
        for line in self.lines.values_mut() {
            for waiter in std::mem::take(&mut line.waiters) {
                let _ = waiter.reply.send(Err(error.clone()));
            }
        }
    }

    /// When the first of them gives up.
    pub fn next_end(&self) -> Option<Instant> {
        self.lines.values().flat_map(|line| &line.waiters).map(|waiter| waiter.until).min()
    }
}
