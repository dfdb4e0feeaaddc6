//! Which deliveries of a channel are where. Pure: acknowledgements come out as values.
//!
//! A delivery is *untaken* (fetched ahead), *held back* (until a moment), *out* (somebody works on
//! it) or *closed* (being settled), and gone once it is acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use waystation_core::clock::Timestamp;
use waystation_core::key::Key;
use waystation_core::port::Share;

use super::turns::Turns;
use super::{Fetched, Room};

/// The deliveries of one channel that are not acknowledged.
#[derive(Default)]
pub struct Tags {
    priority: VecDeque<(u64, Fetched)>,
    normal: VecDeque<(u64, Fetched)>,
    /// Those with keys, which go in their turn.
    turns: Turns,
    held_back: BTreeMap<(Timestamp, u64), Fetched>,
    out: BTreeMap<u64, Fetched>,
    /// The keys of those that are closed: another one of the key waits until they are gone.
    closed: BTreeMap<u64, Key>,
    /// Every delivery that the broker waits for.
    unacknowledged: BTreeSet<u64>,
    /// What the normal lane gets while the other one is never empty.
    share: Share,
    /// Deliveries that came in up to here, and some beyond: those of several consumers need not
    /// come in by their numbers.
    seen_to: u64,
    seen_beyond: BTreeSet<u64>,
}

impl Tags {
    /// Takes in what was delivered.
    pub fn arrive(&mut self, tag: u64, fetched: Fetched, now: Timestamp) {
        self.pass_through(tag);
        match fetched.not_before {
            Some(moment) if !fetched.keeps_place => {
                self.held_back.insert((moment, tag), fetched);
            }
            _ => self.line_up(tag, fetched, now),
        }
    }

    /// Notes a delivery that is ended by whoever brought it in.
    pub fn pass_through(&mut self, tag: u64) {
        self.unacknowledged.insert(tag);
        self.seen_beyond.insert(tag);
        while self.seen_beyond.remove(&(self.seen_to + 1)) {
            self.seen_to += 1;
        }
    }

    /// Hands out up to this many, what has priority first, and of the rest its share; of each key
    /// up to so many together.
    pub fn take(&mut self, want: Room, now: Timestamp) -> Vec<(u64, Fetched)> {
        let max = want.max;
        while let Some(first) = self.held_back.first_entry() {
            if first.key().0 > now {
                break;
            }
            let tag = first.key().1;
            let fetched = first.remove();
            self.line_up(tag, fetched, now);
        }
        let mut taken = self.turns.take(want, now);
        if taken.len() < max {
            self.take_keyless(max - taken.len(), &mut taken);
        }
        self.out.extend(taken.iter().cloned());
        taken
    }

    fn take_keyless(&mut self, max: usize, taken: &mut Vec<(u64, Fetched)>) {
        let due = self.share.due(max);
        let first = self.priority.len().min(max - due);
        let passed_over = first == max - due && !self.normal.is_empty();
        taken.extend(self.priority.drain(..first));
        let last = self.normal.len().min(max - first);
        taken.extend(self.normal.drain(..last));
        let rest = self.priority.len().min(max - first - last);
        taken.extend(self.priority.drain(..rest));
        self.share.took(first + rest, last, passed_over);
    }

    /// When the next that is held back is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let held_back = self.held_back.keys().next().map(|(moment, _)| *moment);
        held_back.into_iter().chain(self.turns.next_due()).min()
    }

    /// Whether somebody has it.
    pub fn holds(&self, tag: u64) -> bool {
        self.out.contains_key(&tag)
    }

    /// Takes it out of the hands that have it, to settle it.
    pub fn close(&mut self, tag: u64) -> Option<Fetched> {
        let fetched = self.out.remove(&tag)?;
        if let Some(key) = &fetched.key {
            self.closed.insert(tag, key.clone());
        }
        Some(fetched)
    }

    /// Puts what was closed back to the place that it was taken from.
    pub fn give_back(&mut self, tag: u64, fetched: Fetched, now: Timestamp) {
        if self.closed.remove(&tag).is_some()
            && let Some(key) = fetched.key.clone()
        {
            self.turns.give_back(&key, tag, fetched, now);
        }
    }

    /// What is published again keeps the place of its key until it comes.
    pub fn expect(&mut self, key: &Key) {
        self.turns.expect(key);
    }

    /// Whether there is anything of a key.
    pub fn knows(&self, key: &Key) -> bool {
        self.turns.knows(key)
    }

    /// It was not published, after all.
    pub fn expect_no_more(&mut self, key: &Key, now: Timestamp) {
        self.turns.expect_no_more(key, now);
    }

    /// Forgets one without a key that returns to its queue; whether it was there.
    pub fn forget(&mut self, tag: u64) -> bool {
        self.out.remove(&tag);
        self.unacknowledged.remove(&tag)
    }

    /// Gives it back into those hands.
    pub fn reopen(&mut self, tag: u64, fetched: Fetched) {
        self.closed.remove(&tag);
        if self.unacknowledged.contains(&tag) {
            self.out.insert(tag, fetched);
        }
    }

    /// Takes out what nobody has taken.
    pub fn close_untaken(&mut self) -> Vec<(u64, Fetched)> {
        let held_back = std::mem::take(&mut self.held_back);
        self.priority
            .drain(..)
            .chain(self.normal.drain(..))
            .chain(held_back.into_iter().map(|((_, tag), fetched)| (tag, fetched)))
            .collect()
    }

    /// Whether the broker waits for nothing from us.
    pub fn has_nothing(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// Whether nobody has any, and none is being settled.
    pub fn rests(&self) -> bool {
        self.out.is_empty() && self.closed.is_empty()
    }

    /// How many stand behind others of their key.
    pub fn behind(&self) -> u64 {
        self.turns.behind()
    }

    /// How many somebody has.
    pub fn out(&self) -> u64 {
        self.out.len() as u64
    }

    /// What to acknowledge for these: each one, or all up to one (`true`) where nothing before it
    /// is open.
    pub fn acknowledge(&mut self, mut tags: Vec<u64>, now: Timestamp) -> Vec<(u64, bool)> {
        tags.retain(|tag| self.unacknowledged.remove(tag));
        for tag in &tags {
            if let Some(key) = self.closed.remove(tag) {
                self.turns.leave(&key, *tag, now);
            }
        }
        tags.sort_unstable();
        // One that has not come in yet is open, too.
        let unseen = self.seen_to + 1;
        let open = self.unacknowledged.first().copied().unwrap_or(unseen).min(unseen);
        let before_open = tags.partition_point(|tag| *tag < open);
        let (together, single) = tags.split_at(before_open);
        let together = together.last().map(|tag| (*tag, together.len() > 1));
        together.into_iter().chain(single.iter().map(|tag| (*tag, false))).collect()
    }

    fn line_up(&mut self, tag: u64, fetched: Fetched, now: Timestamp) {
        if let Some(key) = fetched.key.clone() {
            self.turns.arrive(&key, tag, fetched, now);
            return;
        }
        let lane = if fetched.priority > 0 { &mut self.priority } else { &mut self.normal };
        lane.push_back((tag, fetched));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn fetched(priority: i16, not_before: Option<i64>) -> Fetched {
        let not_before = not_before.map(Timestamp);
        Fetched { priority, not_before, ..Fetched::plain(vec![]) }
    }

    fn tags_of(taken: &[(u64, Fetched)]) -> Vec<u64> {
        taken.iter().map(|(tag, _)| *tag).collect()
    }

    #[test]
    fn priority_goes_first_and_what_is_held_back_waits() {
        let mut tags = Tags::default();
        tags.arrive(1, fetched(0, None), NOW);
        tags.arrive(2, fetched(0, Some(50)), NOW);
        tags.arrive(3, fetched(1, None), NOW);
        assert_eq!(tags_of(&tags.take(Room::of(9), Timestamp(0))), [3, 1]);
        assert_eq!(tags.next_due(), Some(Timestamp(50)));
        assert_eq!(tags_of(&tags.take(Room::of(9), Timestamp(50))), [2]);
    }

    #[test]
    fn normal_lane_has_its_share() {
        let mut tags = Tags::default();
        (1..=8).for_each(|tag| tags.arrive(tag, fetched(0, None), NOW));
        (101..=200).for_each(|tag| tags.arrive(tag, fetched(1, None), NOW));
        let one_by_one: Vec<_> = (0..32).flat_map(|_| tags.take(Room::of(1), NOW)).collect();
        let normal: Vec<_> =
            (1..).zip(tags_of(&one_by_one)).filter(|(_, tag)| *tag < 100).collect();
        assert_eq!(normal, [(16, 1), (32, 2)]);
        tags.take(Room::of(32), NOW);
        let together = tags_of(&tags.take(Room::of(32), NOW));
        assert_eq!(together[28..], [191, 192, 3, 4]);
    }

    #[test]
    fn acknowledgements_are_joined_where_nothing_is_open_before() {
        let mut tags = Tags::default();
        (1..=6).for_each(|tag| tags.arrive(tag, fetched(0, None), NOW));
        tags.take(Room::of(5), Timestamp(0));
        assert_eq!(tags.acknowledge(vec![2], NOW), [(2, false)]);
        assert_eq!(tags.acknowledge(vec![3, 1, 5], NOW), [(3, true), (5, false)]);
        assert_eq!(tags.acknowledge(vec![3, 4], NOW), [(4, false)]);
        assert_eq!(tags_of(&tags.close_untaken()), [6]);
        assert_eq!(tags.acknowledge(vec![6], NOW), [(6, false)]);
        assert!(tags.unacknowledged.is_empty());
    }

    #[test]
    fn what_has_not_come_in_yet_is_not_acknowledged_with_the_others() {
        let mut tags = Tags::default();
        tags.arrive(2, fetched(0, None), NOW);
        tags.arrive(3, fetched(0, None), NOW);
        assert_eq!(tags.acknowledge(vec![2], NOW), [(2, false)]);
        tags.arrive(1, fetched(1, None), NOW);
        assert_eq!(tags.acknowledge(vec![1, 3], NOW), [(3, true)]);
    }

    #[test]
    fn what_is_closed_is_in_nobodys_hands() {
        let mut tags = Tags::default();
        tags.arrive(1, fetched(0, None), NOW);
        assert!(!tags.holds(1));
        tags.take(Room::of(1), Timestamp(0));
        assert!(tags.holds(1));
        let closed = tags.close(1).expect("it is out");
        assert!(!tags.holds(1));
        assert_eq!(tags.close(1), None);
        tags.reopen(1, closed);
        assert!(tags.holds(1));
    }
}
