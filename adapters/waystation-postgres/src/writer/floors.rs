//! From where on a queue's ready messages are looked for.
//!
//! While somebody holds an old snapshot, ended messages stay in the index, in front of those that
//! are ready, and every claim from the beginning steps over all of them. So a look from the
//! beginning is timed now and then. While it is quick, as it is nearly always, every claim is one.
//! While it is slow, claims begin where the last one ended; what another process put back, or
//! committed late, below that place is found by the next look from the beginning.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use waystation_core::id::QueueName;

/// The place of a message in its queue: its rank, and its number.
pub type Place = (i16, i64);

/// Before every message.
pub const BEGINNING: Place = (i16::MIN, 0);
/// A look from the beginning is quick when it takes no longer than this,
const QUICK: Duration = Duration::from_millis(5);
/// and this for each message that it took.
const QUICK_EACH: Duration = Duration::from_micros(30);
/// How often a look from the beginning is timed, or slow ones are made.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Slow looks take at most this part of the time.
const PART: u32 = 20;

/// One queue's place.
struct Floor {
    /// Nothing that is ready lies before it, as far as we know; without one, the beginning.
    place: Option<Place>,
    /// Whether the last timed look was slow.
    slow: bool,
    /// When a look from the beginning is to be timed again.
    timed_next: Instant,
}

/// Every queue's place.
#[derive(Default)]
pub struct Floors {
    floors: HashMap<QueueName, Floor>,
}

impl Floors {
    /// Whether the next claim is a look from the beginning that is to be timed.
    pub fn is_timed(&self, queue: &QueueName, now: Instant) -> bool {
        self.floors.get(queue).is_none_or(|floor| floor.timed_next <= now)
    }

    /// Where the next claim begins.
    pub fn start(&self, queue: &QueueName, now: Instant) -> Place {
        let floor = self.floors.get(queue).filter(|floor| floor.slow && floor.timed_next > now);
        floor.and_then(|floor| floor.place).unwrap_or(BEGINNING)
    }

    /// Notes what a claim took: how many, and the last one's place.
    pub fn claimed(&mut self, queue: &QueueName, last: Option<Place>) {
        if let (Some(floor), Some(_)) = (self.floors.get_mut(queue), last) {
            floor.place = last;
        }
    }

    /// Notes how long a look from the beginning took that found this many.
    pub fn timed(&mut self, queue: &QueueName, found: usize, took: Duration, now: Instant) {
        let slow = took > QUICK + QUICK_EACH * found as u32;
        let wait = if slow { (took * PART).clamp(INTERVAL, INTERVAL_MAX) } else { INTERVAL };
        let timed_next = now + wait;
        let place = self.floors.get(queue).and_then(|floor| floor.place);
        self.floors.insert(queue.clone(), Floor { place, slow, timed_next });
    }

    /// Notes that a new message of ours has this rank. Its number is above all that we have seen,
    /// so that only a rank before the place's own matters.
    pub fn added(&mut self, queue: &QueueName, rank: i16) {
        if let Some(floor) = self.floors.get_mut(queue) {
            floor.place = floor.place.filter(|(lowest, _)| *lowest <= rank);
        }
    }

    /// Notes that something may lie anywhere in the queue.
    pub fn lower(&mut self, queue: &QueueName) {
        if let Some(floor) = self.floors.get_mut(queue) {
            floor.place = None;
        }
    }

    /// Notes that something may lie anywhere.
    pub fn lower_all(&mut self) {
        for floor in self.floors.values_mut() {
            floor.place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A queue whose last timed look took this long and found one message at place (0, 7).
    fn after(took: Duration, now: Instant) -> (Floors, QueueName) {
        let (mut floors, queue) = (Floors::default(), QueueName::from("q"));
        assert!(floors.is_timed(&queue, now));
        assert_eq!(floors.start(&queue, now), BEGINNING);
        floors.timed(&queue, 1, took, now);
        floors.claimed(&queue, Some((0, 7)));
        (floors, queue)
    }

    #[test]
    fn quick_looks_are_always_from_the_beginning() {
        let now = Instant::now();
        let (floors, queue) = after(Duration::from_millis(4), now);
        assert!(!floors.is_timed(&queue, now));
        assert_eq!(floors.start(&queue, now), BEGINNING);
        assert!(floors.is_timed(&queue, now + SECOND));
    }

    #[test]
    fn slow_looks_are_rare_and_claims_between_them_go_on_from_the_last() {
        let now = Instant::now();
        let (mut floors, queue) = after(Duration::from_millis(100), now);
        assert_eq!(floors.start(&queue, now), (0, 7));
        floors.claimed(&queue, None);
        assert_eq!(floors.start(&queue, now + SECOND), (0, 7));
        floors.claimed(&queue, Some((0, 9)));
        assert_eq!(floors.start(&queue, now + SECOND), (0, 9));
        assert!(floors.is_timed(&queue, now + 2 * SECOND));
        assert_eq!(floors.start(&queue, now + 2 * SECOND), BEGINNING);
    }

    #[test]
    fn what_comes_before_the_place_is_not_passed_over() {
        let now = Instant::now();
        let (mut floors, queue) = after(Duration::from_millis(100), now);
        floors.added(&queue, 0);
        floors.added(&queue, 5);
        assert_eq!(floors.start(&queue, now), (0, 7));
        floors.added(&queue, -1);
        assert_eq!(floors.start(&queue, now), BEGINNING);
        floors.claimed(&queue, Some((0, 9)));
        floors.lower(&queue);
        assert_eq!(floors.start(&queue, now), BEGINNING);
        floors.claimed(&queue, Some((0, 9)));
        floors.lower_all();
        assert_eq!(floors.start(&queue, now), BEGINNING);
    }
}
