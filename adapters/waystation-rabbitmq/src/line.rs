//! One queue as this process consumes it: what the broker pushed and nobody has settled yet.
//!
//! States: *idle* (nobody ever asked, or everybody left), *consuming*, *cut off* (the channel is
//! gone; consuming is taken up again as soon as there is a session). Each channel is an epoch:
//! what was fetched in an earlier one is no longer ours, the broker hands it out again.

mod consuming;
mod fetched;
mod owning;
mod tags;
mod turns;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::key::Key;
use waystation_core::port::RECEIVE_MAX;
use waystation_core::settlement::Lease;

use crate::link::Link;
use crate::publisher::{DELIVERIES, NOT_BEFORE, Outgoing};
use crate::topology::{Part, PartLane, QueueKey, Role};

pub use consuming::patience;
pub use fetched::Fetched;
use tags::Tags;

/// The longest wait of one take.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// How long leaving may take before it is left to the end of the channel.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// A queue that is consumed.
pub struct Line {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    base: String,
    kind: Kind,
    state: Mutex<State>,
    /// Something came to be taken, from this line or another one of its queue.
    arrived: Arc<Notify>,
    /// Somebody wants more than before, or nothing any more.
    asked: Notify,
    /// One at a time acknowledges or puts back: what is joined must not cover what another one is
    /// about to say.
    acknowledging: tokio::sync::Mutex<()>,
    /// Cancelled with the last user of the broker.
    closed: CancellationToken,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stage's queue and its priority lane.
    Work,
    /// A partition's queues, which one consumer at a time has for itself.
    Part {
        /// Of which generation.
        generation: u32,
        /// Which partition of it.
        number: u32,
    },
    /// The journal, which one consumer at a time has for itself.
    Journal,
}

#[derive(Default)]
struct State {
    epoch: u64,
    channel: Option<Channel>,
    tags: Tags,
    /// Whether the broker lets nobody else consume.
    owns: bool,
    /// Of so many that came back it is still to be taken that the owner before had them out.
    suspects: usize,
    /// The most that somebody asked for at a time. Nothing is wanted while it is zero.
    capacity: usize,
    /// Told once nothing is fetched ahead any more.
    leaving: Vec<oneshot::Sender<()>>,
}

/// What somebody wants to take.
pub struct Want {
    /// At most so many, those aside that come together.
    pub max: usize,
    /// Of each key so many together at most.
    pub together: usize,
    /// How long to wait for the first.
    pub wait: Duration,
}

/// What there is room for in one answer.
#[derive(Clone, Copy)]
pub struct Room {
    /// At most so many, those aside that come together.
    pub max: usize,
    /// Of each key so many together at most.
    pub together: usize,
    /// At most so many in all.
    pub in_all: usize,
}

impl Room {
    /// For so many, one of each key.
    #[cfg(test)]
    fn of(max: usize) -> Self {
        Self { max, together: 1, in_all: max }
    }
}

/// Takes from lines in turn; waits for the first. Cancel-safe. The lines may change meanwhile.
pub async fn take_of(
    lines: impl Fn() -> Vec<Arc<Line>>,
    arrived: &Notify,
    closed: &CancellationToken,
    want: &Want,
) -> Vec<(Receipt, Fetched)> {
    let until = Instant::now() + want.wait.min(WAIT_MAX);
    loop {
        // Listens before it looks, so that nothing comes unheard in between.
        let arrived = arrived.notified();
        tokio::pin!(arrived);
        arrived.as_mut().enable();
        let lines = lines();
        let mut taken = Vec::new();
        for line in &lines {
            line.ask(want.max);
            let (max, together) = (want.max.saturating_sub(taken.len()), want.together);
            let in_all = RECEIVE_MAX.saturating_sub(taken.len());
            taken.extend(line.take_now(Room { max, together, in_all }));
        }
        if !taken.is_empty() {
            return taken;
        }
        if Instant::now() >= until || closed.is_cancelled() {
            return Vec::new();
        }
        let due = lines.iter().filter_map(|line| line.due_in()).min();
        let look_again = due.map_or(until, |due| until.min(Instant::now() + due));
        let _ = tokio::time::timeout_at(look_again, arrived).await;
    }
}

/// Names what was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of which channel: its line's number, and its own.
    pub epoch: u64,
    /// Its number there.
    pub tag: u64,
}

/// How many channels a line may have after one another.
const EPOCHS: u64 = 1 << 40;

impl Receipt {
    /// The number of the line that it is of.
    pub fn line(self) -> u64 {
        self.epoch / EPOCHS
    }

    /// What a lease stands for.
    pub fn of(lease: &Lease) -> Self {
        Self { epoch: lease.token, tag: lease.delivery_id as u64 }
    }
}

impl Line {
    /// A line that nobody asks of yet. Its number tells its receipts from those of other lines of
    /// its queue.
    pub fn open(
        link: Arc<Link>,
        clock: Arc<dyn Clock>,
        base: String,
        kind: Kind,
        number: u64,
        arrived: Arc<Notify>,
        closed: CancellationToken,
    ) -> Arc<Self> {
        let line = Arc::new(Self {
            link,
            clock,
            base,
            kind,
            state: Mutex::new(State { epoch: number * EPOCHS, ..State::default() }),
            arrived,
            asked: Notify::new(),
            acknowledging: tokio::sync::Mutex::default(),
            closed: closed.clone(),
        });
        let task = Arc::clone(&line);
        tokio::spawn(async move { closed.run_until_cancelled(task.keep_consuming()).await });
        line
    }

    /// Takes up to this many; waits for the first. Cancel-safe.
    pub async fn take(self: &Arc<Self>, max: usize, wait: Duration) -> Vec<(Receipt, Fetched)> {
        let of = || vec![Arc::clone(self)];
        take_of(of, &self.arrived, &self.closed, &Want { max, together: 1, wait }).await
    }

    /// Takes what is there.
    fn take_now(&self, want: Room) -> Vec<(Receipt, Fetched)> {
        let mut state = self.state();
        if want.max == 0 || (state.capacity == 0 && self.is_part()) {
            // What is to be given up begins no more.
            return Vec::new();
        }
        let epoch = state.epoch;
        let taken = state.tags.take(want, self.clock.now());
        taken.into_iter().map(|(tag, fetched)| (Receipt { epoch, tag }, fetched)).collect()
    }

    /// In how long something that is held back can be taken.
    fn due_in(&self) -> Option<Duration> {
        self.state().tags.next_due().map(|due| due.since(self.clock.now()))
    }

    /// Whether what was fetched is still ours.
    pub fn holds(&self, receipt: Receipt) -> bool {
        let state = self.state();
        state.epoch == receipt.epoch && state.tags.holds(receipt.tag)
    }

    /// How many deliveries somebody works on.
    pub fn out(&self) -> u64 {
        self.state().tags.out()
    }

    /// Takes what was fetched out of everybody's hands, to end it. `None` when it is not ours.
    pub fn close(&self, receipt: Receipt) -> Option<Fetched> {
        let mut state = self.state();
        if state.epoch == receipt.epoch { state.tags.close(receipt.tag) } else { None }
    }

    /// Gives it back into the hands that had it: it could not be ended.
    pub fn reopen(&self, receipt: Receipt, fetched: Fetched) {
        let mut state = self.state();
        if state.epoch == receipt.epoch {
            state.tags.reopen(receipt.tag, fetched);
        }
    }

    /// Acknowledges what was closed. What cannot be acknowledged any more comes again.
    pub async fn acknowledge(&self, receipts: &[Receipt]) {
        let _one_at_a_time = self.acknowledging.lock().await;
        let (channel, acks) = {
            let mut state = self.state();
            let epoch = state.epoch;
            let tags = receipts.iter().filter(|one| one.epoch == epoch).map(|one| one.tag);
            let acks = state.tags.acknowledge(tags.collect(), self.clock.now());
            (state.channel.clone(), acks)
        };
        self.moved_on();
        let Some(channel) = channel else { return };
        for (tag, multiple) in acks {
            if let Err(error) = channel.basic_ack(tag, BasicAckOptions { multiple }).await {
                tracing::warn!(queue = self.base, %error, "not acknowledged, it will come again");
                return;
            }
        }
    }

    /// The place of this one's key is kept for what is about to be published again. With the end of
    /// its channel nothing is kept any more: whoever owns the partition then sees for itself.
    pub fn expect(&self, receipt: Receipt, key: &Key) {
        let mut state = self.state();
        if state.epoch == receipt.epoch {
            state.tags.expect(key);
        }
    }

    /// It was not published, after all.
    pub fn expect_no_more(&self, receipt: Receipt, key: &Key) {
        {
            let mut state = self.state();
            if state.epoch == receipt.epoch {
                state.tags.expect_no_more(key, self.clock.now());
            }
        }
        self.moved_on();
    }

    /// Puts what was closed back to its place before those of its key.
    pub fn give_back_in_place(&self, receipt: Receipt, fetched: Fetched) {
        {
            let mut state = self.state();
            if state.epoch == receipt.epoch {
                state.tags.give_back(receipt.tag, fetched, self.clock.now());
            }
        }
        self.moved_on();
    }

    /// Others of a key can be taken, or the partition can be given up.
    fn moved_on(&self) {
        if self.is_part() {
            self.arrived.notify_waiters();
            self.asked.notify_one();
        }
    }

    /// Where what keeps its place goes, where there is such.
    pub fn retries(&self) -> Option<Role> {
        let Kind::Part { generation, number } = self.kind else { return None };
        Some(Role::Part(Part { generation, number, lane: PartLane::Retry }))
    }

    /// Whether it is a partition's.
    pub fn is_part(&self) -> bool {
        matches!(self.kind, Kind::Part { .. })
    }

    /// Whether the partition is this process's by now.
    pub fn owns(&self) -> bool {
        self.state().owns
    }

    /// How many stand behind others of their key here.
    pub fn behind(&self) -> u64 {
        self.state().tags.behind()
    }

    /// Whether nothing was fetched that is not acknowledged.
    pub fn has_nothing(&self) -> bool {
        self.state().tags.has_nothing()
    }

    /// Nothing more is wanted: what was fetched and not taken returns, uncounted.
    pub async fn leave(&self) {
        let left = {
            let mut state = self.state();
            if state.capacity == 0 {
                return;
            }
            state.capacity = 0;
            let (sender, left) = oneshot::channel();
            state.leaving.push(sender);
            left
        };
        self.asked.notify_one();
        let _ = tokio::time::timeout(LEAVE_MAX, left).await;
    }

    /// The same message for the same queue, as if it had not been handed out this time.
    pub fn copy(&self, fetched: &Fetched) -> Outgoing {
        let role = if fetched.priority > 0 { Role::Priority } else { Role::Work };
        let mut copy = Outgoing::new(QueueKey::of(&self.base, role), fetched.body.clone());
        if let Some(moment) = fetched.not_before {
            copy = copy.number(NOT_BEFORE, moment.0);
        }
        match i64::from(fetched.deliveries.saturating_sub(1)) {
            0 => copy,
            before => copy.number(DELIVERIES, before),
        }
    }

    /// So many are to be out at a time, whoever takes them.
    pub fn make_room(&self, out: usize) {
        self.ask(out);
    }

    fn ask(&self, max: usize) {
        let mut state = self.state();
        if max > state.capacity {
            state.capacity = max;
            drop(state);
            self.asked.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
