//! How much waits in queues, wherever it lies.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use waystation_core::id::QueueName;
use waystation_core::port::{self, Depth};

use super::Client;
use crate::broker::{Books, Told};
use crate::control::presence;

/// How much waits in which queues.
#[derive(Clone, Debug, Default)]
pub struct Depths {
    /// Those in which something waits or is out, by name; with a broker, also empty ones.
    pub queues: Arc<Vec<(QueueName, Depth)>>,
    /// Why a broker did not say what it has. What it has is counted then as the journal told of it
    /// last.
    pub unreached: Option<String>,
}

impl Depths {
    fn of(queues: impl IntoIterator<Item = (QueueName, Depth)>) -> Self {
        Self { queues: Arc::new(queues.into_iter().collect()), unreached: None }
    }
}

impl Client {
    /// How much waits in each queue, with a broker and in the store.
    pub async fn depths(&self) -> Result<Depths, port::Error> {
        let told = self.backend.store.depths().await?;
        let Some(books) = &self.backend.books else {
            return Ok(Depths::of(told));
        };
        let queues = self.queues_of_pipelines().await?;
        self.seen(books, queues, told).await
    }

    /// How much waits in one queue.
    pub async fn depth(&self, queue: &QueueName) -> Result<Depth, port::Error> {
        let books = self.backend.books.as_ref();
        if books.is_none() {
            let depth = self.backend.queue.depth(queue).await?;
            // All of it may be with a broker that is not named here. Only the look at all queues
            // tells of that, and takes longer.
            if depth != Depth::default() {
                return Ok(depth);
            }
        }
        let told = self.backend.store.depths().await?;
        let told: Vec<_> = told.into_iter().filter(|(name, _)| name == queue).collect();
        let depths = match books {
            None => Depths::of(told),
            Some(books) => self.seen(books, [queue.clone()].into(), told).await?,
        };
        Ok(depths.queues.first().map(|(_, depth)| *depth).unwrap_or_default())
    }

    /// What the broker has of these queues, and what was told of them.
    async fn seen(
        &self,
        books: &Books,
        queues: BTreeSet<QueueName>,
        told: Vec<(QueueName, Depth)>,
    ) -> Result<Depths, port::Error> {
        let mut in_hand: HashMap<QueueName, u64> = HashMap::new();
        for worker in presence::read(&*self.backend.records).await? {
            for serving in worker.serves {
                *in_hand.entry(serving.queue).or_default() += serving.in_flight;
            }
        }
        let told = Told { depths: told.into_iter().collect(), in_hand };
        Ok(match books.depths(queues, &told).await {
            Ok(depths) => Depths::of(depths),
            Err(error) => {
                tracing::warn!(%error, "depths are those that the journal told of");
                Depths { unreached: Some(error.to_string()), ..Depths::of(told.depths) }
            }
        })
    }

    /// The queues of each pipeline's newest version.
    async fn queues_of_pipelines(&self) -> Result<BTreeSet<QueueName>, port::Error> {
        let mut queues = BTreeSet::new();
        for (name, version) in self.backend.store.pipelines().await? {
            if let Ok(graph) = self.registry.graph(&name, version).await {
                queues.extend(graph.queues().map(|(_, queue)| queue));
            }
        }
        Ok(queues)
    }
}
