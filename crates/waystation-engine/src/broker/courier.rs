//! Takes what waits in a queue of the ledger to the same queue of the broker.
//!
//! A message is published and confirmed before the ledger notes that it was handed over. A crash
//! in between publishes it twice; the tracker knows the second run by its step.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::contract::Contract;
use waystation_core::id::{JobId, QueueName, StageId};
use waystation_core::port::{Error, Purpose, RECEIVE_MAX, Receive};
use waystation_core::settlement::{
    Delivery, Ended, Message, NewJob, Next, Settlement, Start, Turn,
};
use waystation_core::state::JobState;

use super::Books;
use crate::graph::Graph;

/// How long one receive waits. Wake-ups end it early; this only bounds it.
const RECEIVE_WAIT: Duration = Duration::from_secs(30);
/// A courier that dies leaves its messages to another one after this long.
const LEASE: Duration = Duration::from_secs(30);
/// The wait after one of the two could not be used: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The courier of one queue.
pub struct Courier {
    /// From the ledger to the broker.
    pub books: Books,
    /// A version of the pipeline that has the queue.
    pub graph: Arc<Graph>,
    /// Its stage that reads the queue.
    pub stage: StageId,
    /// The queue.
    pub queue: QueueName,
    /// Cancelled when it is to end.
    pub drain: CancellationToken,
}

impl Courier {
    /// Carries until it is to end, or until one of the two is gone for good.
    pub async fn run(self) -> Result<(), Error> {
        let mut pause = PAUSE;
        while let Some(received) = self.drain.run_until_cancelled(self.receive()).await {
            let carried = match received {
                Ok(deliveries) => self.carry(deliveries).await,
                Err(error) => Err(error),
            };
            match carried {
                Ok(()) => pause = PAUSE,
                Err(error) if error.retryable() => {
                    tracing::warn!(queue = %self.queue, %error, "not carried, trying on");
                    let _ = self.drain.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                // It waits for a broker that takes more, and the others go on.
                Err(error @ Error::TooLarge { .. }) => {
                    tracing::error!(queue = %self.queue, %error, "not carried");
                    let _ = self.drain.run_until_cancelled(tokio::time::sleep(PAUSE_MAX)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<Delivery>, Error> {
        let request = Receive {
            queue: self.queue.clone(),
            max: RECEIVE_MAX,
            wait: RECEIVE_WAIT,
            lease: LEASE,
            together: RECEIVE_MAX,
            purpose: Purpose::Carry,
        };
        self.books.ledger.receive(request).await
    }

    /// Publishes, then hands over; what cannot be published goes back.
    async fn carry(&self, deliveries: Vec<Delivery>) -> Result<(), Error> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let bytes_max = self.books.broker.capabilities().payload_bytes_max;
        let too_large = deliveries.iter().find(|one| one.body.len() > bytes_max);
        let too_large = too_large.map(|one| Error::TooLarge {
            job_id: job_id_of(one).to_string(),
            bytes: one.body.len(),
            bytes_max,
        });
        // What comes behind one that stays, of its key, stays with it.
        let mut stays = HashSet::new();
        let (deliveries, held): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|one| {
            let is_held = one.body.len() > bytes_max
                || one.key.as_ref().is_some_and(|key| stays.contains(key));
            if is_held {
                stays.extend(one.key.clone());
            }
            !is_held
        });
        let held: Vec<_> =
            held.into_iter().map(|one| self.settlement(one, Next::HandBack)).collect();
        let jobs: Vec<NewJob> = deliveries.iter().map(|one| self.message(one)).collect();
        let published = self.books.broker.submit(jobs, None).await;
        let next = if published.is_ok() { Next::HandOver } else { Next::HandBack };
        let settlements: Vec<_> =
            deliveries.into_iter().map(|one| self.settlement(one, next.clone())).collect();
        let settlements: Vec<_> = settlements.into_iter().chain(held).collect();
        let settled = self.books.ledger.settle(settlements.into()).await;
        published?;
        settled?;
        too_large.map_or(Ok(()), Err)
    }

    /// The message as the broker's queue takes it, without an event: the ledger has them.
    fn message(&self, delivery: &Delivery) -> NewJob {
        NewJob {
            job_id: job_id_of(delivery),
            pipeline: self.graph.pipeline.name.clone(),
            pipeline_version: self.graph.version,
            dedupe: None,
            parent: None,
            start: Start::Queue(Message {
                queue: self.queue.clone(),
                stage: self.stage.clone(),
                priority: delivery.priority,
                not_before: None,
                turn: delivery.key.clone().map(Turn::last),
                body: delivery.body.clone(),
            }),
            events: Vec::new(),
        }
    }

    fn settlement(&self, delivery: Delivery, next: Next) -> Settlement {
        Settlement {
            job_id: job_id_of(&delivery),
            pipeline: self.graph.pipeline.name.clone(),
            pipeline_version: self.graph.version,
            ended: Ended::Delivery(delivery.lease),
            next,
            state: JobState::Queued,
            stage: self.stage.clone(),
            events: Vec::new(),
            log: Vec::new(),
            children: Vec::new(),
        }
    }
}

/// For messages only: what the body is, is found out by the worker that gets it.
fn job_id_of(delivery: &Delivery) -> JobId {
    Contract::parse(&delivery.body).map_or_else(|_| JobId::from(""), |contract| contract.job_id)
}
