//! The queue port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::journal::{self, Entry};
use waystation_core::port::{
    Capabilities, Depth, Error, Extended, Queue, RECEIVE_MAX, Receive, check_batch, check_jobs,
    check_settlements,
};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Start, Submitted};

use crate::Redis;
use crate::line::{Claimed, Receipt};
use crate::scripts::{DEPTH, EXTEND};
use crate::topology::queue as base_of;

#[async_trait]
impl Queue for Redis {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: true,
            priority: true,
            keys: true,
            partitions: false,
            atomic_settlement: false,
            durable: self.shared.durable,
            payload_bytes_max: self.shared.link.options().payload_bytes_max,
        }
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error> {
        check_jobs(&jobs, self.shared.link.options().payload_bytes_max)?;
        if checkpoint.is_some() {
            let message = "a broker keeps no checkpoints (hint: sources need a store beside it)";
            let name = self.shared.link.name().to_owned();
            return Err(Error::Broken { name, message: message.to_owned() });
        }
        let messages = jobs.iter().filter_map(|job| match &job.start {
            Start::Queue(message) => Some(message),
            Start::Inbox(_) => None,
        });
        let events = jobs.iter().flat_map(journal::encode_created);
        self.write(messages.collect(), events.collect()).await?;
        Ok(jobs.into_iter().map(|job| Submitted::Created(job.job_id)).collect())
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        let max = request.max.min(RECEIVE_MAX);
        if max == 0 {
            return Ok(Vec::new());
        }
        let line = self.line(&request.queue);
        let taken = line.take(max, request.wait, request.lease).await?;
        let deliver = |claimed: Claimed| Delivery {
            lease: Lease {
                queue: request.queue.clone(),
                delivery_id: claimed.receipt.delivery_id,
                token: claimed.receipt.token,
            },
            body: claimed.body,
            priority: claimed.receipt.priority(),
            key: claimed.key,
            deliveries: claimed.deliveries,
            enqueued_at: claimed.enqueued_at,
        };
        Ok(taken.into_iter().map(deliver).collect())
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        check_batch(leases.len())?;
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut bases = Bases::default();
        let mut extend = EXTEND.arg(lease.as_millis().max(1) as u64);
        for lease in &leases {
            let receipt = Receipt::of(lease);
            let place = bases.place(&lease.queue);
            extend.arg(place).arg(receipt.priority()).arg(receipt.token);
        }
        for queue in bases.queues {
            extend.key(base_of(self.shared.link.options(), queue));
        }
        let held: Vec<bool> = self.shared.link.call(&extend).await?;
        let answer = |held| if held { Extended::Held } else { Extended::Lost };
        Ok(held.into_iter().map(answer).collect())
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        check_settlements(&settlements, self.shared.link.options().payload_bytes_max)?;
        self.settle_all(&settlements).await
    }

    async fn began(&self, entry: Entry) -> Result<(), Error> {
        self.write(Vec::new(), journal::encode(&entry)).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let link = &self.shared.link;
        let depth = DEPTH.key(base_of(link.options(), queue));
        let [ready, delayed, behind, leased, oldest, urgent]: [i64; 6] = link.call(&depth).await?;
        // What a foreign reader acknowledged twice is not counted below zero.
        let count = |number| u64::try_from(number).unwrap_or(0);
        Ok(Depth {
            ready: count(ready),
            priority: count(urgent),
            delayed: count(delayed),
            behind: count(behind),
            leased: count(leased),
            oldest: (oldest >= 0).then_some(Timestamp(oldest)),
        })
    }
}

impl Receipt {
    /// What a lease stands for.
    pub fn of(lease: &Lease) -> Self {
        Self { delivery_id: lease.delivery_id, token: lease.token }
    }
}

/// The queues that a script is told of, each once.
#[derive(Default)]
pub struct Bases<'a> {
    /// In the order of their places.
    pub queues: Vec<&'a QueueName>,
}

impl<'a> Bases<'a> {
    /// Its place, counted from one.
    pub fn place(&mut self, queue: &'a QueueName) -> usize {
        let known = self.queues.iter().position(|known| *known == queue);
        let place = known.unwrap_or_else(|| {
            self.queues.push(queue);
            self.queues.len() - 1
        });
        place + 1
    }
}
