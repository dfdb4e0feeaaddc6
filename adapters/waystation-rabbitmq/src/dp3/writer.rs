//! Puts messages into the queues of an application's workers.
//!
//! Every message is persistent, has to reach a queue, and is confirmed by the broker before a call
//! returns. What stands in the way is waited for, up to a deadline: a full queue, a queue or an
//! exchange that is not there yet, a broker that is away.

use std::num::NonZeroU16;
use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use tokio::time::Instant;
use waystation_core::port;

use super::Broker;
use super::fields::Wrong;
use super::message::Message;
use super::names::{App, Lane};
use super::topology::{self, CHECK_DELAYS, Topology};
use crate::error::{explain_declare, is_not_found};

pub use super::broadcast::Missed;

/// How long a message is tried unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest message: more than this many bytes are refused by newer brokers, too.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The wait between two tries: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What was sent is waited for at least so long, past the deadline if need be: else nobody would
/// know whether it is with the broker.
const CONFIRM_MIN: Duration = Duration::from_secs(2);
const PERSISTENT: u8 = 2;

/// How a writer goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a message is tried before the writer gives it up.
    pub patience: Duration,
    /// The waits between the looks of [`TaskQueueWriter::check`].
    pub check_delays: Vec<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: PATIENCE, check_delays: CHECK_DELAYS.to_vec() }
    }
}

/// Why a message is not with a worker's queue.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// DP3 would not take it.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// It is larger than a message may be.
    #[error("a message of {bytes} bytes is larger than the {MESSAGE_BYTES_MAX} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The queue took no more, up to the deadline.
    #[error("the queue of worker {worker} behind `{exchange}` is full (hint: does it run?)")]
    Full {
        /// The exchange it was sent to.
        exchange: String,
        /// Whose queue.
        worker: u16,
    },
    /// There is no queue for this worker, or it is not bound.
    #[error("`{exchange}` has no queue for worker {worker} (hint: `waystation dp3 declare`)")]
    Unroutable {
        /// The exchange it was sent to.
        exchange: String,
        /// Which worker.
        worker: u16,
    },
    /// There is no such exchange.
    #[error("exchange `{exchange}` is not declared (hint: `waystation dp3 declare`)")]
    NotDeclared {
        /// Its name.
        exchange: String,
    },
    /// The broker took the message and did not confirm it in time: it may be in the queue or not.
    #[error("worker {worker}: `{exchange}` did not confirm the message: it may be there or not")]
    Unconfirmed {
        /// The exchange it was sent to.
        exchange: String,
        /// Which worker.
        worker: u16,
    },
    /// The broker is away, or does not allow it.
    #[error(transparent)]
    Broker(#[from] port::Error),
}

impl Error {
    /// Whether trying again can help. The writer has tried up to its deadline.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Wrong(_) | Self::TooLarge { .. } => false,
            Self::Broker(error) => error.retryable(),
            _ => true,
        }
    }

    /// In which state of the trouble it is; each is told once.
    fn phrase(&self) -> &'static str {
        match self {
            Self::Full { .. } => "queue is full, trying on",
            Self::Unroutable { .. } => "no queue for this worker, trying on",
            Self::NotDeclared { .. } => "no such exchange, trying on",
            Self::Unconfirmed { .. } => "not confirmed, trying on",
            Self::Broker(_) => "broker is away, trying on",
            Self::Wrong(_) | Self::TooLarge { .. } => "message is refused",
        }
    }
}

/// Puts messages into the queues of an application's workers. Clones are cheap.
///
/// A call that is given up leaves nothing behind but, perhaps, its message in the queue: the
/// channel that it used is closed with it.
#[derive(Clone)]
pub struct TaskQueueWriter {
    topology: Topology,
    workers: NonZeroU16,
    options: Options,
}

/// A message on its way.
pub(super) struct Outgoing {
    pub exchange: ShortString,
    pub body: Vec<u8>,
    /// The same whenever it is sent again.
    message_id: ShortString,
}

impl TaskQueueWriter {
    /// A writer for an application with so many workers. Everybody who writes must know the same
    /// number: it decides whose an entity is.
    pub fn new(broker: &Broker, app: App, workers: NonZeroU16, options: Options) -> Self {
        Self { topology: Topology::new(broker, app), workers, options }
    }

    /// Looks whether the exchanges of tasks are there, up to five times as DP3 does.
    pub async fn check(&self) -> Result<(), topology::Error> {
        self.topology.check_writing(self.workers, &self.options.check_delays).await
    }

    /// How many workers there are.
    pub fn workers(&self) -> NonZeroU16 {
        self.workers
    }

    /// Puts a message into the queue of the worker whose it is. The lane matters for tasks alone.
    ///
    /// Durable when it returns. Not idempotent: one that failed as [`Error::Unconfirmed`] may be
    /// there. Cancel-safe in the sense that nothing of the writer is lost; whether the message was
    /// sent is not known then.
    pub async fn put(&self, message: &Message, lane: Lane) -> Result<(), Error> {
        let outgoing = self.outgoing(message, lane)?;
        let worker = message.worker(self.workers);
        let missed = self.deliver(&outgoing, vec![worker]).await;
        missed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Puts the same message into the queues of all workers, 0 to the last. No worker is waited for
    /// longer than the writer's patience, and none keeps the others from getting it.
    pub async fn broadcast(&self, message: &Message, lane: Lane) -> Result<(), Missed> {
        let all: Vec<u16> = (0..self.workers.get()).collect();
        let outgoing = match self.outgoing(message, lane) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                let missed = all.into_iter().map(|worker| (worker, error.clone())).collect();
                return Err(Missed { reached: Vec::new(), missed });
            }
        };
        let missed = self.deliver(&outgoing, all.clone()).await;
        if missed.is_empty() {
            return Ok(());
        }
        let is_missed = |worker: &u16| missed.iter().any(|(missed, _)| missed == worker);
        let reached = all.into_iter().filter(|worker| !is_missed(worker)).collect();
        Err(Missed { reached, missed })
    }

    fn outgoing(&self, message: &Message, lane: Lane) -> Result<Outgoing, Error> {
        let body = message.to_bytes()?;
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(Error::TooLarge { bytes: body.len() });
        }
        let exchange = self.topology.app.exchange(message.feed().role(lane));
        let message_id = format!("{:032x}", fastrand::u128(..)).into();
        Ok(Outgoing { exchange, body, message_id })
    }

    /// Tries until every worker has it, or the deadline has come. Tells who has not.
    async fn deliver(&self, outgoing: &Outgoing, workers: Vec<u16>) -> Vec<(u16, Error)> {
        let until = Instant::now() + self.options.patience;
        let mut given_up = Vec::new();
        let mut open = workers;
        let mut pause = PAUSE;
        let mut told = "";
        loop {
            let missed = self.try_each(outgoing, open, until).await;
            let (again, hopeless): (Vec<_>, Vec<_>) =
                missed.into_iter().partition(|(_, error)| error.retryable());
            given_up.extend(hopeless);
            let Some((worker, error)) = again.first() else { break };
            if told != error.phrase() {
                told = error.phrase();
                tracing::warn!(exchange = %outgoing.exchange, worker, %error, "{told}");
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                given_up.extend(again);
                break;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSE_MAX);
            open = again.into_iter().map(|(worker, _)| worker).collect();
        }
        if !told.is_empty() && given_up.is_empty() {
            tracing::info!(exchange = %outgoing.exchange, "message is with its queue after all");
        }
        given_up.sort_unstable_by_key(|(worker, _)| *worker);
        given_up
    }

    /// Sends it once, and hears what the broker says.
    pub(super) async fn attempt(
        &self,
        outgoing: &Outgoing,
        worker: u16,
        until: Instant,
    ) -> Result<(), Error> {
        let until = until.max(Instant::now() + CONFIRM_MIN);
        let link = self.topology.link();
        let Ok(session) = tokio::time::timeout_at(until, link.next_session()).await else {
            return Err(link.down().into());
        };
        let session = session.ok_or_else(|| link.down())?;
        let sending = async {
            let channel = session.publisher().await?;
            let sent = channel.basic_publish(
                outgoing.exchange.clone(),
                worker.to_string().into(),
                BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
                &outgoing.body,
                self.properties(outgoing),
            );
            let confirmation = sent.await?.await?;
            // One message at a time was on it: whatever the answer is, it was for this one.
            session.give_back(channel);
            lapin::Result::Ok(confirmation)
        };
        let exchange = outgoing.exchange.to_string();
        match tokio::time::timeout_at(until, sending).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)))) => {
                Err(Error::Unroutable { exchange, worker })
            }
            Ok(Ok(Confirmation::Nack(None) | Confirmation::NotRequested)) => {
                Err(Error::Full { exchange, worker })
            }
            Ok(Err(error)) if is_not_found(&error) => Err(Error::NotDeclared { exchange }),
            Ok(Err(error)) => {
                let what = format!("exchange `{exchange}`");
                Err(explain_declare(link.name(), &what, &error).into())
            }
            Err(_) => Err(Error::Unconfirmed { exchange, worker }),
        }
    }

    fn properties(&self, outgoing: &Outgoing) -> BasicProperties {
        let now = self.topology.broker.clock().now();
        BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_message_id(outgoing.message_id.clone())
            .with_timestamp(u64::try_from(now.0 / 1_000).unwrap_or_default())
    }
}
