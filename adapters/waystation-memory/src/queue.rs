//! The queue port: checks what comes in, visits the state, wakes and waits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::port::{
    Bus, Capabilities, Depth, Error, Extended, Queue, RECEIVE_MAX, Receive, Signal, check_batch,
    check_jobs, check_settlements,
};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};

use crate::Memory;

/// Stands for a wait that is too long to be added to the present moment.
const WAIT_MAX: Duration = Duration::from_hours(24 * 365);

#[async_trait]
impl Queue for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: true,
            priority: true,
            keys: true,
            partitions: false,
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
        check_jobs(&jobs, self.payload_bytes_max)?;
        let (submitted, marked) = self.visit(|state, now| {
            let submitted = state.submit(jobs, checkpoint, now);
            (submitted, std::mem::take(&mut state.marked))
        });
        let submitted = submitted?;
        if submitted.iter().any(Submitted::is_new) {
            self.publish(Signal::Changed);
        }
        for (job_id, reason) in marked {
            self.publish(Signal::Abort { job_id, reason });
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
        check_settlements(&settlements, self.payload_bytes_max)?;
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
