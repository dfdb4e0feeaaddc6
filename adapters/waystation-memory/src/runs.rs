//! Messages of one key that are handed out together.
//!
//! With the head of a line those directly behind it may go out: a *run*. They are *out behind* the
//! head then, leased as it is, but nothing about them holds before it is gone. The first of them
//! comes up to the head when that leaves, as it is. One that is given back or whose lease runs out
//! before falls back to its place in line. Where the next head is one of those, all that is still
//! out behind it falls back as well.

use crate::state::{QueuedMessage, State};
use crate::turns::{LineName, Spot};

impl State {
    /// Takes up to so many that are directly behind this head, to be handed out with it. What was
    /// handed out before goes alone, and so does what kept the place of such.
    pub fn take_run(&mut self, head: i64, max: usize) -> Vec<i64> {
        let Some(message) = self.messages.get(&head).filter(|one| one.is_untried(head)) else {
            return Vec::new();
        };
        let Some(line) = message.line().and_then(|name| self.turns.lines.get_mut(&name)) else {
            return Vec::new();
        };
        if !line.out.is_empty() {
            return Vec::new();
        }
        let messages = &self.messages;
        let is_untried = |(.., id): &&Spot| messages.get(id).is_some_and(|one| one.is_untried(*id));
        let run: Vec<Spot> = line.behind.iter().take_while(is_untried).take(max).copied().collect();
        for spot in &run {
            line.behind.remove(spot);
            line.out.insert(*spot);
        }
        run.into_iter().map(|(.., id)| id).collect()
    }

    /// Whether a message is out, but not at the head of its line.
    pub fn is_out_behind(&self, id: i64) -> bool {
        let is_out = |message: &QueuedMessage| {
            let line = self.turns.lines.get(&message.line()?)?;
            Some(line.out.contains(&message.spot(id)?))
        };
        self.messages.get(&id).and_then(is_out).unwrap_or(false)
    }

    /// Brings the first that is out behind to the head, where that is gone. Its delivery counts
    /// from now on. Tells whether it did.
    pub fn bring_up(&mut self, name: &LineName) -> bool {
        let Some(line) = self.turns.lines.get_mut(name).filter(|line| line.head.is_none()) else {
            return false;
        };
        let Some(&first) = line.out.first() else { return false };
        let may_be_before = (first.0, i64::MIN, i64::MIN)..first;
        if line.behind.range(may_be_before).next().is_none() {
            let (.., id) = first;
            line.out.remove(&first);
            line.head = Some(id);
            if let Some(message) = self.messages.get_mut(&id) {
                message.deliveries = message.deliveries.saturating_add(1);
            }
            return true;
        }
        for spot in std::mem::take(&mut line.out) {
            line.behind.insert(spot);
            let Some(message) = self.messages.get_mut(&spot.2) else { continue };
            if let Some(waiting) = self.lines.get_mut(&name.0) {
                waiting.remove(spot.2, message);
            }
            message.token = None;
            message.leased_until = None;
        }
        false
    }

    /// Lets a message come up to the head of its line, if all before it have left by now.
    pub fn come_up(&mut self, id: i64) {
        if let Some(name) = self.messages.get(&id).and_then(QueuedMessage::line) {
            self.bring_up(&name);
        }
    }

    /// Puts a message that was out behind another one back to its place in line, as if it had never
    /// been handed out. False when it was not out so: then its line is only looked at again.
    pub fn fall_back(&mut self, id: i64, message: &mut QueuedMessage) -> bool {
        let (Some(name), Some(spot)) = (message.line(), message.spot(id)) else { return false };
        let line = self.turns.touch(name);
        let was_out = line.out.remove(&spot);
        if was_out {
            line.behind.insert(spot);
            message.token = None;
        }
        was_out
    }
}
