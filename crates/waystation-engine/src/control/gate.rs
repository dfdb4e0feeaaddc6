//! Tells the workers of a process what is paused, without a read for each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::port::Signal;

use super::pauses::{self, Pause, Pauses};
use crate::backend::Backend;

/// The least time between two reads.
const GAP: Duration = Duration::from_millis(200);
/// The longest, should no signal come.
const INTERVAL: Duration = Duration::from_secs(5);

/// What is paused, as this process knows it. Clones see the same.
#[derive(Clone)]
pub struct Gate {
    view: watch::Receiver<Arc<Pauses>>,
    /// Looked at before anything else: mostly nothing is paused, and asking costs nothing then.
    anything: Arc<AtomicBool>,
}

/// The other end of a gate: reads again and again.
pub struct Watcher {
    view: watch::Sender<Arc<Pauses>>,
    anything: Arc<AtomicBool>,
    backend: Backend,
}

impl Gate {
    /// A gate as the store says, and what is to keep it so. While the store cannot say it at
    /// first, nothing is taken for paused: it is asked again soon.
    pub async fn open(backend: &Backend) -> (Self, Watcher) {
        let (sender, view) = watch::channel(Arc::default());
        let anything = Arc::new(AtomicBool::new(false));
        let backend = backend.clone();
        let watcher = Watcher { view: sender, anything: Arc::clone(&anything), backend };
        watcher.look().await;
        (Self { view, anything }, watcher)
    }

    /// What keeps this stage from taking anything from this queue.
    pub fn stops(
        &self,
        pipeline: &PipelineName,
        stage: &StageId,
        queue: &QueueName,
    ) -> Option<Pause> {
        if !self.anything.load(Ordering::Acquire) {
            return None;
        }
        self.view.borrow().stops(pipeline, stage, queue).cloned()
    }

    /// What keeps this source from discovering.
    pub fn silences(&self, pipeline: &PipelineName, source: &StageId) -> Option<Pause> {
        self.view.borrow().silences(pipeline, source).cloned()
    }

    /// Waits until something else is paused than was when this was asked last. Never returns once
    /// nobody watches any more.
    pub async fn changed(&mut self) {
        if self.view.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Watcher {
    /// Reads whenever something changed, and now and then. Ends when it is dropped.
    pub async fn run(self) {
        let mut signals = self.backend.bus.subscribe();
        let mut listening = true;
        loop {
            let changed = async {
                while listening {
                    match signals.next().await {
                        Some(Signal::Changed) => return,
                        Some(_) => {}
                        None => listening = false,
                    }
                }
                std::future::pending().await
            };
            let _ = tokio::time::timeout(INTERVAL, changed).await;
            self.look().await;
            tokio::time::sleep(GAP).await;
        }
    }

    async fn look(&self) {
        match pauses::read(&*self.backend.records).await {
            Ok(pauses) => {
                self.anything.store(!pauses.is_empty(), Ordering::Release);
                let pauses = Arc::new(pauses);
                self.view.send_if_modified(|known| {
                    let is_news = *known != pauses;
                    *known = pauses;
                    is_news
                });
            }
            Err(error) => tracing::debug!(%error, "what is paused is not known anew"),
        }
    }
}
