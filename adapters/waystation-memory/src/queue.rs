//! The queue port: checks what comes in, visits the state, wakes and waits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::port::{
    Bus, Capabilities, Depth, Error, Extended, Queue, RECEIVE_MAX, Receive, SETTLE_MAX, Signal,
};
use waystation_core::settlement::{
    Delivery, Lease, NewJob, Next, Settled, Settlement, Start, Submitted,
};

use crate::Memory;

/// Stands for a wait that is too long to be added to the present moment.
const WAIT_MAX: Duration = Duration::from_hours(24 * 365);

#[async_trait]
impl Queue for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: true,
            priority: true,
            atomic_settlement: true,
            durable: false,
            payload_bytes_max: self.payload_bytes_max,
        }
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error> {
        check_batch(jobs.len())?;
        for job in &jobs {
            let body = match &job.start {
                Start::Queue(message) => &message.body,
                Start::Inbox(task) => &task.body,
            };
            self.check_body(job.job_id.as_str(), body)?;
        }
        let submitted = self.visit(|state, now| state.submit(jobs, checkpoint, now));
        if submitted.iter().any(|answer| matches!(answer, Submitted::Created(_))) {
            self.publish(Signal::Changed);
        }
        Ok(submitted)
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        let max = request.max.min(RECEIVE_MAX);
        if max == 0 {
            return Ok(Vec::new());
        }
        let wait_ends = Instant::now() + request.wait.min(WAIT_MAX);
        let arrived = self.visit(|state, _| state.line(&request.queue).arrived.clone());
        loop {
            // Listens before it looks, so that nothing comes unheard in between.
            let notified = arrived.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (received, now) = self.visit(|state, now| (state.receive(&request, max, now), now));
            if received.changed {
                self.publish(Signal::Changed);
            }
            if !received.deliveries.is_empty() || Instant::now() >= wait_ends {
                return Ok(received.deliveries);
            }
            let look_again = received
                .look_again
                .map(|moment| Instant::now() + moment.since(now).min(WAIT_MAX))
                .map_or(wait_ends, |moment| moment.min(wait_ends));
            tokio::select! {
                () = notified => {}
                () = tokio::time::sleep_until(look_again) => {}
            }
        }
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        check_batch(leases.len())?;
        Ok(self
            .visit(|state, now| leases.iter().map(|held| state.extend(held, lease, now)).collect()))
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        check_batch(settlements.len())?;
        for settlement in &*settlements {
            self.check_settlement(settlement)?;
        }
        let settled: Vec<_> = self.visit(|state, now| {
            settlements.iter().map(|one| state.settle(one.clone(), now)).collect()
        });
        if settled.iter().any(|answer| *answer != Settled::Lost) {
            self.publish(Signal::Changed);
        }
        Ok(settled)
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        Ok(self.visit(|state, now| state.depth(queue, now)))
    }
}

impl Memory {
    fn check_settlement(&self, settlement: &Settlement) -> Result<(), Error> {
        if let Some(message) = settlement.senseless() {
            let name = "memory".to_owned();
            return Err(Error::Broken { name, message: message.to_owned() });
        }
        let body = match &settlement.next {
            Next::Enqueue(message) => &message.body,
            Next::Park(task) => &task.body,
            Next::End { body, failure: None } => body,
            // What failed is kept as it was delivered, whatever the limit is by now.
            Next::End { .. } | Next::HandBack | Next::Drop => return Ok(()),
        };
        self.check_body(settlement.job_id.as_str(), body)
    }
}

fn check_batch(entries: usize) -> Result<(), Error> {
    if entries <= SETTLE_MAX {
        return Ok(());
    }
    Err(Error::BatchTooLarge { entries, entries_max: SETTLE_MAX })
}
