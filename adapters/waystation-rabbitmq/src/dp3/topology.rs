//! What a DP3 application needs on its broker: declared, looked for, taken away.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use waystation_core::port;

use super::Broker;
use super::names::{App, Lane, Role, dead_letter_arguments};
use crate::error::{explain_declare, is_not_found, is_otherwise};
use crate::link::{Link, RECONNECT, Session};

pub use super::removal::{Busy, Removed};

/// The most messages of a normal lane unless somebody says otherwise: what DP3's script says.
pub const LANE_LIMIT: NonZeroU32 = NonZeroU32::new(10_000).expect("above zero");
/// DP3 looks five times for what is not there, and waits so long after each.
pub const CHECK_DELAYS: [Duration; 5] = RECONNECT;

/// How an application's queues are declared.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most messages of a worker's normal lane; more are refused, and their writers wait.
    pub lane_limit: NonZeroU32,
}

impl Default for Options {
    fn default() -> Self {
        Self { lane_limit: LANE_LIMIT }
    }
}

/// Why an application's queues are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Some of them are not there.
    #[error("{} (hint: `waystation dp3 declare {app} --workers {workers}`)", join(missing))]
    NotDeclared {
        /// Of which application.
        app: App,
        /// For how many workers it was looked.
        workers: NonZeroU16,
        /// How much was looked for.
        wanted: usize,
        /// What is not there.
        missing: Vec<Missing>,
    },
    /// One is there, and otherwise than it is declared here.
    #[error("{what} is there with other settings: {message} (hint: {hint})", hint = OTHERWISE)]
    Otherwise {
        /// Which.
        what: String,
        /// What the broker said.
        message: String,
    },
    /// It is not taken away while somebody may still want it.
    #[error("{} (hint: --force deletes them all the same)", join(busy))]
    Busy {
        /// What is in the way.
        busy: Vec<Busy>,
    },
    /// The broker did not do it.
    #[error(transparent)]
    Broker(#[from] port::Error),
}

const OTHERWISE: &str = "the lane limit must be the one that it was declared with; to change it, \
                         let the workers empty the queues, and declare with --delete first";

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An exchange, of this name.
    Exchange(String),
    /// A queue, of this name.
    Queue(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(name) => write!(formatter, "exchange `{name}` is not declared"),
            Self::Queue(name) => write!(formatter, "queue `{name}` is not declared"),
        }
    }
}

fn join(list: &[impl fmt::Display]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a DP3 application has on its broker.
#[derive(Clone)]
pub struct Topology {
    pub(super) broker: Broker,
    pub(super) app: App,
}

/// What was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// So many exchanges.
    pub exchanges: usize,
    /// So many queues, that of the dead letters among them.
    pub queues: usize,
}

impl Topology {
    /// That of an application. Nothing is asked of the broker yet.
    pub fn new(broker: &Broker, app: App) -> Self {
        Self { broker: broker.clone(), app }
    }

    /// Declares it for so many workers: exchanges, queues and what binds them, all durable, as
    /// DP3's script does, and a queue of dead letters. What is there already stays as it is.
    ///
    /// Idempotent, and of no harm when it is given up half-way: done again it is whole.
    pub async fn declare(&self, workers: NonZeroU16, options: &Options) -> Result<Declared, Error> {
        let session = self.link().session().await?;
        let channel = self.channel(&session).await?;
        for role in Role::ALL {
            self.declare_exchange(&channel, role).await?;
        }
        for worker in 0..workers.get() {
            for role in Role::ALL {
                let arguments = role.arguments(options.lane_limit);
                let queue = self.app.queue(worker, role);
                self.declare_queue(&channel, &queue, arguments).await?;
                let (exchange, key) = (self.app.exchange(role), worker.to_string());
                self.bind(&channel, &queue, &exchange, &key).await?;
            }
        }
        let dead_letters = self.app.dead_letters();
        match self.declare_queue(&channel, &dead_letters, dead_letter_arguments()).await {
            Ok(()) => {
                let _ = channel.close(200, "done".into()).await;
            }
            // It is not DP3's: whoever wants it otherwise may have it so.
            Err(Error::Otherwise { .. }) => {
                tracing::info!(queue = %dead_letters, "queue is there otherwise, used as it is");
            }
            Err(error) => return Err(error),
        }
        let queues = usize::from(workers.get()) * Role::ALL.len() + 1;
        Ok(Declared { exchanges: Role::ALL.len(), queues })
    }

    /// Looks for all of it, as often as there are delays, and once more; tells what is not there
    /// at last. Nothing is declared.
    pub async fn check(&self, workers: NonZeroU16, delays: &[Duration]) -> Result<(), Error> {
        let exchanges = Role::ALL.map(|role| self.app.exchange(role)).to_vec();
        let of_worker = |worker| Role::ALL.map(|role| self.app.queue(worker, role));
        let queues = (0..workers.get()).flat_map(of_worker).collect();
        self.look_again(workers, Wanted { exchanges, queues }, delays).await
    }

    /// The same for what a writer needs: the exchanges of tasks.
    pub(super) async fn check_writing(
        &self,
        workers: NonZeroU16,
        delays: &[Duration],
    ) -> Result<(), Error> {
        let lanes = [Lane::Normal, Lane::Priority];
        let exchanges = lanes.map(|lane| self.app.exchange(Role::Tasks(lane))).to_vec();
        self.look_again(workers, Wanted { exchanges, queues: Vec::new() }, delays).await
    }

    /// The same for what a reader needs: its queues.
    pub(super) async fn check_reading(
        &self,
        worker: u16,
        queues: Vec<ShortString>,
        delays: &[Duration],
    ) -> Result<(), Error> {
        let workers = NonZeroU16::MIN.saturating_add(worker);
        self.look_again(workers, Wanted { exchanges: Vec::new(), queues }, delays).await
    }

    async fn look_again(
        &self,
        workers: NonZeroU16,
        wanted: Wanted,
        delays: &[Duration],
    ) -> Result<(), Error> {
        let mut delays = delays.iter();
        loop {
            let missing = self.look(&wanted).await?;
            if missing.is_empty() {
                return Ok(());
            }
            let Some(delay) = delays.next() else {
                let (app, wanted) =
                    (self.app.clone(), wanted.exchanges.len() + wanted.queues.len());
                return Err(Error::NotDeclared { app, workers, wanted, missing });
            };
            tracing::warn!(app = %self.app, ?delay, missing = join(&missing), "not declared yet");
            tokio::time::sleep(*delay).await;
        }
    }

    async fn look(&self, wanted: &Wanted) -> Result<Vec<Missing>, Error> {
        let session = self.link().session().await?;
        let mut channel = self.channel(&session).await?;
        let mut missing = Vec::new();
        for name in &wanted.exchanges {
            let passive =
                ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            let (kind, table) = (ExchangeKind::Direct, FieldTable::default());
            match channel.exchange_declare(name.clone(), kind, passive, table).await {
                Ok(()) => {}
                Err(error) if is_not_found(&error) => {
                    missing.push(Missing::Exchange(name.to_string()));
                    // That answer closed it.
                    channel = self.channel(&session).await?;
                }
                Err(error) => return Err(self.explain(&format!("exchange `{name}`"), &error)),
            }
        }
        for name in &wanted.queues {
            if self.found(&session, &mut channel, name).await?.is_none() {
                missing.push(Missing::Queue(name.to_string()));
            }
        }
        let _ = channel.close(200, "done".into()).await;
        Ok(missing)
    }

    /// How many messages wait in a queue and how many consumers it has; `None` when it is not
    /// there. Then the channel is another one.
    pub(super) async fn found(
        &self,
        session: &Session,
        channel: &mut Channel,
        queue: &ShortString,
    ) -> Result<Option<(u32, u32)>, Error> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match channel.queue_declare(queue.clone(), passive, FieldTable::default()).await {
            Ok(found) => Ok(Some((found.message_count(), found.consumer_count()))),
            Err(error) if is_not_found(&error) => {
                *channel = self.channel(session).await?;
                Ok(None)
            }
            Err(error) => Err(self.explain(&format!("queue `{queue}`"), &error)),
        }
    }

    async fn declare_exchange(&self, channel: &Channel, role: Role) -> Result<(), Error> {
        let exchange = self.app.exchange(role);
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let (kind, table) = (ExchangeKind::Direct, FieldTable::default());
        let declared = channel.exchange_declare(exchange.clone(), kind, durable, table).await;
        declared.map_err(|error| self.explain(&format!("exchange `{exchange}`"), &error))
    }

    async fn declare_queue(
        &self,
        channel: &Channel,
        queue: &ShortString,
        arguments: FieldTable,
    ) -> Result<(), Error> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(queue.clone(), durable, arguments).await;
        declared.map_err(|error| self.explain(&format!("queue `{queue}`"), &error))?;
        Ok(())
    }

    async fn bind(
        &self,
        channel: &Channel,
        queue: &ShortString,
        exchange: &ShortString,
        key: &str,
    ) -> Result<(), Error> {
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let (queue, exchange) = (queue.clone(), exchange.clone());
        let bound = channel.queue_bind(queue.clone(), exchange, key.into(), options, table).await;
        bound.map_err(|error| self.explain(&format!("queue `{queue}`"), &error))
    }

    pub(super) fn link(&self) -> &Link {
        self.broker.link()
    }

    pub(super) async fn channel(&self, session: &Session) -> Result<Channel, Error> {
        let channel = session.declaring_channel().await;
        Ok(channel.map_err(|error| self.link().explain(&error))?)
    }

    pub(super) fn explain(&self, what: &str, error: &lapin::Error) -> Error {
        if is_otherwise(error) {
            return Error::Otherwise { what: what.to_owned(), message: error.to_string() };
        }
        explain_declare(self.link().name(), what, error).into()
    }
}

/// What is looked for.
struct Wanted {
    exchanges: Vec<ShortString>,
    queues: Vec<ShortString>,
}
