//! The queue port: every call becomes one command of the writer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::port::{
    Capabilities, Depth, Error, Extended, Queue, Receive, check_batch, check_jobs,
    check_settlements,
};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};

use crate::Sqlite;
use crate::writer::Command;

#[async_trait]
impl Queue for Sqlite {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: true,
            priority: true,
            keys: true,
            partitions: false,
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
        check_jobs(&jobs, self.shared.options.payload_bytes_max)?;
        self.shared.writer.ask(|reply| Command::Submit { jobs, checkpoint, reply }).await?
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        self.shared.writer.receive(request).await
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        check_batch(leases.len())?;
        self.shared.writer.ask(|reply| Command::Extend { leases, lease, reply }).await
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        check_settlements(&settlements, self.shared.options.payload_bytes_max)?;
        self.shared.writer.ask(|reply| Command::Settle { settlements, reply }).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let queue = queue.clone();
        let now = self.shared.clock.now();
        self.read(move |connection| crate::reader::depth(connection, &queue, now)).await
    }
}
