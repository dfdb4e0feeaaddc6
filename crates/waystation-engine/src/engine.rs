//! Runs a pipeline in this process: a worker a queue, a worker a source, the lease keeper.
//!
//! States: *running*, *draining* (nothing more is received; what runs may end within the drain
//! deadline, and is handed back after it), ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation_core::failure::Failure;
use waystation_core::id::StageId;
use waystation_core::job::Count;
use waystation_core::pipeline::{Executor, Problems};
use waystation_core::port;
use waystation_core::state::JobState;

use crate::backend::Backend;
use crate::broker::{Clerks, Owner};
use crate::control::{Crew, Gate, Pause, Teller};
use crate::decide::{key, offload};
use crate::definition::{Definition, DefinitionError, Registry};
use crate::graph::Graph;
use crate::janitor;
use crate::lease_keeper::{Keeping, LeaseKeeper};
use crate::progress_keeper::ProgressKeeper;
use crate::sources::{self, SourceId, SourceWorker};
use crate::staff::Staff;
use crate::stop::Cause;

/// What sources do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// Discover again and again.
    #[default]
    Continuous,
    /// Discover everything there is, once, whether it is due or not.
    Once,
    /// Nothing: other processes look after them.
    Never,
}

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long leases last between renewals.
    pub lease: Duration,
    /// How long an attempt that was told to stop may take to do so.
    pub grace: Duration,
    /// How long what runs may go on once the engine is to end.
    pub drain: Duration,
    /// What sources do.
    pub sources: Sources,
    /// How long a source stays the one that crawls it, unless it says that it goes on.
    pub source_lock: Duration,
    /// The process that it is one of several engines of; a process of its own unless given.
    pub crew: Option<Crew>,
    /// Only these stages are served here; all unless given. Sources belong to the stages.
    pub stages: Option<Vec<StageId>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            drain: Duration::from_secs(30),
            sources: Sources::default(),
            source_lock: Duration::from_mins(1),
            crew: None,
            stages: None,
        }
    }
}

/// Why an engine did not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A pipeline is not ready to run.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The backend is gone for good.
    #[error(transparent)]
    Backend(#[from] port::Error),
    /// Leases are too short to be renewed.
    #[error("a lease of {0:?} is too short to be renewed (the shortest is {LEASE_MIN:?})")]
    Lease(Duration),
    /// A source cannot work.
    #[error("source `{stage}` cannot work: {failure}")]
    Source {
        /// The source's stage.
        stage: StageId,
        /// Why.
        failure: Failure,
    },
    /// The system gives no thread.
    #[error("no thread for the lease keeper: {0}")]
    Thread(#[from] std::io::Error),
    /// A worker's task panicked: a fault of ours.
    #[error("a worker of the engine broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// How often is looked for queues that need a worker or a courier and have none.
const HIRE_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to return what broken workers had. What it does not reach returns when its
/// lease ends.
const DISMISS_MAX: Duration = Duration::from_secs(5);
/// The shortest lease: renewals must have a chance.
const LEASE_MIN: Duration = Duration::from_millis(100);

/// Runs pipelines.
pub struct Engine;

/// A running engine.
pub struct Handle {
    drain: CancellationToken,
    sources_done: CancellationToken,
    ended: CancellationToken,
    supervisor: JoinHandle<Result<(), EngineError>>,
    backend: Backend,
    definition: Arc<Definition>,
    gate: Gate,
}

impl Engine {
    /// Starts the workers of every stage of this pipeline, and of those that older versions'
    /// living jobs still need.
    pub async fn start(
        backend: Backend,
        registry: Registry,
        definition: Arc<Definition>,
        options: Options,
    ) -> Result<Handle, EngineError> {
        check(&backend, &definition, &options)?;
        let keeper = LeaseKeeper::new(options.lease);
        if let Some(books) = &backend.books {
            // What was announced before there was anybody to hear it.
            keeper.remember_all(&*books.ledger).await?;
        }
        let keeping = keeper.start(Arc::clone(&backend.queue), &*backend.bus)?;
        let drain = CancellationToken::new();
        let (gate, watcher) = Gate::open(&backend).await;
        let watcher = AbortOnDropHandle::new(tokio::spawn(watcher.run()));
        let progress = ProgressKeeper::default();
        let crew = options.crew.clone().unwrap_or_default();
        let roster = crew.join(keeper.clone());
        let mut staff = Staff {
            backend: backend.clone(),
            registry,
            definition: Arc::clone(&definition),
            options: options.clone(),
            keeper,
            progress: progress.clone(),
            drain: drain.clone(),
            gate: gate.clone(),
            roster,
            workers: JoinSet::new(),
            posts: BTreeSet::new(),
        };
        let living = staff.living().await?;
        staff.hire(&living).await;
        let sources = start_sources(&staff, crew.worker_id());
        let sources_done = CancellationToken::new();
        let (running, registry) = (Arc::clone(definition.graph()), staff.registry.clone());
        let owner = Owner::Engine(staff.roster.clone());
        let mut clerks = Clerks::start(&backend, running, registry, owner, drain.clone());
        clerks.hire(&living);
        let progress = progress.run(Arc::clone(&backend.store));
        let janitor = janitor::run(backend.clone(), drain.clone());
        let all_ended = CancellationToken::new();
        // Whoever runs several engines tells of them all.
        let teller = options.crew.is_none().then(|| {
            let (backend, ended) = (backend.clone(), all_ended.clone());
            let teller = Teller { backend, crew, drain: drain.clone(), ended };
            AbortOnDropHandle::new(tokio::spawn(teller.run()))
        });
        let supervisor = Supervisor {
            _janitor: AbortOnDropHandle::new(tokio::spawn(janitor)),
            _progress: AbortOnDropHandle::new(tokio::spawn(progress)),
            _watcher: watcher,
            teller,
            all_ended,
            staff,
            clerks,
            sources,
            _keeping: keeping,
            drain: drain.clone(),
            sources_done: sources_done.clone(),
        };
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let supervisor = tokio::spawn(async move {
            let _ended = guard;
            supervisor.run().await
        });
        Ok(Handle { drain, sources_done, ended, supervisor, backend, definition, gate })
    }
}

/// Refuses what could not work on this backend.
fn check(backend: &Backend, definition: &Definition, options: &Options) -> Result<(), EngineError> {
    let mut unmet = definition.pipeline.unmet(&backend.queue.capabilities());
    if backend.books.is_some() {
        let executor = |stage: &StageId| Some(definition.stage(stage)?.1.clone());
        unmet.extend(key::unkept(&definition.pipeline, executor));
    }
    if backend.blobs.is_none() {
        unmet.extend(offload::homeless(&definition.pipeline));
    }
    if !unmet.is_empty() {
        let origin = definition.pipeline.name.to_string();
        return Err(DefinitionError::from(Problems { origin, list: unmet }).into());
    }
    if options.lease < LEASE_MIN {
        return Err(EngineError::Lease(options.lease));
    }
    Ok(())
}

impl Handle {
    /// Tells the engine to drain. May be called twice.
    pub fn stop(&self) {
        self.drain.cancel();
    }

    /// A token whose cancelling tells the engine to drain.
    pub fn stopper(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// The pipeline that runs.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Waits until all is quiet. Returns early with why when the engine ended by itself.
    pub async fn join(self) -> Result<(), EngineError> {
        self.supervisor.await?
    }

    /// Whether the engine has ended; [`Self::join`] tells how.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// What is paused or drained, as this engine knows it by now.
    pub fn paused(&self) -> Vec<Pause> {
        self.gate.list()
    }

    /// Waits until every source has discovered once. Also returns when the engine ends.
    pub async fn until_discovered(&self) {
        tokio::select! {
            () = self.sources_done.cancelled() => {}
            () = self.ended.cancelled() => {}
        }
    }

    /// Waits until no job of the pipeline can go on by itself: sources have discovered once, and
    /// every job has ended, waits for a person, or waits where somebody paused. Also returns when
    /// the engine ends.
    pub async fn until_idle(&self) -> Result<(), port::Error> {
        const GAP: Duration = Duration::from_millis(20);
        /// Counting a long backlog takes its time: at most a twentieth of all of it.
        const GAP_FACTOR: u32 = 20;
        const LOOK_AGAIN: Duration = Duration::from_secs(1);
        self.until_discovered().await;
        let mut signals = self.backend.bus.subscribe();
        loop {
            let looked = Instant::now();
            let counts = self.backend.store.counts(Some(&self.definition.pipeline.name)).await?;
            if self.has_ended() || !counts.iter().any(|count| self.goes_on(count)) {
                return Ok(());
            }
            tokio::time::sleep(GAP.max(looked.elapsed() * GAP_FACTOR)).await;
            let _ = tokio::time::timeout(LOOK_AGAIN, signals.next()).await;
        }
    }
}

impl Handle {
    /// Whether jobs that stand so go on by themselves.
    fn goes_on(&self, count: &Count) -> bool {
        let Count { pipeline, stage, state, .. } = count;
        let rests = || {
            let queue = self.definition.queue_of(stage);
            self.gate.stops(pipeline, stage, &queue).is_some()
        };
        match state {
            JobState::Running => true,
            JobState::Waiting => false,
            state => !state.is_terminal() && !rests(),
        }
    }
}

fn start_sources(staff: &Staff, worker_id: &str) -> JoinSet<Result<(), EngineError>> {
    let mut sources = JoinSet::new();
    let Staff { definition, options, .. } = staff;
    for stage in &definition.pipeline.stages {
        let is_served = options.stages.as_ref().is_none_or(|served| served.contains(&stage.id));
        let Some((_, Executor::Source(source))) = definition.stage(&stage.id) else { continue };
        if !is_served || options.sources == Sources::Never {
            continue;
        }
        let (pipeline, stage) = (definition.pipeline.name.clone(), stage.id.clone());
        staff.roster.add_source(SourceId { pipeline, stage: stage.clone() });
        let worker = SourceWorker {
            definition: Arc::clone(definition),
            stage,
            source: Arc::clone(source),
            backend: staff.backend.clone(),
            gate: staff.gate.clone(),
            worker_id: worker_id.to_owned(),
            roster: staff.roster.clone(),
            lock: options.source_lock,
            drain: staff.drain.clone(),
        };
        let once = options.sources == Sources::Once;
        sources.spawn(async move {
            let ended = if once { worker.run_once().await } else { worker.run().await };
            let stage = worker.stage.clone();
            ended.or_else(|ended| match ended {
                sources::Ended::Store(error) => Err(EngineError::Backend(error)),
                sources::Ended::Source(failure) => Err(EngineError::Source { stage, failure }),
                // Somebody else crawls: that is as good.
                sources::Ended::Fenced => Ok(()),
            })
        });
    }
    sources
}

/// Watches the workers and ends them.
struct Supervisor {
    staff: Staff,
    clerks: Clerks,
    sources: JoinSet<Result<(), EngineError>>,
    _keeping: Keeping,
    _janitor: AbortOnDropHandle<()>,
    _progress: AbortOnDropHandle<()>,
    /// Looks after what is paused.
    _watcher: AbortOnDropHandle<()>,
    /// Tells the others of this process, until all has ended.
    teller: Option<AbortOnDropHandle<()>>,
    all_ended: CancellationToken,
    drain: CancellationToken,
    /// Cancelled once every source has ended its one discovery.
    sources_done: CancellationToken,
}

impl Supervisor {
    async fn run(mut self) -> Result<(), EngineError> {
        let result = self.watch().await;
        self.drain.cancel();
        let drained = self.end().await;
        result.and(drained)
    }

    /// Until the engine is to drain, or something breaks.
    async fn watch(&mut self) -> Result<(), EngineError> {
        let mut look_again = tokio::time::interval(HIRE_INTERVAL);
        loop {
            if self.sources.is_empty() {
                self.sources_done.cancel();
            }
            tokio::select! {
                () = self.drain.cancelled() => return Ok(()),
                Some(ended) = self.sources.join_next() => ended??,
                Some(ended) = self.staff.workers.join_next() => ended??,
                Some(ended) = self.clerks.ended() => ended?,
                _ = look_again.tick() => match self.staff.living().await {
                    Ok(living) => self.hire(&living).await,
                    Err(error) if error.retryable() => {
                        tracing::warn!(%error, "versions of living jobs are not known");
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    async fn hire(&mut self, living: &[Arc<Graph>]) {
        self.staff.hire(living).await;
        self.clerks.hire(living);
    }

    /// Lets what runs end; hands back what does not within the deadline.
    async fn end(&mut self) -> Result<(), EngineError> {
        let result = self.end_work().await;
        if tokio::time::timeout(DISMISS_MAX, self.staff.dismiss()).await.is_err() {
            tracing::error!("deliveries are left to the end of their leases");
        }
        // What the workers settled last is still to be written down.
        self.clerks.finish().await;
        self.all_ended.cancel();
        if let Some(teller) = &mut self.teller {
            let _ = teller.await;
        }
        self.staff.roster.leave();
        result
    }

    async fn end_work(&mut self) -> Result<(), EngineError> {
        let deadline = self.staff.options.drain;
        if let Ok(result) = tokio::time::timeout(deadline, self.join_all()).await {
            return result;
        }
        tracing::warn!(?deadline, "drain deadline passed, handing back what still runs");
        self.staff.keeper.stop_all(&Cause::Shutdown);
        let last = self.staff.options.grace * 2 + Duration::from_secs(1);
        if let Ok(result) = tokio::time::timeout(last, self.join_all()).await {
            return result;
        }
        tracing::error!("workers did not end, giving up what they have");
        Ok(())
    }

    async fn join_all(&mut self) -> Result<(), EngineError> {
        let mut result = Ok(());
        while let Some(ended) = self.sources.join_next().await {
            result = result.and(ended.map_err(EngineError::from).flatten());
        }
        while let Some(ended) = self.staff.workers.join_next().await {
            result = result.and(ended.map_err(EngineError::from).flatten());
        }
        result
    }
}
