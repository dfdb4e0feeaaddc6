//! How many jobs a queue that fetches ahead has sent for the remote workers of a server.

use std::time::{Duration, Instant};

/// What a queue was told to send, and what was wanted of late.
#[derive(Debug)]
pub struct Room {
    /// The most that it was told to have out since it was left.
    told: usize,
    /// The most that were out and wanted since `since`.
    wanted: usize,
    since: Instant,
}

impl Room {
    /// Nothing is sent.
    pub fn new() -> Self {
        Self { told: 0, wanted: 0, since: Instant::now() }
    }

    /// So many are to be out.
    pub fn tell(&mut self, out: usize) {
        self.told = self.told.max(out);
        self.wanted = self.wanted.max(out);
    }

    /// Whether more is sent than was wanted at any time for so long, where so many are wanted now.
    /// Then the queue is to be left: what was fetched ahead is for others. Told once.
    pub fn is_too_much(&mut self, wanted: usize, for_so_long: Duration) -> bool {
        self.wanted = self.wanted.max(wanted);
        if self.since.elapsed() < for_so_long {
            return false;
        }
        let is_too_much = self.wanted < self.told;
        let told = if is_too_much { 0 } else { self.told };
        *self = Self { told, wanted, since: Instant::now() };
        is_too_much
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_once_it_was_not_wanted_for_a_while() {
        let mut room = Room::new();
        assert!(!room.is_too_much(0, Duration::ZERO), "nothing is sent");
        room.tell(3);
        assert!(!room.is_too_much(1, Duration::from_hours(1)), "it was wanted a moment ago");
        assert!(!room.is_too_much(1, Duration::ZERO), "it was wanted in that time");
        assert!(room.is_too_much(1, Duration::ZERO), "it was not wanted since");
        assert!(!room.is_too_much(1, Duration::ZERO), "it was left");
        room.tell(2);
        assert!(!room.is_too_much(2, Duration::ZERO));
        assert!(!room.is_too_much(2, Duration::ZERO), "all of it is wanted");
    }
}
