//! Runs an engine for each pipeline of a store in this process: those that are there, in their
//! newest versions, for as long as they are.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use waystation_core::id::{PipelineName, StageId};
use waystation_core::pipeline::Executor;
use waystation_core::port;

use crate::backend::Backend;
use crate::control::Crew;
use crate::definition::{Definition, Registry};
use crate::engine::{Engine, EngineError, Options, Sources};

/// How often is looked for new pipelines and versions.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The wait before a pipeline is tried again that could not run: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// What the engines of a process do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// They work at stages.
    Processing,
    /// They look after sources.
    Source,
}

/// Runs the pipelines of a store.
pub struct Pipelines {
    /// Where they are.
    pub backend: Backend,
    /// What their stages are.
    pub registry: Registry,
    /// Only these; all that the store has, unless some are named.
    pub only: Vec<PipelineName>,
    /// What the engines do.
    pub role: Role,
    /// How they run.
    pub options: Options,
    /// Those who run.
    pub crew: Crew,
}

/// What runs.
#[derive(Default)]
struct Running {
    engines: BTreeMap<PipelineName, One>,
    ended: JoinSet<Ended>,
    /// Those that could not run.
    failing: BTreeMap<PipelineName, Failing>,
}

/// The engine of a pipeline. It drains when this is dropped.
struct One {
    version: u32,
    _stop: DropGuard,
}

/// An engine that has ended.
struct Ended {
    pipeline: PipelineName,
    version: u32,
    how: Result<(), EngineError>,
}

/// A pipeline that could not run.
struct Failing {
    version: u32,
    times: u32,
    again_at: Instant,
}

impl Pipelines {
    /// Runs them until it is told to end, and then until all is quiet. A pipeline that cannot run
    /// stops no other: it is told of, and tried again. Only a store that is gone for good ends it.
    pub async fn run(self, drain: CancellationToken) -> Result<(), port::Error> {
        let mut running = Running::default();
        let result = self.watch(&mut running, &drain).await;
        running.engines.clear();
        while let Some(ended) = running.ended.join_next().await {
            if let Ok(Ended { pipeline, how: Err(error), .. }) = ended {
                tracing::warn!(%pipeline, %error, "an engine did not end well");
            }
        }
        result
    }

    async fn watch(
        &self,
        running: &mut Running,
        drain: &CancellationToken,
    ) -> Result<(), port::Error> {
        let mut look = tokio::time::interval(LOOK_AGAIN);
        loop {
            tokio::select! {
                () = drain.cancelled() => return Ok(()),
                Some(ended) = running.ended.join_next() => match ended {
                    Ok(ended) => self.note(running, ended)?,
                    Err(error) => tracing::error!(%error, "an engine broke"),
                },
                _ = look.tick() => match self.newest().await {
                    Ok(newest) => self.adapt(running, newest).await?,
                    Err(error) if error.retryable() => {
                        tracing::warn!(%error, "pipelines are not known anew");
                    }
                    Err(error) => return Err(error),
                },
            }
            self.crew.turn();
        }
    }

    /// The newest version of each pipeline that is to run.
    async fn newest(&self) -> Result<BTreeMap<PipelineName, u32>, port::Error> {
        let wanted = |name: &PipelineName| self.only.is_empty() || self.only.contains(name);
        let all = self.backend.store.pipelines().await?;
        Ok(all.into_iter().filter(|(name, _)| wanted(name)).collect())
    }

    /// Starts what is new, and ends what newer versions took the place of.
    async fn adapt(
        &self,
        running: &mut Running,
        newest: BTreeMap<PipelineName, u32>,
    ) -> Result<(), port::Error> {
        for (name, version) in newest {
            let rests = running.failing.get(&name).is_some_and(|failing| {
                failing.version == version && failing.again_at > Instant::now()
            });
            let runs = running.engines.get(&name).is_some_and(|one| one.version == version);
            if runs || rests {
                continue;
            }
            match self.start(running, &name, version).await {
                Ok(()) => self.crew.fault(&name, None),
                Err(EngineError::Backend(error)) if !error.retryable() => return Err(error),
                Err(error) => self.fail(running, name, version, &error),
            }
        }
        Ok(())
    }

    /// Starts the engine of a version. That of another one ends once this one runs.
    async fn start(
        &self,
        running: &mut Running,
        name: &PipelineName,
        version: u32,
    ) -> Result<(), EngineError> {
        let definition = self.registry.version(name, version).await?;
        let Some(options) = self.options(&definition) else {
            // There is nothing of this role in it.
            running.engines.remove(name);
            return Ok(());
        };
        let (backend, registry) = (self.backend.clone(), self.registry.clone());
        let engine = Engine::start(backend, registry, definition, options).await?;
        tracing::info!(pipeline = %name, version, role = ?self.role, "runs");
        let one = One { version, _stop: engine.stopper().drop_guard() };
        running.engines.insert(name.clone(), one);
        let pipeline = name.clone();
        running.ended.spawn(async move { Ended { pipeline, version, how: engine.join().await } });
        Ok(())
    }

    fn options(&self, definition: &Definition) -> Option<Options> {
        let options = Options { crew: Some(self.crew.clone()), ..self.options.clone() };
        match self.role {
            Role::Processing => Some(Options { sources: Sources::Never, ..options }),
            Role::Source => {
                let stages = definition.pipeline.stages.iter();
                let is_source =
                    |id: &&StageId| matches!(definition.stage(id), Some((_, Executor::Source(_))));
                let sources: Vec<_> =
                    stages.map(|one| &one.id).filter(is_source).cloned().collect();
                let any = !sources.is_empty();
                any.then(|| Options { stages: Some(sources), ..options })
            }
        }
    }

    /// Takes note that an engine has ended. Where nobody told it to, it starts again later.
    fn note(&self, running: &mut Running, ended: Ended) -> Result<(), port::Error> {
        let Ended { pipeline, version, how } = ended;
        let is_current = running.engines.get(&pipeline).is_some_and(|one| one.version == version);
        if !is_current {
            return Ok(());
        }
        running.engines.remove(&pipeline);
        match how {
            Err(EngineError::Backend(error)) if !error.retryable() => return Err(error),
            Err(error) => self.fail(running, pipeline, version, &error),
            Ok(()) => {}
        }
        Ok(())
    }

    fn fail(
        &self,
        running: &mut Running,
        pipeline: PipelineName,
        version: u32,
        error: &EngineError,
    ) {
        tracing::error!(%pipeline, version, %error, "a pipeline does not run here");
        self.crew.fault(&pipeline, Some(error.to_string()));
        let before = running.failing.get(&pipeline).filter(|failing| failing.version == version);
        let times = before.map_or(0, |failing| failing.times).saturating_add(1);
        let pause = PAUSE.saturating_mul(1 << (times - 1).min(16)).min(PAUSE_MAX);
        let again_at = Instant::now() + pause;
        running.failing.insert(pipeline, Failing { version, times, again_at });
    }
}
