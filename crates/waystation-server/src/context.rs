//! What every route has at hand.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::job::Count;
use waystation_core::port::{self, Depth};
use waystation_core::statistics::{Period, Statistic, minute};
use waystation_engine::remote::Remote;
use waystation_engine::{Backend, Client, Depths};

use crate::access::Access;
use crate::cached::Cached;
use crate::live::Hub;
use crate::metrics::Meters;
use crate::options::{Limits, Options};
use crate::routes::{self, Operations};

/// How long what is counted over all jobs is kept, at least.
const COUNTS_KEPT: Duration = Duration::from_secs(1);
/// How far back the minutes go that pages look at.
const MINUTES_BACK: Duration = Duration::from_hours(1);

/// What every route has at hand. Clones share it.
#[derive(Clone)]
pub struct Context(Arc<Shared>);

struct Shared {
    client: Client,
    access: Access,
    options: Options,
    operations: Operations,
    meters: Meters,
    stopping: CancellationToken,
    remote: Remote,
    counts: Cached<Vec<Count>>,
    depths: Cached<Depths>,
    minutes: Cached<Vec<Statistic>>,
    live: Hub,
    ever: Cached<Vec<Statistic>>,
}

impl Context {
    /// A context over this client.
    pub fn new(client: Client, access: Access, remote: Remote, options: Options) -> Self {
        Self(Arc::new(Shared {
            client,
            access,
            options,
            operations: Operations::of(&routes::openapi()),
            meters: Meters::default(),
            stopping: CancellationToken::new(),
            remote,
            counts: Cached::new(COUNTS_KEPT),
            depths: Cached::new(COUNTS_KEPT)
                .with_stopgaps(|depths: &Depths| depths.unreached.is_some()),
            minutes: Cached::new(COUNTS_KEPT),
            live: Hub::default(),
            ever: Cached::new(COUNTS_KEPT),
        }))
    }

    /// Asks things of the backend.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The ports.
    pub fn backend(&self) -> &Backend {
        self.0.client.backend()
    }

    /// Who may do what.
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// How much is taken.
    pub fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    /// What the server was told.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Whether the server listens on this machine alone.
    pub fn is_local(&self) -> bool {
        self.0.options.address.ip().is_loopback()
    }

    /// What requests are called.
    pub fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// Cancelled when the server stops: nothing is waited for any longer.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Hands out work to programs in any language.
    pub fn remote(&self) -> &Remote {
        &self.0.remote
    }

    /// What the server measures of itself.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// What happens, for those who follow it.
    pub fn live(&self) -> &Hub {
        &self.0.live
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.backend().clock.now()
    }

    /// How many jobs stand where, as of a moment ago.
    pub async fn counts(&self) -> Result<Arc<Vec<Count>>, port::Error> {
        let store = Arc::clone(&self.backend().store);
        self.0.counts.get(move || async move { store.counts(None).await }).await
    }

    /// How much waits in each queue, as of a moment ago.
    pub async fn depths(&self) -> Result<Arc<Vec<(QueueName, Depth)>>, port::Error> {
        Ok(Arc::clone(&self.known_depths().await?.queues))
    }

    /// Why a broker beside the store did not say what it has, as of a moment ago.
    pub async fn unreached_broker(&self) -> Result<Option<String>, port::Error> {
        Ok(self.known_depths().await?.unreached.clone())
    }

    async fn known_depths(&self) -> Result<Arc<Depths>, port::Error> {
        let client = self.client().clone();
        self.0.depths.get(move || async move { client.depths().await }).await
    }

    /// What was counted in each of the last sixty minutes and in this one, as of a moment ago.
    pub async fn minutes(&self) -> Result<Arc<Vec<Statistic>>, port::Error> {
        let (store, now) = (Arc::clone(&self.backend().store), self.now());
        let period = Period::Minutes(minute(now.minus(MINUTES_BACK)), now);
        self.0.minutes.get(move || async move { store.statistics(period).await }).await
    }

    /// What was counted since ever, as of a moment ago.
    pub async fn ever(&self) -> Result<Arc<Vec<Statistic>>, port::Error> {
        let store = Arc::clone(&self.backend().store);
        self.0.ever.get(move || async move { store.statistics(Period::Ever).await }).await
    }
}
