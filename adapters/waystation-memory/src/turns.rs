//! The order of messages that have one key.
//!
//! A message with a key *stands in line* with those of its queue that have the same one, from the
//! moment on at which it could be received. The first of them is at the *head*: it is ready,
//! leased, held back or waits for children, as if it had no key. The others are *behind* it, in
//! nobody's reach, unless they are [out together](crate::runs) with it. Lines that a visit touched
//! are moved up at its end.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, QueueName};
use waystation_core::job::Behind;
use waystation_core::key::Key;
use waystation_core::settlement::Priority;

use crate::state::{QueuedMessage, State};

pub(crate) type LineName = (QueueName, Key);
/// Higher priority first, then by turn; and whose spot it is.
pub(crate) type Spot = (Reverse<Priority>, i64, i64);

/// All lines in which anybody stands.
#[derive(Default)]
pub(crate) struct Turns {
    pub lines: HashMap<LineName, KeyLine>,
    touched: Vec<LineName>,
}

#[derive(Default)]
pub(crate) struct KeyLine {
    pub head: Option<i64>,
    /// Out under leases, but not at the head.
    pub out: BTreeSet<Spot>,
    pub behind: BTreeSet<Spot>,
}

impl Turns {
    /// How many of a queue are behind another one.
    pub fn behind(&self, queue: &QueueName) -> usize {
        let lines = self.lines.iter().filter(|((name, _), _)| name == queue);
        lines.map(|(_, line)| line.behind.len()).sum()
    }

    pub fn touch(&mut self, name: LineName) -> &mut KeyLine {
        self.touched.push(name.clone());
        self.lines.entry(name).or_default()
    }
}

impl QueuedMessage {
    pub fn line(&self) -> Option<LineName> {
        Some((self.queue.clone(), self.key.clone()?))
    }

    /// Where it stands in its line.
    pub fn spot(&self, id: i64) -> Option<Spot> {
        Some((Reverse(self.priority), self.turn?, id))
    }

    /// Whether nobody has had it yet, nor one whose place it kept.
    pub fn is_untried(&self, id: i64) -> bool {
        // One that kept the place of another is younger than its turn.
        self.deliveries == 0 && self.turn.is_some_and(|turn| turn > id)
    }

    /// Whether it is to take its place in line before it can be received.
    pub fn is_to_line_up(&self) -> bool {
        self.key.is_some() && self.turn.is_none()
    }

    /// Whether others may still go before it: nobody has had it yet.
    fn is_fresh(&self, id: i64, now: Timestamp) -> bool {
        let is_ready = self.leased_until.is_none() && self.not_before.is_none_or(|at| at <= now);
        is_ready && self.is_untried(id) && !self.away
    }
}

impl State {
    /// Puts a message behind all that have its key.
    pub fn stand_behind(&mut self, id: i64, message: &mut QueuedMessage) {
        let turn = self.next_id();
        let Some(name) = message.line() else { return };
        message.turn = Some(turn);
        self.turns.touch(name).behind.insert((Reverse(message.priority), turn, id));
    }

    /// Puts a message at the head of its line, in the place of the one that was there.
    pub fn stand_at_head(&mut self, id: i64, message: &mut QueuedMessage, turn: i64) {
        let Some(name) = message.line() else { return };
        message.turn = Some(turn);
        self.turns.touch(name).head = Some(id);
    }

    /// Takes a message out of its line.
    pub fn leave_line(&mut self, id: i64, message: &mut QueuedMessage) {
        let (Some(name), Some(spot)) = (message.line(), message.spot(id)) else { return };
        message.turn = None;
        let line = self.turns.touch(name);
        if line.head == Some(id) {
            line.head = None;
        }
        line.out.remove(&spot);
        line.behind.remove(&spot);
    }

    /// What a job waits for that is behind others.
    pub fn behind(&self, job_id: &JobId) -> Option<Behind> {
        let message = self.message_of(self.jobs.get(job_id)?)?;
        let name = message.line()?;
        let line = self.turns.lines.get(&name)?;
        let is_own =
            |spot: &Spot| (spot.0, Some(spot.1)) == (Reverse(message.priority), message.turn);
        let place = line.behind.iter().position(is_own)?;
        let first = self.messages.get(&line.head?)?.job_id.clone();
        Some(Behind { key: name.1, first, ahead: (line.out.len() + place) as u64 + 1 })
    }

    /// Moves up the lines that were touched.
    pub fn move_up(&mut self, now: Timestamp) {
        for name in std::mem::take(&mut self.turns.touched) {
            if self.bring_up(&name) {
                continue;
            }
            let Some(line) = self.turns.lines.get_mut(&name) else { continue };
            let first = line.behind.first().copied();
            let head = line.head.and_then(|id| Some((id, self.messages.get(&id)?)));
            match (head, first) {
                (Some((id, head)), Some((Reverse(priority), ..)))
                    if priority > head.priority && head.is_fresh(id, now) =>
                {
                    let turn = head.turn.unwrap_or(id);
                    line.behind.insert((Reverse(head.priority), turn, id));
                    if let Some(waiting) = self.lines.get_mut(&name.0) {
                        waiting.remove(id, head);
                    }
                }
                (Some(_), _) => continue,
                (None, _) => {}
            }
            line.head = line.behind.pop_first().map(|(_, _, id)| id);
            match line.head {
                None => drop(self.turns.lines.remove(&name)),
                Some(id) => {
                    if let Some(message) = self.messages.get(&id) {
                        self.lines.entry(name.0).or_default().insert(id, message, now);
                    }
                }
            }
        }
    }
}
