//! With a broker: takes what waits in the store to the queues that remote workers ask for work of,
//! and books what the journal tells, so that a server needs no engine beside it.
//!
//! States: *idle* (nobody asked for work of a broker yet), *carrying*, *finished*.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation_core::id::{QueueName, StageId};

use super::posts::Post;
use crate::broker::{Clerks, Owner};
use crate::client::Client;
use crate::engine::EngineError;
use crate::graph::Graph;

/// The wait before those are hired anew who ended before their time.
const PAUSE: Duration = Duration::from_secs(5);

/// The queues that are wanted, each with a version of its pipeline and the stage that reads it.
type Wanted = BTreeMap<QueueName, (Arc<Graph>, StageId)>;

/// Has queues carried to.
pub struct Carrying {
    client: Client,
    wanted: watch::Sender<Wanted>,
    stop: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Carrying {
    /// Nothing is wanted yet.
    pub fn new(client: Client) -> Self {
        let (wanted, stop) = (watch::Sender::default(), CancellationToken::new());
        Self { client, wanted, stop, task: Mutex::default() }
    }

    /// Somebody asks for work of this stage.
    pub fn want(&self, post: &Post) {
        if self.client.backend().books.is_none() || self.stop.is_cancelled() {
            return;
        }
        let is_news = self.wanted.send_if_modified(|wanted| {
            let is_news = !wanted.contains_key(&post.queue);
            if is_news {
                let reader = (Arc::clone(&post.graph), post.stage.clone());
                wanted.insert(post.queue.clone(), reader);
            }
            is_news
        });
        if is_news {
            self.task().get_or_insert_with(|| {
                let carrier = Carrier {
                    client: self.client.clone(),
                    running: Arc::clone(&post.graph),
                    wanted: self.wanted.subscribe(),
                    stop: self.stop.clone(),
                };
                AbortOnDropHandle::new(tokio::spawn(carrier.run()))
            });
        }
    }

    /// Lets what is under way be written down, and ends.
    pub async fn finish(&self) {
        self.stop.cancel();
        let task = self.task().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "carrying to the broker broke");
        }
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortOnDropHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to it that there are clerks.
struct Carrier {
    client: Client,
    /// The pipeline that was asked for first.
    running: Arc<Graph>,
    wanted: watch::Receiver<Wanted>,
    stop: CancellationToken,
}

impl Carrier {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            let mut clerks = self.hire();
            let ended = self.watch(&mut clerks).await;
            clerks.finish().await;
            if let Some(Err(error)) = ended {
                tracing::error!(%error, "nothing is carried to the broker, trying on");
                let _ = self.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
    }

    fn hire(&self) -> Clerks {
        let (backend, registry) = (self.client.backend(), self.client.registry().clone());
        let (running, stop) = (Arc::clone(&self.running), self.stop.child_token());
        Clerks::start(backend, running, registry, Owner::Server, stop)
    }

    /// Until one of them ends, or all are to.
    async fn watch(&mut self, clerks: &mut Clerks) -> Option<Result<(), EngineError>> {
        loop {
            for (queue, (graph, stage)) in &*self.wanted.borrow_and_update() {
                clerks.carry(graph, stage, queue);
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                Some(ended) = clerks.ended() => return Some(ended),
                changed = self.wanted.changed() => changed.ok()?,
            }
        }
    }
}
