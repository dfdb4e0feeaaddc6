//! A broker's queue and a store's books as one backend.
//!
//! What people and sources want is a transaction of the ledger; the [`courier`] takes its messages
//! to the broker. Workers hand jobs on from broker to broker and write a journal; the [`tracker`]
//! brings it into the ledger. Both may run in any number of processes.

mod bus;
mod clerks;
mod courier;
mod depths;
mod early;
mod foreign;
mod partitions;
mod tracker;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::journal::Entry;
use waystation_core::port::{
    Capabilities, Depth, Error, Extended, Journal, Ledger, Parted, Parts, Queue, Receive,
    check_jobs,
};
use waystation_core::settlement::{Delivery, Ended, Lease, NewJob, Settled, Settlement, Submitted};

pub use bus::JoinedBus;
pub use clerks::Clerks;
pub use depths::Told;
pub use partitions::Owner;

/// What joins a broker and a store.
#[derive(Clone)]
pub struct Books {
    /// Where workers take jobs from and hand them on.
    pub broker: Arc<dyn Queue>,
    /// What they write of it.
    pub journal: Arc<dyn Journal>,
    /// Where it is kept, and where people act.
    pub ledger: Arc<dyn Ledger>,
    /// Held by the one tracker that reads the journal here, of those of all engines.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Books {
    /// Joins them.
    pub fn new(broker: Arc<dyn Queue>, journal: Arc<dyn Journal>, ledger: Arc<dyn Ledger>) -> Self {
        Self { broker, journal, ledger, turn: Arc::default() }
    }
}

/// The queue of a broker with a ledger beside it.
pub struct Brokered {
    broker: Arc<dyn Queue>,
    ledger: Arc<dyn Ledger>,
}

impl Brokered {
    /// Joins the two.
    pub fn new(books: &Books) -> Self {
        Self { broker: Arc::clone(&books.broker), ledger: Arc::clone(&books.ledger) }
    }
}

#[async_trait]
impl Queue for Brokered {
    fn capabilities(&self) -> Capabilities {
        let (broker, ledger) = (self.broker.capabilities(), self.ledger.capabilities());
        Capabilities {
            durable: broker.durable && ledger.durable,
            payload_bytes_max: broker.payload_bytes_max.min(ledger.payload_bytes_max),
            ..broker
        }
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error> {
        check_jobs(&jobs, self.capabilities().payload_bytes_max)?;
        self.ledger.submit(jobs, checkpoint).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        self.broker.receive(request).await
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        self.broker.extend(leases, lease).await
    }

    /// Deliveries end on the broker, tasks and dead letters in the ledger.
    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        let is_delivery = |one: &Settlement| matches!(one.ended, Ended::Delivery(_));
        if settlements.iter().all(is_delivery) {
            return self.broker.settle(settlements).await;
        }
        if !settlements.iter().any(is_delivery) {
            return self.ledger.settle(settlements).await;
        }
        let message = "deliveries and tasks are not settled in one batch".to_owned();
        Err(Error::Broken { name: "broker with a ledger".to_owned(), message })
    }

    async fn began(&self, entry: Entry) -> Result<(), Error> {
        self.broker.began(entry).await
    }

    async fn leave(&self, queue: &QueueName) -> Result<(), Error> {
        self.broker.leave(queue).await
    }

    async fn make_room(&self, queue: &QueueName, out: usize) -> Result<(), Error> {
        self.broker.make_room(queue, out).await
    }

    async fn abandon(&self, leases: &[Lease]) -> Result<(), Error> {
        self.broker.abandon(leases).await
    }

    async fn part(&self, queue: &QueueName, parts: &Parts) -> Result<Parted, Error> {
        self.broker.part(queue, parts).await
    }

    /// What waits for the courier counts as well.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let (broker, ledger) = (self.broker.depth(queue).await?, self.ledger.depth(queue).await?);
        Ok(Depth {
            ready: broker.ready + ledger.ready + ledger.leased,
            priority: broker.priority + ledger.priority,
            delayed: broker.delayed + ledger.delayed,
            behind: broker.behind + ledger.behind,
            leased: broker.leased,
            oldest: broker.oldest.into_iter().chain(ledger.oldest).min(),
        })
    }
}
