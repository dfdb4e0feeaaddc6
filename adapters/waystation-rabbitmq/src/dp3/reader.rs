//! Reads the queues of one worker of an application.
//!
//! States: *consuming*; *cut off* (the channel is gone, and consuming is taken up again as soon as
//! it can be); *stopping* (nothing is handed out any more, and what is in somebody's hands may
//! still be acknowledged); *quiet*, for good.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Broker;
use super::dead_letters;
use super::eid::Kinds;
use super::held::Held;
use super::message::Feed;
use super::names::{App, Lane};
use super::topology::{self, CHECK_DELAYS, Topology};
use crate::link::RECONNECT;

pub use super::held::{Received, Tag};

/// How many messages of each lane are fetched ahead: as many as DP3 does. They are not counted to
/// the limit of the lane.
const PREFETCH: NonZeroU16 = NonZeroU16::new(50).expect("above zero");
/// How many of the priority lane go first, in a row, while others wait.
const PRIORITY_RUN: NonZeroU16 = NonZeroU16::new(20).expect("above zero");
/// How long what is in somebody's hands is waited for at the end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long what cannot be put aside is kept before it returns to its queue.
const RETURN_PAUSE: Duration = Duration::from_secs(1);

/// How a reader goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which of the worker's queues it reads.
    pub feed: Feed,
    /// Whether the priority lane is read, where the feed has one.
    pub priority: bool,
    /// How many of the priority lane go first, in a row, before one of the normal lane that waits:
    /// 20. So the normal lane gets one message of 21 at least, and is never starved.
    pub priority_run: NonZeroU16,
    /// How many messages of each lane are fetched ahead: 50.
    pub prefetch: NonZeroU16,
    /// When a message is acknowledged.
    pub ack: Ack,
    /// What is known of the ids of entities.
    pub kinds: Kinds,
    /// How long [`TaskQueueReader::stop`] waits for what is in somebody's hands: 30 seconds.
    pub drain: Duration,
    /// The waits before consuming is tried again where it broke; the last one is repeated.
    pub retry_delays: Vec<Duration>,
    /// The waits between the looks of [`TaskQueueReader::check`].
    pub check_delays: Vec<Duration>,
}

/// When a message is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ack {
    /// When whoever took it says so: after the work. A crash before that has it come again.
    #[default]
    AfterWork,
    /// Before it is handed out, as DP3 does. A crash loses it.
    Early,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            feed: Feed::Tasks,
            priority: true,
            priority_run: PRIORITY_RUN,
            prefetch: PREFETCH,
            ack: Ack::AfterWork,
            kinds: Kinds::default(),
            drain: DRAIN,
            retry_delays: RECONNECT.to_vec(),
            check_delays: CHECK_DELAYS.to_vec(),
        }
    }
}

/// Reads the queues of one worker. Clones read the same; with the last one reading ends.
#[derive(Clone)]
pub struct TaskQueueReader {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

pub(super) struct Shared {
    pub broker: Broker,
    pub app: App,
    pub worker: u16,
    pub options: Options,
    held: Mutex<Held>,
    /// Something came, or nothing will come any more.
    pub arrived: Notify,
    /// Something was ended.
    pub ended: Notify,
    pub stopping: CancellationToken,
    /// Those who may acknowledge.
    pub handles: Weak<DropGuard>,
    /// True once nothing is consumed any more.
    pub quiet: watch::Sender<bool>,
}

impl TaskQueueReader {
    /// Begins to read. A broker that is away and queues that are not there are waited for.
    pub fn start(broker: &Broker, app: App, worker: u16, options: Options) -> Self {
        let stopping = broker.shared.closed.child_token();
        let guard = Arc::new(stopping.clone().drop_guard());
        let shared = Arc::new(Shared {
            broker: broker.clone(),
            app,
            worker,
            options,
            held: Mutex::default(),
            arrived: Notify::new(),
            ended: Notify::new(),
            stopping,
            handles: Arc::downgrade(&guard),
            quiet: watch::Sender::new(false),
        });
        tokio::spawn(Arc::clone(&shared).keep_consuming());
        Self { shared, _stop: guard }
    }

    /// Looks whether its queues are there, up to five times as DP3 does.
    pub async fn check(&self) -> Result<(), topology::Error> {
        let Shared { broker, app, worker, options, .. } = &*self.shared;
        let topology = Topology::new(broker, app.clone());
        let queues = self.shared.queues().into_iter().map(|(_, queue)| queue).collect();
        topology.check_reading(*worker, queues, &options.check_delays).await
    }

    /// The next message; `None` once the reader is stopped. Cancel-safe.
    pub async fn receive(&self) -> Option<Received> {
        let shared = &self.shared;
        loop {
            let arrived = shared.arrived.notified();
            tokio::pin!(arrived);
            // Whatever arrives from here on is heard of.
            arrived.as_mut().enable();
            if let Some(received) = shared.held().take_early() {
                return Some(received);
            }
            if shared.stopping.is_cancelled() {
                return None;
            }
            let taken = shared.held().take(shared.options.priority_run.get());
            match (taken, shared.options.ack) {
                (Some(received), Ack::AfterWork) => return Some(received),
                (Some(received), Ack::Early) => {
                    if let Some(received) = self.acknowledged_early(received).await {
                        return Some(received);
                    }
                }
                (None, _) => arrived.await,
            }
        }
    }

    /// Acknowledges a message whose work is done. False when it is not ours any more: its channel
    /// broke, it was ended before, or the reader is quiet. Then it comes again, here or elsewhere.
    /// True says that it is sent: a broker confirms no acknowledgement, and one that is lost with
    /// its connection has the message come again as well. Given up half-way, either may hold.
    ///
    /// With [`Ack::Early`] there is nothing left to do, and it is true.
    pub async fn acknowledge(&self, tag: Tag) -> bool {
        if self.shared.options.ack == Ack::Early {
            return true;
        }
        self.shared.acknowledge(tag).await
    }

    /// Returns a message to its queue as it is. False when it is not ours any more.
    pub async fn give_back(&self, tag: Tag) -> bool {
        self.shared.give_back(tag).await
    }

    /// Puts a message with the dead letters, with the reason, and acknowledges it then. Where they
    /// cannot be had it returns to its queue, and that is told. False when it is not ours any more,
    /// or returned.
    pub async fn put_aside(&self, tag: Tag, reason: &str) -> bool {
        self.shared.put_aside(tag, reason).await
    }

    /// Works at one message after the other until the reader is stopped: `Ok` acknowledges a
    /// message, `Err` puts it with the dead letters, with that reason.
    pub async fn run<W, F>(&self, mut work: W)
    where
        W: FnMut(Received) -> F + Send,
        F: Future<Output = Result<(), String>> + Send,
    {
        while let Some(received) = self.receive().await {
            let tag = received.tag;
            let kept = (received.lane, Arc::clone(&received.body));
            match (work(received).await, self.shared.options.ack) {
                (Ok(()), _) => {
                    self.acknowledge(tag).await;
                }
                (Err(reason), Ack::AfterWork) => {
                    self.put_aside(tag, &reason).await;
                }
                // It is acknowledged: the copy is all that there is.
                (Err(reason), Ack::Early) => self.shared.keep_copy(kept, &reason).await,
            }
        }
    }

    /// Ends reading; returns when all is quiet. What was fetched ahead returns to its queue. What
    /// is in somebody's hands may be acknowledged until [`Options::drain`] is over. Again, and from
    /// several places: they all wait for the one end.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        self.shared.arrived.notify_waiters();
        let mut quiet = self.shared.quiet.subscribe();
        // An error would say that the sender is gone, which we hold.
        let _ = quiet.wait_for(|quiet| *quiet).await;
    }

    /// Whether it is quiet, for good.
    pub fn is_stopped(&self) -> bool {
        *self.shared.quiet.borrow()
    }

    /// Acknowledges before anybody sees it. `None` when it is not ours any more.
    async fn acknowledged_early(&self, received: Received) -> Option<Received> {
        let channel = self.shared.held().end(received.tag)?;
        let number = received.tag.number;
        // Carried out even if nobody waits for it any more.
        let acknowledging = tokio::spawn(async move {
            channel.basic_ack(number, BasicAckOptions::default()).await.is_ok()
        });
        let mut kept = Kept { shared: &self.shared, received: Some(received) };
        let acknowledged = acknowledging.await.unwrap_or(false);
        let received = kept.received.take();
        self.shared.ended.notify_waiters();
        received.filter(|_| acknowledged)
    }
}

/// A message that is acknowledged for somebody who may give up waiting: then it is for the next.
struct Kept<'a> {
    shared: &'a Shared,
    received: Option<Received>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Some(received) = self.received.take() {
            self.shared.held().keep_early(received);
            self.shared.arrived.notify_waiters();
        }
    }
}

impl Shared {
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lanes that are read, each with its queue.
    pub fn queues(&self) -> Vec<(Lane, ShortString)> {
        let two = self.options.feed == Feed::Tasks && self.options.priority;
        let lanes: &[Lane] = if two { &[Lane::Priority, Lane::Normal] } else { &[Lane::Normal] };
        lanes.iter().map(|lane| (*lane, self.queue(*lane))).collect()
    }

    pub fn queue(&self, lane: Lane) -> ShortString {
        self.app.queue(self.worker, self.options.feed.role(lane))
    }

    async fn acknowledge(&self, tag: Tag) -> bool {
        let Some(channel) = self.held().end(tag) else { return false };
        let answer = channel.basic_ack(tag.number, BasicAckOptions::default()).await;
        self.ended.notify_waiters();
        answer
            .inspect_err(|error| tracing::warn!(%error, "not acknowledged, it comes again"))
            .is_ok()
    }

    async fn give_back(&self, tag: Tag) -> bool {
        let Some(channel) = self.held().end(tag) else { return false };
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        let answer = channel.basic_nack(tag.number, options).await;
        self.ended.notify_waiters();
        answer.is_ok()
    }

    pub async fn put_aside(&self, tag: Tag, reason: &str) -> bool {
        // It stays with whoever has it until the copy is there: given up half-way it comes again.
        let Some((lane, body)) = self.held().look(tag) else { return false };
        let queue = self.queue(lane);
        let put =
            dead_letters::put_aside(&self.broker, &self.app, queue.as_str(), &body, reason).await;
        match put {
            Ok(()) => {
                tracing::warn!(%queue, reason, "message is put with the dead letters");
                self.acknowledge(tag).await
            }
            Err(error) => {
                tracing::error!(%queue, reason, %error, "no dead letter is had, message returns");
                // It comes again at once; whatever is wrong will not be right that soon.
                self.stopping.run_until_cancelled(tokio::time::sleep(RETURN_PAUSE)).await;
                self.give_back(tag).await;
                false
            }
        }
    }

    async fn keep_copy(&self, (lane, body): (Lane, Arc<[u8]>), reason: &str) {
        let queue = self.queue(lane);
        let put =
            dead_letters::put_aside(&self.broker, &self.app, queue.as_str(), &body, reason).await;
        if let Err(error) = put {
            tracing::error!(%queue, reason, %error, "no dead letter is had, message is lost");
        }
    }
}
