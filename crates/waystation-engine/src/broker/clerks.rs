//! Those who keep a broker and its ledger together: a courier for each queue, and the tracker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waystation_core::id::StageId;
use waystation_core::pipeline::StageKind;
use waystation_core::port::{Error, Journal};

use super::Books;
use super::courier::Courier;
use super::early::Early;
use super::tracker::Tracker;
use crate::backend::Backend;
use crate::definition::{Definition, Registry};
use crate::engine::EngineError;
use crate::staff::Staff;

/// How long the last entries of the journal are waited for when an engine ends.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// The tasks beside the workers. There are none where queue and store are one.
pub struct Clerks {
    tasks: JoinSet<Result<(), Error>>,
    /// Cancelled when the couriers are to end.
    drain: CancellationToken,
    /// Cancelled when the tracker is to end.
    finish: CancellationToken,
    present: bool,
    journal: Option<Arc<dyn Journal>>,
}

impl Clerks {
    /// Starts them for the pipeline that these workers work on.
    pub fn start(staff: &Staff, backend: &Backend) -> Self {
        let finish = CancellationToken::new();
        let tasks = JoinSet::new();
        let mut clerks = Self {
            tasks,
            drain: staff.drain.clone(),
            finish,
            present: backend.books.is_some(),
            journal: backend.books.as_ref().map(|books| Arc::clone(&books.journal)),
        };
        if let Some(books) = &backend.books {
            clerks.hire(books, backend, &staff.definition, &staff.registry);
        }
        clerks
    }

    fn hire(
        &mut self,
        books: &Books,
        backend: &Backend,
        definition: &Arc<Definition>,
        registry: &Registry,
    ) {
        let mut queues = BTreeSet::new();
        for stage in couriered(definition) {
            let queue = definition.queue_of(&stage);
            if !queues.insert(queue.clone()) {
                continue;
            }
            let courier = Courier {
                books: books.clone(),
                definition: Arc::clone(definition),
                stage,
                queue,
                drain: self.drain.clone(),
            };
            self.tasks.spawn(courier.run());
        }
        let tracker = Tracker {
            books: books.clone(),
            bus: Arc::clone(&backend.bus),
            clock: Arc::clone(&backend.clock),
            definition: Arc::clone(definition),
            registry: registry.clone(),
            finish: self.finish.clone(),
            early: Early::default(),
        };
        self.tasks.spawn(tracker.run());
    }

    /// The end of one of them, which comes before its time when the backend is gone for good.
    pub async fn ended(&mut self) -> Option<Result<(), EngineError>> {
        if !self.present {
            return None;
        }
        let ended = self.tasks.join_next().await?;
        Some(ended.map_err(EngineError::from).and_then(|result| result.map_err(EngineError::from)))
    }

    /// Lets them finish what the workers left.
    pub async fn finish(&mut self) {
        self.finish.cancel();
        let finishing = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_MAX, finishing).await.is_err() {
            // Another process goes on from there.
            self.tasks.shutdown().await;
            if let Some(journal) = &self.journal
                && let Err(error) = journal.leave().await
            {
                tracing::warn!(%error, "the journal is left by its connection's end");
            }
        }
    }
}

/// The stages whose queues are with the broker.
fn couriered(definition: &Definition) -> impl Iterator<Item = StageId> {
    let with_broker =
        |id: &StageId| matches!(definition.kind(id), Some(StageKind::Worker | StageKind::Foreign));
    definition.pipeline.stages.iter().map(|stage| stage.id.clone()).filter(with_broker)
}
