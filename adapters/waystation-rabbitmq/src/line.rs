//! One queue as this process consumes it: what the broker pushed and nobody has settled yet.
//!
//! States: *idle* (nobody ever asked, or everybody left), *consuming*, *cut off* (the channel is
//! gone; consuming is taken up again as soon as there is a session). Each channel is an epoch:
//! what was fetched in an earlier one is no longer ours, the broker hands it out again.

mod consuming;
mod fetched;
mod tags;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::settlement::Lease;

use crate::link::Link;
use crate::publisher::{DELIVERIES, NOT_BEFORE, Outgoing};
use crate::topology::{QueueKey, Role};

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
    /// Something came to be taken.
    arrived: Notify,
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
    /// The journal, which one consumer at a time has for itself.
    Journal,
}

#[derive(Default)]
struct State {
    epoch: u64,
    channel: Option<Channel>,
    tags: Tags,
    /// The most that somebody asked for at a time. Nothing is wanted while it is zero.
    capacity: usize,
    /// Told once nothing is fetched ahead any more.
    leaving: Vec<oneshot::Sender<()>>,
}

/// Names what was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of which channel.
    pub epoch: u64,
    /// Its number there.
    pub tag: u64,
}

impl Receipt {
    /// What a lease stands for.
    pub fn of(lease: &Lease) -> Self {
        Self { epoch: lease.token, tag: lease.delivery_id as u64 }
    }
}

impl Line {
    /// A line that nobody asks of yet.
    pub fn open(
        link: Arc<Link>,
        clock: Arc<dyn Clock>,
        base: String,
        kind: Kind,
        closed: CancellationToken,
    ) -> Arc<Self> {
        let line = Arc::new(Self {
            link,
            clock,
            base,
            kind,
            state: Mutex::default(),
            arrived: Notify::new(),
            asked: Notify::new(),
            acknowledging: tokio::sync::Mutex::default(),
            closed: closed.clone(),
        });
        let task = Arc::clone(&line);
        tokio::spawn(async move { closed.run_until_cancelled(task.keep_consuming()).await });
        line
    }

    /// Takes up to this many; waits for the first. Cancel-safe.
    pub async fn take(&self, max: usize, wait: Duration) -> Vec<(Receipt, Fetched)> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        self.ask(max);
        loop {
            // Listens before it looks, so that nothing comes unheard in between.
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let now = self.clock.now();
            let due = {
                let mut state = self.state();
                let epoch = state.epoch;
                let taken = state.tags.take(max, now);
                if !taken.is_empty() {
                    let receipt = |(tag, fetched)| (Receipt { epoch, tag }, fetched);
                    return taken.into_iter().map(receipt).collect();
                }
                state.tags.next_due().map(|due| Instant::now() + due.since(now))
            };
            if Instant::now() >= until || self.closed.is_cancelled() {
                return Vec::new();
            }
            let look_again = due.map_or(until, |due| due.min(until));
            let _ = tokio::time::timeout_at(look_again, arrived).await;
        }
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
            let acks = state.tags.acknowledge(tags.collect());
            (state.channel.clone(), acks)
        };
        let Some(channel) = channel else { return };
        for (tag, multiple) in acks {
            if let Err(error) = channel.basic_ack(tag, BasicAckOptions { multiple }).await {
                tracing::warn!(queue = self.base, %error, "not acknowledged, it will come again");
                return;
            }
        }
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
