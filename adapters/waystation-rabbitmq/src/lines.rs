//! The lines of one queue: the queue itself, and the partitions of its keys as far as this process
//! was told of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::port::{Generation, Parts};

use crate::line::{Fetched, Kind, Line, Receipt, Want, take_of};
use crate::link::Link;

/// Makes lines of one queue.
pub struct Maker {
    /// The broker.
    pub link: Arc<Link>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The queue.
    pub base: String,
    /// Cancelled with the last user of the broker.
    pub closed: CancellationToken,
}

/// The lines of one queue.
pub struct Lines {
    maker: Maker,
    arrived: Arc<Notify>,
    /// What has no key.
    plain: Arc<Line>,
    parts: Mutex<Taken>,
    /// From which one is taken first.
    turn: AtomicUsize,
    /// One at a time parts the queue.
    pub parting: tokio::sync::Mutex<()>,
}

/// The partitions.
#[derive(Default)]
struct Taken {
    /// What was told last.
    told: Option<Parts>,
    /// All that there ever were here, in the order of their numbers.
    lines: Vec<Arc<Line>>,
    by_part: HashMap<(u32, u32), Arc<Line>>,
    /// Those of the former generation that are no more.
    emptied: BTreeSet<u32>,
    /// Those of it that are not taken from while it is seen whether they hold anything.
    resting: BTreeSet<u32>,
}

impl Lines {
    /// Nothing is consumed yet.
    pub fn open(maker: Maker) -> Arc<Self> {
        let arrived = Arc::new(Notify::new());
        let plain = maker.line(Kind::Work, 0, &arrived);
        let (parts, turn, parting) = <_>::default();
        Arc::new(Self { maker, arrived, plain, parts, turn, parting })
    }

    /// Takes up to this many; waits for the first. Cancel-safe.
    pub async fn take(&self, want: &Want) -> Vec<(Receipt, Fetched)> {
        take_of(|| self.in_turn(), &self.arrived, &self.maker.closed, want).await
    }

    /// The line that something was taken from.
    pub fn of(&self, receipt: Receipt) -> Option<Arc<Line>> {
        match usize::try_from(receipt.line()).ok()?.checked_sub(1) {
            None => Some(Arc::clone(&self.plain)),
            Some(place) => self.parts().lines.get(place).cloned(),
        }
    }

    /// The line of what has no key.
    pub fn plain(&self) -> &Arc<Line> {
        &self.plain
    }

    /// All lines.
    pub fn all(&self) -> Vec<Arc<Line>> {
        let parts = self.parts();
        [&self.plain].into_iter().chain(&parts.lines).cloned().collect()
    }

    /// Nothing more is wanted of any.
    pub async fn leave(&self) {
        futures_util::future::join_all(self.all().iter().map(|line| line.leave())).await;
    }

    /// What was told last.
    pub fn told(&self) -> Option<Parts> {
        self.parts().told.clone()
    }

    /// From now on these are to be taken from. Answers those that are not any more.
    pub fn tell(&self, parts: &Parts) -> Vec<Arc<Line>> {
        let mut taken = self.parts();
        if taken.told.as_ref().and_then(|told| told.former) != parts.former {
            taken.emptied.clear();
            taken.resting.clear();
        }
        taken.told = Some(parts.clone());
        let mine = self.mine(&mut taken);
        let is_mine = |line: &Arc<Line>| mine.iter().any(|(_, mine)| Arc::ptr_eq(mine, line));
        let others = taken.lines.iter().filter(|line| !is_mine(line)).cloned().collect();
        drop(taken);
        // Whoever waits is to look at them.
        self.arrived.notify_waiters();
        others
    }

    /// The partitions that are this process's, of the generation that is taken from.
    pub fn owned(&self) -> Vec<(u32, Arc<Line>)> {
        self.mine(&mut self.parts())
    }

    /// A partition of the former generation is no more.
    pub fn note_emptied(&self, number: u32) {
        self.parts().emptied.insert(number);
    }

    /// Those of the former generation that are no more.
    pub fn emptied(&self) -> BTreeSet<u32> {
        self.parts().emptied.clone()
    }

    /// One is not taken from for now.
    pub fn rest(&self, number: u32) {
        self.parts().resting.insert(number);
    }

    /// One is taken from again.
    pub fn wake(&self, number: u32) {
        if self.parts().resting.remove(&number) {
            self.arrived.notify_waiters();
        }
    }

    /// Whether one is not taken from, here.
    pub fn rests(&self, number: u32) -> bool {
        self.parts().resting.contains(&number)
    }

    fn mine(&self, taken: &mut Taken) -> Vec<(u32, Arc<Line>)> {
        let Some(told) = taken.told.clone() else { return Vec::new() };
        let Generation { number: generation, .. } = told.taken();
        let numbers = told.mine.iter().filter(|number| !taken.emptied.contains(number)).copied();
        let mut mine = Vec::new();
        for number in numbers.collect::<Vec<_>>() {
            let line = taken.by_part.entry((generation, number)).or_insert_with(|| {
                let kind = Kind::Part { generation, number };
                let place = taken.lines.len() as u64 + 1;
                let line = self.maker.line(kind, place, &self.arrived);
                taken.lines.push(Arc::clone(&line));
                line
            });
            mine.push((number, Arc::clone(line)));
        }
        mine
    }

    /// What is taken from, each time from another one on.
    fn in_turn(&self) -> Vec<Arc<Line>> {
        let mut lines = vec![Arc::clone(&self.plain)];
        let owned = self.owned().into_iter().filter(|(number, _)| !self.rests(*number));
        lines.extend(owned.map(|(_, line)| line));
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % lines.len();
        lines.rotate_left(first);
        lines
    }

    fn parts(&self) -> MutexGuard<'_, Taken> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maker {
    /// A line that nobody asks of yet.
    pub fn line(&self, kind: Kind, number: u64, arrived: &Arc<Notify>) -> Arc<Line> {
        let (link, clock) = (Arc::clone(&self.link), Arc::clone(&self.clock));
        let (base, arrived, closed) = (self.base.clone(), Arc::clone(arrived), self.closed.clone());
        Line::open(link, clock, base, kind, number, arrived, closed)
    }
}
