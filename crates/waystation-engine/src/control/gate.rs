//! Tells the workers of a process what is paused, without a read for each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::port::{Signal, Subscription};

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
    signals: Subscription,
}

impl Gate {
    /// A gate as the store says, and what is to keep it so. While the store cannot say it at
    /// first, nothing is taken for paused: it is asked again soon.
    pub async fn open(backend: &Backend) -> (Self, Watcher) {
        let (sender, view) = watch::channel(Arc::default());
        let anything = Arc::new(AtomicBool::new(false));
        let backend = backend.clone();
        // Before the first look, so that nothing changes unheard behind it.
        let signals = backend.bus.subscribe();
        let watcher = Watcher { view: sender, anything: Arc::clone(&anything), backend, signals };
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

    /// All that is paused or drained.
    pub fn list(&self) -> Vec<Pause> {
        self.view.borrow().list().to_vec()
    }

    /// What keeps this source from discovering.
    pub fn silences(&self, pipeline: &PipelineName, source: &StageId) -> Option<Pause> {
        self.view.borrow().silences(pipeline, source).cloned()
    }

    /// The same gate for somebody who looks at it now, and then wants to hear what changes.
    #[must_use]
    pub fn watched(&self) -> Self {
        let mut watched = self.clone();
        watched.view.mark_unchanged();
        watched
    }

    /// Waits until something else is paused than when it was last looked at so. Never returns once
    /// nobody keeps it any more.
    pub async fn changed(&mut self) {
        if self.view.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Watcher {
    /// Reads whenever something changed, and now and then. Ends when it is dropped.
    pub async fn run(mut self) {
        loop {
            let _ = tokio::time::timeout(INTERVAL, changed(&mut self.signals)).await;
            // What is signalled from here on is news; what was before is read now.
            self.signals = self.backend.bus.subscribe();
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

/// Waits until something changed. Never returns once the bus is gone.
pub async fn changed(signals: &mut Subscription) {
    loop {
        match signals.next().await {
            Some(Signal::Changed) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}
