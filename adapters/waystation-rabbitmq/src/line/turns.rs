//! The order of fetched deliveries that have keys. Pure.
//!
//! A key is *idle* (nobody has one of it: its first can be taken), *busy* (some are out, or being
//! settled) or *expected* (one was published again to keep the place, and comes back by itself).
//! A first that waits for its next attempt holds its key up until it is due.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use waystation_core::clock::Timestamp;
use waystation_core::key::Key;
use waystation_core::port::Share;

use super::{Fetched, Room};
use crate::topology::PartLane;

/// What was fetched of each key, and nobody took.
#[derive(Default)]
pub struct Turns {
    keys: HashMap<Key, Turn>,
    /// Keys whose first has priority, and the others, in the order that they came to have a first.
    ready: [VecDeque<Key>; 2],
    /// Keys that are held up, by when they are not any more.
    held_up: BTreeSet<(Timestamp, Key)>,
    /// What those without priority get.
    share: Share,
}

/// What was fetched of one key.
#[derive(Default)]
struct Turn {
    /// By lane, as they go: what keeps its place, what has priority, and the others.
    lanes: [BTreeMap<u64, Fetched>; 3],
    /// Those that are out or being settled.
    busy: BTreeSet<u64>,
    /// How many are to come back to their place.
    expected: u32,
    /// Whether it stands among the ready ones.
    stands: bool,
}

impl Turns {
    /// Takes in what was delivered.
    pub fn arrive(&mut self, key: &Key, tag: u64, fetched: Fetched, now: Timestamp) {
        let turn = self.keys.entry(key.clone()).or_default();
        let lane = lane_of(&fetched);
        if lane == PartLane::Retry {
            turn.expected = turn.expected.saturating_sub(1);
        }
        turn.lanes[place(lane)].insert(tag, fetched);
        self.look(key, now);
    }

    /// Whether there is anything of a key.
    pub fn knows(&self, key: &Key) -> bool {
        self.keys.contains_key(key)
    }

    /// Hands out up to so many firsts, each with up to `together - 1` of those right behind it, and
    /// no more than `in_all`.
    pub fn take(&mut self, want: Room, now: Timestamp) -> Vec<(u64, Fetched)> {
        let Room { max, together, in_all } = want;
        self.let_go(now);
        let (mut taken, mut firsts) = (Vec::new(), 0);
        while firsts < max && taken.len() < in_all {
            let due = self.share.due(1) > 0;
            let [priority, normal] = &mut self.ready;
            let next = if due { normal.pop_front() } else { None };
            let of_the_lowest = next.is_some();
            let next = next.or_else(|| priority.pop_front()).or_else(|| normal.pop_front());
            let Some(key) = next else { break };
            let Some(turn) = self.keys.get_mut(&key) else { continue };
            turn.stands = false;
            if !turn.can_go(now) {
                continue;
            }
            firsts += 1;
            let has_priority = turn.first().is_some_and(|(_, first)| first.priority > 0);
            turn.take_run(together.min(in_all - taken.len()), &mut taken);
            let passed_over = of_the_lowest || (has_priority && !self.ready[1].is_empty());
            self.share.took(usize::from(!of_the_lowest), usize::from(of_the_lowest), passed_over);
        }
        taken
    }

    /// One is settled and gone.
    pub fn leave(&mut self, key: &Key, tag: u64, now: Timestamp) {
        if let Some(turn) = self.keys.get_mut(key) {
            turn.busy.remove(&tag);
        }
        self.look(key, now);
    }

    /// One returns to the place that it was taken from.
    pub fn give_back(&mut self, key: &Key, tag: u64, fetched: Fetched, now: Timestamp) {
        let turn = self.keys.entry(key.clone()).or_default();
        turn.busy.remove(&tag);
        turn.lanes[place(lane_of(&fetched))].insert(tag, fetched);
        self.look(key, now);
    }

    /// One is published again, to come back and keep the place.
    pub fn expect(&mut self, key: &Key) {
        self.keys.entry(key.clone()).or_default().expected += 1;
    }

    /// It was not, after all.
    pub fn expect_no_more(&mut self, key: &Key, now: Timestamp) {
        if let Some(turn) = self.keys.get_mut(key) {
            turn.expected = turn.expected.saturating_sub(1);
        }
        self.look(key, now);
    }

    /// When the next key is held up no more.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held_up.first().map(|(moment, _)| *moment)
    }

    /// How many can be taken by nobody yet, since others of their key come first.
    pub fn behind(&self) -> u64 {
        let behind = |turn: &Turn| {
            let all: usize = turn.lanes.iter().map(BTreeMap::len).sum();
            all.saturating_sub(usize::from(turn.busy.is_empty()))
        };
        self.keys.values().map(behind).sum::<usize>() as u64
    }

    /// Lets those keys go whose moment has come.
    fn let_go(&mut self, now: Timestamp) {
        while let Some((moment, _)) = self.held_up.first() {
            if *moment > now {
                break;
            }
            if let Some((_, key)) = self.held_up.pop_first() {
                self.look(&key, now);
            }
        }
    }

    /// Sees to where a key stands, after something of it changed.
    fn look(&mut self, key: &Key, now: Timestamp) {
        let Some(turn) = self.keys.get_mut(key) else { return };
        if turn.is_over() {
            self.keys.remove(key);
            return;
        }
        if let Some(moment) = turn.held_up(now) {
            self.held_up.insert((moment, key.clone()));
        }
        if !turn.stands && turn.can_go(now) {
            turn.stands = true;
            let has_priority = turn.first().is_some_and(|(_, first)| first.priority > 0);
            self.ready[usize::from(!has_priority)].push_back(key.clone());
        }
    }
}

impl Turn {
    /// The next one, and its lane.
    fn first(&self) -> Option<(usize, &Fetched)> {
        let first = |lane: usize| Some((lane, self.lanes[lane].values().next()?));
        (0..self.lanes.len()).find_map(first)
    }

    /// Until when its first holds it up, if it does.
    fn held_up(&self, now: Timestamp) -> Option<Timestamp> {
        let (_, first) = self.first()?;
        first.not_before.filter(|moment| *moment > now)
    }

    fn can_go(&self, now: Timestamp) -> bool {
        let is_idle = self.busy.is_empty() && self.expected == 0;
        is_idle && self.first().is_some() && self.held_up(now).is_none()
    }

    fn is_over(&self) -> bool {
        self.busy.is_empty() && self.expected == 0 && self.first().is_none()
    }

    /// Takes the first and what may go with it. One that was out before goes alone, so that it is
    /// found out whether it was the one that ended its worker.
    fn take_run(&mut self, together: usize, taken: &mut Vec<(u64, Fetched)>) {
        for number in 0..together.max(1) {
            let Some((lane, next)) = self.first() else { break };
            let goes_alone = next.deliveries > 1 || lane == place(PartLane::Retry);
            if number > 0 && goes_alone {
                break;
            }
            let Some((tag, fetched)) = self.lanes[lane].pop_first() else { break };
            self.busy.insert(tag);
            taken.push((tag, fetched));
            if goes_alone {
                break;
            }
        }
    }
}

fn lane_of(fetched: &Fetched) -> PartLane {
    match (fetched.keeps_place, fetched.priority > 0) {
        (true, _) => PartLane::Retry,
        (false, true) => PartLane::Priority,
        (false, false) => PartLane::Normal,
    }
}

fn place(lane: PartLane) -> usize {
    match lane {
        PartLane::Retry => 0,
        PartLane::Priority => 1,
        PartLane::Normal => 2,
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::port::NORMAL_SHARE;

    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn key(name: &str) -> Key {
        Key::new(name).expect(name)
    }

    /// One of a key, whose body says its number.
    fn one(number: u64, name: &str) -> Fetched {
        Fetched { key: Some(key(name)), ..Fetched::plain(number.to_string().into_bytes()) }
    }

    fn turns(all: &[(u64, &str)]) -> Turns {
        let mut turns = Turns::default();
        for (tag, name) in all {
            turns.arrive(&key(name), *tag, one(*tag, name), NOW);
        }
        turns
    }

    fn take(turns: &mut Turns, max: usize, together: usize, at: i64) -> Vec<u64> {
        turns
            .take(Room { max, together, in_all: 1_000 }, Timestamp(at))
            .into_iter()
            .map(|(tag, _)| tag)
            .collect()
    }

    #[test]
    fn one_of_a_key_is_out_at_a_time_and_others_go_on() {
        let mut turns = turns(&[(1, "a"), (2, "a"), (3, "b"), (4, "a")]);
        assert_eq!(turns.behind(), 2);
        assert_eq!(take(&mut turns, 9, 1, 0), [1, 3]);
        assert_eq!(take(&mut turns, 9, 1, 0), [0_u64; 0]);
        turns.leave(&key("a"), 1, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [2]);
        turns.leave(&key("b"), 3, NOW);
        turns.leave(&key("a"), 2, NOW);
        turns.leave(&key("a"), 4, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [4]);
        turns.leave(&key("a"), 4, NOW);
        assert!(turns.keys.is_empty());
    }

    #[test]
    fn run_ends_where_there_is_no_room() {
        let mut turns = turns(&[(1, "a"), (2, "a"), (3, "a"), (4, "b")]);
        let room = |in_all| Room { max: 9, together: 9, in_all };
        assert_eq!(turns.take(room(2), NOW).len(), 2);
        assert_eq!(turns.take(room(9), NOW).len(), 1, "the other key");
    }

    #[test]
    fn run_goes_together_and_what_was_out_before_goes_alone() {
        let mut turns = turns(&[(1, "a"), (2, "a"), (3, "a"), (5, "a")]);
        turns.arrive(&key("a"), 4, Fetched { deliveries: 2, ..one(4, "a") }, NOW);
        assert_eq!(take(&mut turns, 9, 10, 0), [1, 2, 3]);
        assert_eq!(take(&mut turns, 9, 10, 0), [0_u64; 0]);
        // The second is handed back, and the third with it.
        turns.leave(&key("a"), 1, NOW);
        turns.give_back(&key("a"), 2, one(2, "a"), NOW);
        turns.give_back(&key("a"), 3, one(3, "a"), NOW);
        assert_eq!(take(&mut turns, 9, 2, 0), [2, 3]);
        for tag in [2, 3] {
            turns.leave(&key("a"), tag, NOW);
        }
        assert_eq!(take(&mut turns, 9, 10, 0), [4]);
        turns.leave(&key("a"), 4, NOW);
        assert_eq!(take(&mut turns, 9, 10, 0), [5]);
    }

    #[test]
    fn key_waits_for_the_retry_that_keeps_its_place() {
        let mut turns = turns(&[(1, "a"), (2, "a"), (3, "b")]);
        assert_eq!(take(&mut turns, 1, 1, 0), [1]);
        turns.expect(&key("a"));
        turns.leave(&key("a"), 1, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [3]);
        let retry = Fetched { keeps_place: true, not_before: Some(Timestamp(50)), ..one(9, "a") };
        turns.arrive(&key("a"), 9, retry, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [0_u64; 0]);
        assert_eq!(turns.next_due(), Some(Timestamp(50)));
        assert_eq!(take(&mut turns, 9, 9, 50), [9]);
        turns.leave(&key("a"), 9, Timestamp(50));
        assert_eq!(take(&mut turns, 9, 9, 50), [2]);
    }

    #[test]
    fn priority_goes_first_within_a_key_and_among_them() {
        let mut turns = turns(&[(1, "a"), (2, "b")]);
        turns.arrive(&key("a"), 3, Fetched { priority: 1, ..one(3, "a") }, NOW);
        turns.arrive(&key("c"), 4, Fetched { priority: 1, ..one(4, "c") }, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [4, 3, 2]);
        turns.leave(&key("a"), 3, NOW);
        assert_eq!(take(&mut turns, 9, 1, 0), [1]);
    }

    #[test]
    fn keys_without_priority_get_their_share() {
        let mut turns = Turns::default();
        for tag in 0..100 {
            let name = tag.to_string();
            turns.arrive(&key(&name), tag, Fetched { priority: 1, ..one(tag, &name) }, NOW);
        }
        for tag in 100..110 {
            let name = tag.to_string();
            turns.arrive(&key(&name), tag, one(tag, &name), NOW);
        }
        let taken = take(&mut turns, 64, 1, 0);
        assert_eq!(taken.iter().filter(|tag| **tag >= 100).count(), 64 / NORMAL_SHARE);
    }
}
