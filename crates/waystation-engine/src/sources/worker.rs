//! One source's worker: wait until it is due, take its lock, crawl, note what came of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{StageId, time_ordered};
use waystation_core::pipeline::Stage;
use waystation_core::port::{Error, Expected, Signal, Subscription};
use waystation_core::schedule::Schedule;
use waystation_core::source::Source;

use super::crawl::Crawling;
use super::kept::{self, Ask, Crawl, CrawlState, Plan, Read, SourceId, Start, State, Tally};
use crate::backend::Backend;
use crate::control::locks::{self, Lock};
use crate::control::{Gate, Roster, changed};
use crate::definition::Definition;

/// A source is looked after at least so often: what is due may be so by another clock.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// And not more often, whatever is signalled.
const GAP: Duration = Duration::from_secs(1);
/// How often whoever must crawl looks whether the lock is free.
const LOCK_GAP: Duration = Duration::from_millis(200);

/// One source's worker.
pub struct SourceWorker {
    /// The pipeline.
    pub definition: Arc<Definition>,
    /// The source's stage.
    pub stage: StageId,
    /// The code behind it.
    pub source: Arc<dyn Source>,
    /// Where jobs go.
    pub backend: Backend,
    /// What is paused.
    pub gate: Gate,
    /// What the worker is called.
    pub worker_id: String,
    /// Counts what it does, for those who look on.
    pub roster: Roster,
    /// How long a lock lasts that is not renewed.
    pub lock: Duration,
    /// Cancelled when it is to end.
    pub drain: CancellationToken,
}

/// Why a crawl, or a source's worker, ended before its time.
#[derive(Debug)]
pub enum Ended {
    /// The source cannot work.
    Source(Failure),
    /// The store is gone for good.
    Store(Error),
    /// Somebody else has the lock.
    Fenced,
}

/// How a source stands, as it was read.
struct View {
    state: State,
    revision: Option<u64>,
    ask: Option<Read<Ask>>,
}

impl SourceWorker {
    /// Discovers everything there is, once, whenever it is due; nothing where somebody paused or
    /// drains it. While somebody else crawls, it waits.
    pub async fn run_once(&self) -> Result<(), Ended> {
        if let Some(pause) = self.gate.silences(&self.definition.pipeline.name, &self.stage) {
            let (by, reason) = (pause.by, pause.reason);
            tracing::warn!(source = %self.stage, by, reason, "nothing is discovered: it is paused");
            return Ok(());
        }
        while !self.drain.is_cancelled() {
            let Some(lock) = self.take_lock().await? else {
                self.wait(LOCK_GAP).await;
                continue;
            };
            let view = self.look().await?;
            match self.crawl(lock, view).await {
                Err(Ended::Fenced) => {}
                ended => return ended,
            }
        }
        Ok(())
    }

    /// Crawls whenever the source is due. A source that fails at the very start ends it, since that
    /// is a mistake in the pipeline file; later failures pass.
    pub async fn run(&self) -> Result<(), Ended> {
        let mut first = true;
        self.say_plan().await?;
        let mut signals = self.backend.bus.subscribe();
        while !self.drain.is_cancelled() {
            tokio::select! {
                () = self.may_discover() => {}
                () = self.drain.cancelled() => return Ok(()),
            }
            self.roster.turn();
            let now = self.backend.clock.now();
            let wait = match self.due(&self.look().await?, first) {
                Some(due) if due <= now => match self.crawl_if_due(first).await {
                    Ok(false) | Err(Ended::Fenced) => GAP,
                    Ok(true) => {
                        first = false;
                        continue;
                    }
                    // What is away will come back: that is no mistake.
                    Err(Ended::Source(failure))
                        if !first || failure.kind == ErrorKind::Transient =>
                    {
                        first = false;
                        let source = &self.stage;
                        tracing::warn!(%source, %failure, "discovery failed, trying on");
                        continue;
                    }
                    Err(ended) => return Err(ended),
                },
                due => due.map_or(LOOK_AGAIN, |due| due.since(now).min(LOOK_AGAIN)),
            };
            first = false;
            self.wait_or_hear(wait, &mut signals).await;
        }
        Ok(())
    }

    /// Crawls, if it is still due once the lock is held. Tells whether it did.
    async fn crawl_if_due(&self, first: bool) -> Result<bool, Ended> {
        let Some(lock) = self.take_lock().await? else { return Ok(false) };
        let view = self.look().await?;
        let now = self.backend.clock.now();
        if self.due(&view, first).is_none_or(|due| due > now) {
            lock.release().await;
            return Ok(false);
        }
        self.crawl(lock, view).await.map(|()| true)
    }

    /// One whole crawl, from taking note that it begins to taking note of how it ended.
    async fn crawl(&self, lock: Lock, view: View) -> Result<(), Ended> {
        let View { mut state, revision, ask } = view;
        let records = &*self.backend.records;
        let stored = self.stored().await?;
        let from = match ask.as_ref().and_then(|ask| ask.value.from.clone()) {
            None => stored,
            Some(Start::Beginning) => None,
            Some(Start::Checkpoint(value)) => Some(value),
        };
        // An earlier one ends before this one begins.
        self.close(state.crawl.take()).await?;
        let crawl = self.new_crawl(ask.as_ref().map(|ask| &ask.value), from.clone());
        state.crawl = Some(crawl.id.clone());
        let expected = revision.map_or(Expected::Absent, Expected::Revision);
        let id = self.id();
        let Some(revision) =
            self.trying(|| kept::put_state(records, &id, &state, expected)).await?
        else {
            return Err(Ended::Fenced);
        };
        // Behind the state, which names it: one that nothing names would be there for ever.
        self.trying(|| kept::put_crawl(records, &crawl)).await?;
        let (started_at, _crawling) = (crawl.started_at, self.roster.crawling());
        let crawling = Crawling {
            backend: &self.backend,
            definition: &self.definition,
            source: &*self.source,
            lock: &lock,
            again: ask.as_ref().is_some_and(|ask| ask.value.again),
            drain: &self.drain,
            crawl: Mutex::new(crawl),
        };
        let ended = tokio::select! {
            ended = crawling.run(from) => ended,
            () = lock.keep() => Err(Ended::Fenced),
        };
        // What was taken and not stored is given back before anybody else may crawl.
        self.source.rest().await;
        let crawl = self.ended(&crawling, &ended);
        self.trying(|| kept::put_crawl(records, &crawl)).await?;
        if matches!(crawl.state, CrawlState::Completed | CrawlState::Failed) {
            state.end(started_at, &crawl);
            let expected = Expected::Revision(revision);
            self.trying(|| kept::put_state(records, &id, &state, expected)).await?;
            if let Some(ask) = &ask {
                self.trying(|| kept::end_ask(records, &id, ask.revision)).await?;
            }
        }
        self.backend.bus.publish(Signal::Changed);
        lock.release().await;
        ended.map(drop)
    }

    fn new_crawl(&self, ask: Option<&Ask>, from: Option<Value>) -> Crawl {
        Crawl {
            id: time_ordered(),
            source: self.id(),
            version: self.definition.version,
            state: CrawlState::Running,
            worker_id: self.worker_id.clone(),
            by: ask.map(|ask| ask.by.clone()),
            started_at: self.backend.clock.now(),
            ended_at: None,
            tally: Tally::default(),
            failure: None,
            to: from.clone(),
            from,
        }
    }

    /// What is to be kept of a crawl that ended so.
    fn ended(&self, crawling: &Crawling<'_>, ended: &Result<CrawlState, Ended>) -> Crawl {
        let mut crawl = crawling.known();
        crawl.ended_at = Some(self.backend.clock.now());
        (crawl.state, crawl.failure) = match ended {
            Ok(state) => (*state, None),
            Err(Ended::Source(failure)) => (CrawlState::Failed, Some(failure.to_string())),
            Err(Ended::Store(error)) => (CrawlState::Failed, Some(error.to_string())),
            Err(Ended::Fenced) => {
                let why = "its lock was lost to another worker, or ran out";
                (CrawlState::Interrupted, Some(why.to_owned()))
            }
        };
        let Tally { found, new, skipped, failed, .. } = crawl.tally;
        if new + failed > 0 {
            let state = crawl.state;
            tracing::info!(source = %self.stage, ?state, found, new, skipped, failed, "crawled");
        }
        for fault in &crawl.tally.faults {
            let (item, why) = (&fault.item, &fault.message);
            tracing::error!(source = %self.stage, item, why, "an item became no job");
        }
        crawl
    }

    /// Takes note that an earlier crawl did not come to its end.
    async fn close(&self, crawl_id: Option<String>) -> Result<(), Ended> {
        let Some(crawl_id) = crawl_id else { return Ok(()) };
        let (records, id) = (&*self.backend.records, self.id());
        let found = self.trying(|| kept::crawl(records, &id, &crawl_id)).await?;
        let running = |crawl: &Crawl| crawl.state == CrawlState::Running;
        let Some(mut crawl) = found.filter(running) else { return Ok(()) };
        crawl.state = CrawlState::Interrupted;
        crawl.ended_at = Some(self.backend.clock.now());
        crawl.failure = Some("its worker ended before it was through".to_owned());
        self.trying(|| kept::put_crawl(records, &crawl)).await
    }

    /// Says when it looks, for those who look on.
    async fn say_plan(&self) -> Result<(), Ended> {
        let (records, id) = (&*self.backend.records, self.id());
        let plan = Plan { schedule: self.schedule(), version: self.definition.version };
        self.trying(|| kept::put_plan(records, &id, &plan)).await
    }

    async fn take_lock(&self) -> Result<Option<Lock>, Ended> {
        let name = self.id().lock();
        self.trying(|| locks::take(&self.backend, &name, &self.worker_id, self.lock)).await
    }

    /// How the source stands. One that was never seen before is seen now.
    async fn look(&self) -> Result<View, Ended> {
        let (records, id) = (&*self.backend.records, self.id());
        let ask = self.trying(|| kept::ask(records, &id)).await?;
        if let Some(read) = self.trying(|| kept::state(records, &id)).await? {
            let Read { value, revision } = read;
            return Ok(View { state: value, revision: Some(revision), ask });
        }
        let state = State::new(self.backend.clock.now());
        let put = || kept::put_state(records, &id, &state, Expected::Absent);
        let revision = self.trying(put).await?;
        Ok(View { state, revision, ask })
    }

    /// When it is due. Where the last look failed, a worker that has just come looks at once:
    /// whoever started it may have mended what was wrong.
    fn due(&self, view: &View, first: bool) -> Option<Timestamp> {
        if first && view.state.failures > 0 {
            return view.state.failed_at;
        }
        super::due(&self.schedule(), &view.state, view.ask.as_ref().map(|ask| &ask.value))
    }

    fn schedule(&self) -> Schedule {
        let stage = self.definition.pipeline.stage(&self.stage);
        stage.map(Stage::looks).unwrap_or_default()
    }

    async fn stored(&self) -> Result<Option<Value>, Ended> {
        let key = self.id().key();
        self.trying(|| self.backend.store.checkpoint(&key)).await
    }

    fn id(&self) -> SourceId {
        SourceId { pipeline: self.definition.pipeline.name.clone(), stage: self.stage.clone() }
    }

    /// Asks the store for as long as it is away.
    async fn trying<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            match ask().await {
                Err(error) if error.retryable() && !self.drain.is_cancelled() => {
                    self.roster.turn();
                    tracing::debug!(source = %self.stage, %error, "the store is asked again");
                    self.wait(GAP).await;
                }
                answer => return answer.map_err(Ended::Store),
            }
        }
    }

    /// Waits until nobody pauses or drains it.
    async fn may_discover(&self) {
        let mut gate = self.gate.watched();
        while gate.silences(&self.definition.pipeline.name, &self.stage).is_some() {
            let _ = tokio::time::timeout(LOOK_AGAIN, gate.changed()).await;
            self.roster.turn();
        }
    }

    async fn wait(&self, wait: Duration) {
        let _ = self.drain.run_until_cancelled(tokio::time::sleep(wait)).await;
    }

    /// Waits, or until something changed: somebody may have asked it to look.
    async fn wait_or_hear(&self, wait: Duration, signals: &mut Subscription) {
        if wait <= GAP {
            return self.wait(wait).await;
        }
        self.wait(GAP).await;
        tokio::select! {
            () = tokio::time::sleep(wait.checked_sub(GAP).unwrap_or_default()) => {}
            () = changed(signals) => {}
            () = self.drain.cancelled() => {}
        }
    }
}

impl State {
    /// Takes note of a look that came to its end.
    fn end(&mut self, started_at: Timestamp, crawl: &Crawl) {
        self.last = Some(started_at);
        let failed = crawl.state == CrawlState::Failed;
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        self.failed_at = crawl.ended_at.filter(|_| failed);
    }
}
