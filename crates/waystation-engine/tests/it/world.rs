//! A pipeline with handlers of the test's own, on the memory backend.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::clock::{Clock, SystemClock};
use waystation_core::event::EventKind;
use waystation_core::failure::Failure;
use waystation_core::handler::Handler;
use waystation_core::id::JobId;
use waystation_core::job::JobRecord;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::settlement::{Message, NewJob, Start, Submitted};
use waystation_core::source::{Discovery, Item, Source};
use waystation_core::state::JobState;
use waystation_engine::{
    Backend, Client, Definition, Engine, Handle, Options, Registry, Submission,
};
use waystation_memory::Memory;
use waystation_testing::faults::Flaky;

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A source that finds one item, again and again the same.
struct FindsOne;

#[async_trait]
impl Source for FindsOne {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        let item = Item { id: "one".into(), params: Params::new() };
        Ok(Discovery { items: vec![item], ..Discovery::default() })
    }
}

/// Types by name; `manual`, `remote` and `finds` are always there.
#[derive(Default)]
struct Handlers(BTreeMap<String, Arc<dyn Handler>>);

impl Catalog for Handlers {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "manual" => Some(StageKind::Manual),
            "pipeline" => Some(StageKind::Worker),
            "remote" => Some(StageKind::Remote),
            "finds" => Some(StageKind::Source),
            other => self.0.get(other).map(|_| StageKind::Worker),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        match self.0.get(&stage.kind) {
            Some(handler) => Ok(Executor::Worker(Arc::clone(handler))),
            None if stage.kind == "manual" => Ok(Executor::Manual),
            None if stage.kind == "remote" => Ok(Executor::Remote),
            None if stage.kind == "finds" => Ok(Executor::Source(Arc::new(FindsOne))),
            None if stage.kind == "pipeline" => {
                let name = stage.settings["pipeline"].as_str().expect("a name");
                Ok(Executor::Pipeline(name.into()))
            }
            None => Err(vec![format!("unknown type `{}`", stage.kind)]),
        }
    }
}

/// A backend, a pipeline and the engine's options.
pub struct World {
    pub client: Client,
    pub definition: Arc<Definition>,
    pub flaky: Flaky,
    pub options: Options,
}

impl World {
    /// A world with this pipeline; its stages' types are these handlers'.
    pub async fn new<const N: usize>(
        pipeline: &str,
        handlers: [(&str, Arc<dyn Handler>); N],
    ) -> Self {
        Self::by(Arc::new(SystemClock), pipeline, handlers).await
    }

    /// The same by another clock.
    pub async fn by<const N: usize>(
        clock: Arc<dyn Clock>,
        pipeline: &str,
        handlers: [(&str, Arc<dyn Handler>); N],
    ) -> Self {
        let memory = Memory::new(clock.clone());
        let mut backend = Backend::whole(memory, clock);
        let flaky = Flaky::new(Arc::clone(&backend.queue));
        backend.queue = Arc::new(flaky.clone());
        Self::on(backend, flaky, pipeline, handlers).await
    }

    /// Another process on the same backend, with another pipeline file and other handlers.
    pub async fn beside<const N: usize>(
        &self,
        pipeline: &str,
        handlers: [(&str, Arc<dyn Handler>); N],
    ) -> Self {
        let backend = self.client.backend().clone();
        Self::on(backend, self.flaky.clone(), pipeline, handlers).await
    }

    async fn on<const N: usize>(
        backend: Backend,
        flaky: Flaky,
        pipeline: &str,
        handlers: [(&str, Arc<dyn Handler>); N],
    ) -> Self {
        let handlers = handlers.into_iter().map(|(name, code)| (name.to_owned(), code)).collect();
        let catalog = Arc::new(Handlers(handlers));
        let registry = Registry::new(Arc::clone(&backend.store), catalog, Arc::new(|_| None));
        let definition = registry.install("test", pipeline).await.expect("a good pipeline");
        let options = Options {
            lease: Duration::from_millis(600),
            grace: Duration::from_millis(100),
            drain: Duration::from_millis(300),
            ..Options::default()
        };
        Self { client: Client::new(backend, registry), definition, flaky, options }
    }

    pub async fn start(&self) -> Handle {
        let (backend, registry) = (self.client.backend().clone(), self.client.registry().clone());
        let definition = Arc::clone(&self.definition);
        Engine::start(backend, registry, definition, self.options.clone()).await.expect("started")
    }

    pub async fn submit(&self, params: Value) -> JobId {
        let Value::Object(params) = params else { panic!("params are an object") };
        let submission = Submission { params, ..Submission::default() };
        let answers = self.client.submit(&self.definition, vec![submission]).await;
        match answers.expect("submitted").remove(0) {
            Submitted::Created(job_id) => job_id,
            other => panic!("{other:?}"),
        }
    }

    /// Submits a job that begins at this stage.
    pub async fn submit_at(&self, stage: &str, params: Value) -> JobId {
        let Value::Object(params) = params else { panic!("params are an object") };
        let submission = Submission { params, entry: Some(stage.into()), ..Submission::default() };
        let answers = self.client.submit(&self.definition, vec![submission]).await;
        answers.expect("submitted").remove(0).accepted().expect("created")
    }

    /// Puts a contract into a stage's queue, as a program does that is none of ours.
    pub async fn put(&self, job_id: &JobId, stage: &str, queue: &str, body: Vec<u8>) {
        let (stage, queue) = (stage.into(), queue.into());
        let job = NewJob {
            job_id: job_id.clone(),
            pipeline: self.definition.pipeline.name.clone(),
            pipeline_version: self.definition.version,
            dedupe: None,
            parent: None,
            start: Start::Queue(Message {
                queue,
                stage,
                priority: 0,
                not_before: None,
                turn: None,
                body,
            }),
            events: Vec::new(),
        };
        self.client.backend().queue.submit(vec![job], None).await.expect("submitted");
    }

    pub async fn job(&self, job_id: &JobId) -> JobRecord {
        self.client.backend().store.job(job_id).await.expect("readable").expect("the job exists")
    }

    pub async fn kinds(&self, job_id: &JobId) -> Vec<EventKind> {
        let events = self.client.backend().store.events(job_id).await.expect("readable");
        events.into_iter().map(|event| event.kind).collect()
    }

    /// Waits until this holds of what the backend has; it is looked at whenever something changes.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let mut signals = self.client.backend().bus.subscribe();
        let waiting = async {
            while !holds().await {
                let look_again = Duration::from_millis(50);
                let _ = tokio::time::timeout(look_again, signals.next()).await;
            }
        };
        tokio::time::timeout(WAIT_MAX, waiting).await.unwrap_or_else(|_| panic!("not so: {what}"));
    }

    /// Waits until the job is in this state.
    pub async fn reach(&self, job_id: &JobId, state: JobState) -> JobRecord {
        let mut signals = self.client.backend().bus.subscribe();
        let waiting = async {
            loop {
                let job = self.job(job_id).await;
                if job.state == state {
                    return job;
                }
                signals.next().await.expect("the bus lives");
            }
        };
        if let Ok(job) = tokio::time::timeout(WAIT_MAX, waiting).await {
            return job;
        }
        panic!("job is not {state} but {:?}", self.job(job_id).await)
    }
}

/// Ends an engine and waits until all is quiet.
pub async fn end(engine: Handle) {
    engine.stop();
    tokio::time::timeout(WAIT_MAX, engine.join()).await.expect("it ends").expect("without error");
}
