//! Those who keep a broker and its ledger together: a courier for each queue, the tracker, and who
//! looks after partitions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waystation_core::id::{QueueName, StageId};
use waystation_core::port::Error;

use super::Books;
use super::courier::Courier;
use super::early::Early;
use super::partitions::{Owner, Partitions, Wishes};
use super::tracker::Tracker;
use crate::backend::Backend;
use crate::definition::Registry;
use crate::engine::EngineError;
use crate::graph::Graph;

/// How long the last entries of the journal are waited for when an engine ends.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// The tasks beside the workers. There are none where queue and store are one.
pub struct Clerks {
    books: Option<Books>,
    tasks: JoinSet<Result<(), Error>>,
    /// The queues that have a courier.
    carried: BTreeSet<QueueName>,
    /// Into how many partitions queues are to be parted.
    wishes: Wishes,
    /// Cancelled when the couriers are to end.
    drain: CancellationToken,
    /// Cancelled when the tracker is to end.
    finish: CancellationToken,
}

impl Clerks {
    /// Starts the tracker, for a process that works on this pipeline.
    pub fn start(
        backend: &Backend,
        running: Arc<Graph>,
        registry: Registry,
        owner: Owner,
        drain: CancellationToken,
    ) -> Self {
        let mut clerks = Self {
            books: backend.books.clone(),
            tasks: JoinSet::new(),
            carried: BTreeSet::new(),
            wishes: Wishes::default(),
            drain,
            finish: CancellationToken::new(),
        };
        if let Some(books) = &clerks.books {
            let tracker = Tracker {
                books: books.clone(),
                bus: Arc::clone(&backend.bus),
                clock: Arc::clone(&backend.clock),
                running,
                registry,
                finish: clerks.finish.clone(),
                early: Early::default(),
                reminded: None,
            };
            clerks.tasks.spawn(tracker.run());
            if books.broker.capabilities().partitions {
                let (broker, wishes) = (Arc::clone(&books.broker), clerks.wishes.clone());
                let partitions = Partitions::new(broker, backend.clone(), owner, wishes);
                clerks.tasks.spawn(partitions.run(clerks.drain.clone()));
            }
        }
        clerks
    }

    /// Hires a courier for each queue of these versions that needs one and has none.
    pub fn hire(&mut self, living: &[Arc<Graph>]) {
        for graph in living {
            for (stage, queue) in graph.queues() {
                self.carry(graph, stage, &queue);
            }
        }
    }

    /// Hires a courier for a queue, unless it has one.
    pub fn carry(&mut self, graph: &Arc<Graph>, stage: &StageId, queue: &QueueName) {
        let Some(books) = &self.books else { return };
        self.wishes.add(graph, stage, queue);
        if !self.carried.insert(queue.clone()) {
            return;
        }
        let courier = Courier {
            books: books.clone(),
            graph: Arc::clone(graph),
            stage: stage.clone(),
            queue: queue.clone(),
            drain: self.drain.clone(),
        };
        self.tasks.spawn(courier.run());
    }

    /// The end of one of them, which comes before its time when the backend is gone for good.
    pub async fn ended(&mut self) -> Option<Result<(), EngineError>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.map_err(EngineError::from).and_then(|result| result.map_err(EngineError::from)))
    }

    /// Lets them finish what the workers left.
    pub async fn finish(&mut self) {
        self.drain.cancel();
        self.finish.cancel();
        let finishing = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_MAX, finishing).await.is_err() {
            // Another process goes on from there.
            self.tasks.shutdown().await;
            if let Some(books) = &self.books
                && let Err(error) = books.journal.leave().await
            {
                tracing::warn!(%error, "the journal is left by its connection's end");
            }
        }
    }
}
