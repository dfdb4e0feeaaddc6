//! The queue port: every call becomes one command of the writer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Capabilities, Depth, Error, Extended, Queue, Receive, SETTLE_MAX};
use waystation_core::settlement::{
    Delivery, Lease, NewJob, Next, Settled, Settlement, Start, Submitted,
};

use crate::Postgres;
use crate::writer::Command;

#[async_trait]
impl Queue for Postgres {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: true,
            priority: true,
            atomic_settlement: true,
            durable: true,
            payload_bytes_max: self.shared.options.payload_bytes_max,
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
        self.shared.writer.ask(|reply| Command::Submit { jobs, checkpoint, reply }).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        self.shared.writer.receive(request).await
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        check_batch(leases.len())?;
        self.shared.writer.ask(|reply| Command::Extend { leases, lease, reply }).await
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        check_batch(settlements.len())?;
        for settlement in &*settlements {
            if let Some(message) = settlement.senseless() {
                let name = format!("settlement of job {}", settlement.job_id);
                return Err(Error::Broken { name, message: message.to_owned() });
            }
            let body = match &settlement.next {
                Next::Enqueue(message) => &message.body,
                Next::Park(task) => &task.body,
                Next::End { body, failure: None } => body,
                // What failed is kept as it was delivered, whatever the limit is by now.
                Next::End { .. } | Next::HandBack | Next::Drop => continue,
            };
            self.check_body(settlement.job_id.as_str(), body)?;
        }
        self.shared.writer.ask(|reply| Command::Settle { settlements, reply }).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        self.shared.reader.depth(queue, self.shared.clock.now()).await
    }
}

impl Postgres {
    fn check_body(&self, job_id: &str, body: &[u8]) -> Result<(), Error> {
        let bytes_max = self.shared.options.payload_bytes_max;
        if body.len() <= bytes_max {
            return Ok(());
        }
        Err(Error::TooLarge { job_id: job_id.to_owned(), bytes: body.len(), bytes_max })
    }
}

fn check_batch(entries: usize) -> Result<(), Error> {
    if entries <= SETTLE_MAX {
        return Ok(());
    }
    Err(Error::BatchTooLarge { entries, entries_max: SETTLE_MAX })
}
