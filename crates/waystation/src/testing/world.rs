//! An app over memory, its engine, and a clock that the test holds.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Blobs, Context, Handler, typed};
use waystation_core::port::BlobStore;
use waystation_engine::{Backend, Handle, Options, Sources};
use waystation_memory::Memory;

use super::catalog::ScriptedCatalog;
use super::script::{Held, Script, Turn};
use super::{Error, FakeClock};
use crate::backends::blobs;
use crate::{App, AppError, OpenApp};

/// No wait is longer, unless the test is more patient.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Longer than anybody moves the clock: leases do not run out here.
const LEASE: Duration = Duration::from_hours(24 * 365 * 100);
/// How long what runs may go on when the engine ends, and then may take to stop.
const DRAIN: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_millis(200);

/// An app over memory with its engine at work, and a clock that the test holds. It ends when it
/// is dropped.
pub struct World {
    app: OpenApp,
    /// There is none while one ends and the next begins.
    engine: Option<Handle>,
    ground: Ground,
    wait_max: Duration,
}

/// What stays when one engine ends and the next begins.
struct Ground {
    memory: Memory,
    blobs: Arc<dyn BlobStore>,
    clock: FakeClock,
    script: Script,
}

impl World {
    /// Opens the app over memory, whatever URLs it names, and starts its engine. Sources discover
    /// once, and have done so when this returns.
    pub async fn start(app: App) -> Result<Self, Error> {
        Self::start_patiently(app, WAIT_MAX).await
    }

    /// The same for stages that take their time: no wait is longer than this.
    pub async fn start_patiently(app: App, wait_max: Duration) -> Result<Self, Error> {
        let ground = Ground::new()?;
        let app = ground.open(app).await?;
        let mut world = Self { app, engine: None, ground, wait_max };
        world.begin().await?;
        Ok(world)
    }

    /// Ends the engine as a shutdown does, and starts another over the same memory. What runs is
    /// handed back unless it ends quickly; sources discover again.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.end().await?;
        self.begin().await
    }

    /// Ends the engine and starts that of another app over the same memory, as a new version of
    /// the program would: a changed pipeline is the next version of it, and jobs stay on theirs.
    pub async fn deploy(&mut self, app: App) -> Result<(), Error> {
        self.end().await?;
        self.app = self.ground.open(app).await?;
        self.begin().await
    }

    /// Moves the clock, once every job rests: what a retry or a delay waited for is due then,
    /// without anybody waiting.
    pub async fn advance(&self, by: Duration) -> Result<(), Error> {
        self.rest().await?;
        self.ground.clock.advance(by);
        self.ground.memory.clock_moved();
        Ok(())
    }

    /// Makes the attempt at a stage fail that comes after those that were planned before; its code
    /// is not run. Panics when no worker stage has this name.
    #[track_caller]
    pub fn fail_next(&self, stage: &str, failure: Failure) {
        self.ground.script.plan(stage, Turn::Fail(failure));
    }

    /// Holds the attempt at a stage that comes after those that were planned before, until the
    /// test releases it. Panics when no worker stage has this name.
    #[track_caller]
    pub fn hold_next(&self, stage: &str) -> Held {
        let (held, turn) = Held::new(self.wait_max);
        self.ground.script.plan(stage, turn);
        held
    }

    /// Has a function done from now on instead of a stage's code, such as a program or a service
    /// that is not there. What the stage promises is asked of it too. Panics when no worker stage
    /// has this name.
    #[track_caller]
    pub fn stand_in<F, Input, Output, Fut>(&self, stage: &str, function: F)
    where
        F: Fn(Context, Input) -> Fut + Send + Sync + 'static,
        Input: DeserializeOwned + JsonSchema + Send + 'static,
        Output: Serialize + JsonSchema + Send + 'static,
        Fut: Future<Output = Result<Output, Failure>> + Send + 'static,
    {
        self.ground.script.stand_in(stage, Arc::new(typed(function)));
    }

    /// The same with a handler, which may give a label too.
    #[track_caller]
    pub fn stand_in_handler(&self, stage: &str, handler: Arc<dyn Handler>) {
        self.ground.script.stand_in(stage, handler);
    }

    /// The params that the attempts at a stage were given so far, the planned failures among them.
    /// Panics when no worker stage has this name.
    #[track_caller]
    pub fn calls(&self, stage: &str) -> Vec<Params> {
        self.ground.script.calls(stage)
    }

    /// The app, for everything else that can be asked.
    pub fn app(&self) -> &OpenApp {
        &self.app
    }

    /// The clock, which stands still. To move it, use [`Self::advance`].
    pub fn clock(&self) -> &FakeClock {
        &self.ground.clock
    }

    /// Blobs of the test's own, to be named in params; it reads those of any stage by their
    /// references. They are in memory, whatever place the app names.
    pub fn blobs(&self) -> Blobs {
        Blobs::new(Some(Arc::clone(&self.ground.blobs)), "test".into(), "test".into(), 1)
    }

    pub(super) fn backend(&self) -> &Backend {
        self.app.client().backend()
    }

    pub(super) fn wait_max(&self) -> Duration {
        self.wait_max
    }

    async fn begin(&mut self) -> Result<(), Error> {
        let options = Options {
            lease: LEASE,
            grace: GRACE,
            drain: DRAIN,
            sources: Sources::Once,
            ..Options::default()
        };
        let engine = self.app.start(options).await?;
        let discovered = tokio::time::timeout(self.wait_max, engine.until_discovered()).await;
        if engine.has_ended() {
            // By itself it ends with why: a source that cannot work.
            return Ok(engine.join().await?);
        }
        self.engine = Some(engine);
        discovered.map_err(|_| Error::TooLong {
            what: "the sources did not end their discovery",
            waited: self.wait_max,
            stands: Vec::new(),
        })
    }

    async fn end(&mut self) -> Result<(), Error> {
        let Some(engine) = self.engine.take() else { return Ok(()) };
        engine.stop();
        Ok(engine.join().await?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            engine.stop();
        }
    }
}

impl Ground {
    fn new() -> Result<Self, AppError> {
        let clock = FakeClock::new();
        let memory = Memory::new(clock.shared());
        Ok(Self {
            memory,
            blobs: blobs::open("memory://", &std::collections::BTreeMap::new())?,
            clock,
            script: Script::default(),
        })
    }

    async fn open(&self, app: App) -> Result<OpenApp, AppError> {
        let backend = Backend::whole(self.memory.clone(), self.clock.shared());
        let backend = backend.with_blobs(Arc::clone(&self.blobs));
        let script = self.script.clone();
        app.open_on(backend, |inner| Arc::new(ScriptedCatalog { inner, script })).await
    }
}
