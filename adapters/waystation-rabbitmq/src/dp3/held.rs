//! What a reader has of its queues: fetched and not taken yet, or taken and not acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lapin::Channel;

use super::message::Message;
use super::names::Lane;

/// The next channel's number: of all readers of the process, so that none takes another's tag for
/// its own.
static EPOCHS: AtomicU64 = AtomicU64::new(1);

/// Names a message that was taken: by the channel it came on, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

/// A message that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// What it is acknowledged by.
    pub tag: Tag,
    /// What it says.
    pub message: Message,
    /// By which lane it came.
    pub lane: Lane,
    /// It was handed out before, to this reader or to another one.
    pub redelivered: bool,
    /// As it came.
    pub(super) body: Arc<[u8]>,
}

/// What a reader has.
#[derive(Default)]
pub(super) struct Held {
    /// Counts the channels.
    pub epoch: u64,
    /// The one that is consumed on now.
    pub channel: Option<Channel>,
    priority: VecDeque<Received>,
    normal: VecDeque<Received>,
    /// Acknowledged early for somebody who did not wait for it: no broker has these any more.
    early: VecDeque<Received>,
    /// Taken and not acknowledged: by which lane they came, and how.
    out: HashMap<u64, (Lane, Arc<[u8]>)>,
    /// So many of the priority lane were taken in a row while the other one had something.
    streak: u16,
}

impl Held {
    /// A channel begins.
    pub fn begin(&mut self, channel: Channel) {
        self.cut_off();
        self.channel = Some(channel);
    }

    /// The channel is gone: whatever came on it comes again.
    pub fn cut_off(&mut self) {
        self.epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
        self.channel = None;
        self.priority.clear();
        self.normal.clear();
        self.out.clear();
        self.streak = 0;
    }

    pub fn arrive(&mut self, received: Received) {
        match received.lane {
            Lane::Priority => self.priority.push_back(received),
            Lane::Normal => self.normal.push_back(received),
        }
    }

    /// The next message: of the priority lane, unless as many as `priority_run` of it went before
    /// one of the normal lane that waits.
    pub fn take(&mut self, priority_run: u16) -> Option<Received> {
        let normal_waits = !self.normal.is_empty();
        let its_turn = normal_waits && self.streak >= priority_run;
        let turn = if its_turn || self.priority.is_empty() { Lane::Normal } else { Lane::Priority };
        let taken = match turn {
            Lane::Priority => {
                self.streak = if normal_waits { self.streak.saturating_add(1) } else { 0 };
                self.priority.pop_front()
            }
            Lane::Normal => {
                self.streak = 0;
                self.normal.pop_front()
            }
        }?;
        self.hold(taken.tag, taken.lane, Arc::clone(&taken.body));
        Some(taken)
    }

    /// Counts a message as taken.
    pub fn hold(&mut self, tag: Tag, lane: Lane, body: Arc<[u8]>) {
        self.out.insert(tag.number, (lane, body));
    }

    /// What somebody has taken, as it came.
    pub fn look(&self, tag: Tag) -> Option<(Lane, Arc<[u8]>)> {
        let out = self.out.get(&tag.number).filter(|_| tag.epoch == self.epoch);
        out.cloned()
    }

    /// Ends what somebody has taken, for whoever acknowledges it: one alone gets the channel.
    pub fn end(&mut self, tag: Tag) -> Option<Channel> {
        if tag.epoch != self.epoch {
            return None;
        }
        let channel = self.channel.clone()?;
        self.out.remove(&tag.number).map(|_| channel)
    }

    /// Keeps what is acknowledged already for whoever comes next.
    pub fn keep_early(&mut self, received: Received) {
        self.early.push_back(received);
    }

    pub fn take_early(&mut self) -> Option<Received> {
        self.early.pop_front()
    }

    /// Lets go of what nobody took.
    pub fn drop_untaken(&mut self) -> Vec<u64> {
        let untaken = self.priority.drain(..).chain(self.normal.drain(..));
        untaken.map(|received| received.tag.number).collect()
    }

    /// Whether nobody has anything to acknowledge.
    pub fn is_quiet(&self) -> bool {
        self.out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::DataPointTask;
    use super::*;

    fn received(number: u64, lane: Lane) -> Received {
        let message = DataPointTask::deleting("e", 1).into();
        let tag = Tag { epoch: 0, number };
        Received { tag, message, lane, redelivered: false, body: Arc::from(*b"{}") }
    }

    fn order(held: &mut Held, run: u16) -> Vec<u64> {
        std::iter::from_fn(|| held.take(run)).map(|taken| taken.tag.number).collect()
    }

    #[test]
    fn priority_goes_first_and_starves_nobody() {
        let mut held = Held::default();
        (1..=3).for_each(|number| held.arrive(received(number, Lane::Normal)));
        (11..=15).for_each(|number| held.arrive(received(number, Lane::Priority)));
        assert_eq!(order(&mut held, 2), [11, 12, 1, 13, 14, 2, 15, 3]);
        // A run counts only while somebody waits behind it.
        (21..=23).for_each(|number| held.arrive(received(number, Lane::Priority)));
        assert_eq!(order(&mut held, 2), [21, 22, 23]);
        held.arrive(received(24, Lane::Priority));
        held.arrive(received(4, Lane::Normal));
        assert_eq!(order(&mut held, 2), [24, 4]);
    }

    #[test]
    fn what_came_on_an_earlier_channel_is_nobodys() {
        let mut held = Held::default();
        held.arrive(received(1, Lane::Normal));
        let taken = held.take(1).expect("it came");
        assert!(!held.is_quiet());
        held.arrive(received(2, Lane::Normal));
        held.cut_off();
        assert!(held.is_quiet());
        assert!(held.end(taken.tag).is_none());
        assert_eq!(held.take(1), None);
    }
}
