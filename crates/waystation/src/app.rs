//! A pipeline of Rust handlers in a few lines.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use waystation_core::contract::kind_of;
use waystation_core::failure::Failure;
use waystation_core::handler::{Context, Handler, Service, service, typed};
use waystation_core::id::JobId;
use waystation_core::job::JobRecord;
use waystation_core::pipeline::Catalog;
use waystation_core::port;
use waystation_core::settlement::{Rejected, Submitted};
use waystation_engine::supervisor::{self, Supervisor, SupervisorError};
use waystation_engine::{
    Backend, Client, Definition, DefinitionError, Engine, EngineError, Handle, Options, Registry,
    Sources, Submission, SubmitError,
};
use waystation_executors::Executors;

use crate::backends::{self, OpenError, Urls};
use crate::{Signals, environment, supervised};

/// A pipeline with the user's own code behind its stages. Either the stages follow each other in
/// the order that they are added, or a pipeline file declares them.
pub struct App {
    declared: Declared,
    executors: Executors,
    values: BTreeMap<String, String>,
    urls: Urls,
}

/// Where the stages are declared.
enum Declared {
    Here { name: String, stages: Vec<Value>, routes: Vec<Value> },
    File { origin: String, text: String },
}

/// Why an app could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The pipeline file cannot be read.
    #[error("cannot read pipeline file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The pipeline has problems.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A job was not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Another job has its dedupe key.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] port::Error),
    /// Params are no object.
    #[error("params must be an object, not {0}")]
    Params(&'static str),
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// The workers could not be looked after any more.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The program cannot be called again.
    #[error("cannot call this program again: {0}")]
    Program(std::io::Error),
    /// The system does not tell of signals.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
}

/// An app whose store is open.
pub struct OpenApp {
    client: Client,
    pub(crate) definition: Arc<Definition>,
}

impl App {
    /// An app without stages, over `sqlite://waystation.db`.
    pub fn new(name: &str) -> Self {
        Self::of(Declared::Here { name: name.to_owned(), stages: Vec::new(), routes: Vec::new() })
    }

    /// An app whose stages this pipeline file declares, over `sqlite://waystation.db`. What is
    /// added with [`Self::stage`] is the code of the stages whose `type:` is that name.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AppError> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::of(Declared::File { origin, text })),
            Err(source) => Err(AppError::File { path: origin, source }),
        }
    }

    /// The same from the text of such a file; `origin` names it in messages.
    pub fn from_text(origin: &str, text: &str) -> Self {
        Self::of(Declared::File { origin: origin.to_owned(), text: text.to_owned() })
    }

    fn of(declared: Declared) -> Self {
        let urls = Urls::store(backends::DEFAULT_STORE);
        Self { declared, executors: Executors::standard(), values: BTreeMap::new(), urls }
    }

    /// Adds a stage: a typed async function, `serde` in and `serde` out. The JSON Schemas of both
    /// are made of the types: a job that is submitted to the stage is held against the first.
    #[must_use]
    pub fn stage<F, Input, Output, Fut>(self, name: &str, function: F) -> Self
    where
        F: Fn(Context, Input) -> Fut + Send + Sync + 'static,
        Input: DeserializeOwned + JsonSchema + Send + 'static,
        Output: Serialize + JsonSchema + Send + 'static,
        Fut: Future<Output = Result<Output, Failure>> + Send + 'static,
    {
        self.handler(name, Arc::new(typed(function)))
    }

    /// The same with all that a pipeline file could say of the stage: `{"join": "all"}`.
    #[must_use]
    pub fn stage_with<F, Input, Output, Fut>(self, name: &str, function: F, stage: Value) -> Self
    where
        F: Fn(Context, Input) -> Fut + Send + Sync + 'static,
        Input: DeserializeOwned + JsonSchema + Send + 'static,
        Output: Serialize + JsonSchema + Send + 'static,
        Fut: Future<Output = Result<Output, Failure>> + Send + 'static,
    {
        self.handler_with(name, Arc::new(typed(function)), stage)
    }

    /// Adds a stage that says what it needs and what it gives: see [`Service`].
    #[must_use]
    pub fn service(self, code: impl Service + 'static) -> Self {
        let name = code.stage_name().to_owned();
        self.handler(&name, Arc::new(service(code)))
    }

    /// Adds a stage with a handler of one's own.
    #[must_use]
    pub fn handler(self, name: &str, handler: Arc<dyn Handler>) -> Self {
        self.handler_with(name, handler, json!({}))
    }

    /// The same with all that a pipeline file could say of the stage: its queue, its retries.
    #[must_use]
    pub fn handler_with(mut self, name: &str, handler: Arc<dyn Handler>, stage: Value) -> Self {
        self.executors = self.executors.with_handler(name, handler);
        match self.declared {
            Declared::Here { .. } => {
                let mut all = json!({ "id": name, "type": name });
                if let (Value::Object(all), Value::Object(stage)) = (&mut all, stage) {
                    all.extend(stage);
                }
                self.settings(all)
            }
            Declared::File { .. } => self,
        }
    }

    /// Adds a stage as a pipeline file would declare it, with all that such a file can say:
    /// `{"id": "check", "type": "manual", "form": {"ok": "boolean"}}`.
    ///
    /// Panics when a file declares the stages: there would be two places that say what they are.
    #[must_use]
    pub fn settings(mut self, stage: Value) -> Self {
        match &mut self.declared {
            Declared::Here { stages, .. } => stages.push(stage),
            Declared::File { origin, .. } => panic!("{origin} declares the stages: {stage}"),
        }
        self
    }

    /// Adds a route as a pipeline file would declare it:
    /// `{"from": "cut", "to": "work", "each": "tiles"}`. Without any route the stages follow each
    /// other in the order that they are added.
    ///
    /// Panics when a file declares the stages: there would be two places that say how they go on.
    #[must_use]
    pub fn route(mut self, route: Value) -> Self {
        match &mut self.declared {
            Declared::Here { routes, .. } => routes.push(route),
            Declared::File { origin, .. } => panic!("{origin} declares the routes: {route}"),
        }
        self
    }

    /// Gives a `${NAME}` of the pipeline file its value, before the environment is asked.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.values.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Names the store.
    #[must_use]
    pub fn store(mut self, url: &str) -> Self {
        url.clone_into(&mut self.urls.store);
        self
    }

    /// Names a broker that moves the contracts, beside the store.
    #[must_use]
    pub fn queue(mut self, url: &str) -> Self {
        self.urls.queue = Some(url.to_owned());
        self
    }

    /// Names a bus that carries the live signals.
    #[must_use]
    pub fn bus(mut self, url: &str) -> Self {
        self.urls.bus = Some(url.to_owned());
        self
    }

    /// Names the place for blobs: `file://FOLDER`, `s3://BUCKET/FOLDER` and the like.
    #[must_use]
    pub fn blobs(mut self, url: &str) -> Self {
        self.urls.blobs = Some(url.to_owned());
        self
    }

    /// Opens the store and installs the pipeline in it. A store that would lose what it
    /// acknowledges is refused; what somebody should know of it is logged.
    pub async fn open(self) -> Result<OpenApp, AppError> {
        for (url, finding) in backends::preflight(&self.urls).await? {
            tracing::warn!(backend = url, %finding, "preflight");
        }
        let backend = backends::open(&self.urls).await?;
        self.open_on(backend, |catalog| catalog).await
    }

    /// The same on a backend that is open, whatever the URLs say, with the catalog of the stages'
    /// code as `dress` makes it.
    pub(crate) async fn open_on(
        self,
        backend: Backend,
        dress: impl FnOnce(Arc<dyn Catalog>) -> Arc<dyn Catalog>,
    ) -> Result<OpenApp, AppError> {
        let environment = environment(self.values);
        let catalog = dress(Arc::new(self.executors));
        let registry = Registry::new(Arc::clone(&backend.store), catalog, environment);
        let (origin, source) = match self.declared {
            Declared::Here { name, stages, routes } => {
                let source = json!({ "name": name, "stages": stages, "routes": routes });
                (name, source.to_string())
            }
            Declared::File { origin, text } => (origin, text),
        };
        let definition = registry.install(&origin, &source).await?;
        Ok(OpenApp { client: Client::new(backend, registry), definition })
    }
}

impl OpenApp {
    /// Submits a job with these params.
    pub async fn submit(&self, params: Value) -> Result<JobId, AppError> {
        let Value::Object(params) = params else {
            return Err(AppError::Params(kind_of(&params)));
        };
        self.submit_as(Submission { params, ..Submission::default() }).await
    }

    /// Submits a job with all that can be said of it: its id, where it begins, not before when.
    /// Gives the job that is there already where it is the same. It is an error that another job
    /// has its dedupe key where that was to be [`Reject`](crate::OnDuplicate::Reject)ed.
    pub async fn submit_as(&self, submission: Submission) -> Result<JobId, AppError> {
        let submitted = self.submit_all(vec![submission]).await?.into_iter().next();
        let answer = submitted.ok_or_else(|| port::Error::Broken {
            name: "submit".into(),
            message: "one job, no answer".into(),
        })?;
        Ok(answer.accepted()?)
    }

    /// Submits many jobs at once. What came of each stands in their order; one that is rejected
    /// keeps no other from being created.
    pub async fn submit_all(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Submitted>, AppError> {
        Ok(self.client.submit(&self.definition, submissions).await?)
    }

    /// A job as it stands.
    pub async fn job(&self, job_id: &JobId) -> Result<JobRecord, AppError> {
        let job = self.client.backend().store.job(job_id).await?;
        job.ok_or_else(|| AppError::UnknownJob(job_id.clone()))
    }

    /// Everything else that can be asked.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts the workers.
    pub async fn start(&self, options: Options) -> Result<Handle, AppError> {
        let (backend, registry) = (self.client.backend().clone(), self.client.registry().clone());
        Ok(Engine::start(backend, registry, Arc::clone(&self.definition), options).await?)
    }

    /// Works until the process is told to end, by Ctrl-C or SIGTERM. What runs may end then; the
    /// second signal does not wait for it.
    pub async fn serve(&self, options: Options) -> Result<(), AppError> {
        let mut signals = Signals::listen().map_err(AppError::Signals)?;
        let engine = self.start(options).await?;
        let stopper = engine.stopper();
        let mut ended = std::pin::pin!(engine.join());
        tokio::select! {
            ended = &mut ended => return Ok(ended?),
            () = signals.next() => stopper.cancel(),
        }
        tokio::select! {
            ended = ended => Ok(ended?),
            () = signals.next() => Ok(()),
        }
    }

    /// Works by processes that are looked after: this program is called again, as it was called,
    /// for each of them, and does in them what is asked of a worker once it comes here. Ends when
    /// it is told to, by Ctrl-C or SIGTERM, after what runs; at once at the second signal.
    pub async fn supervise(
        &self,
        workers: supervisor::Options,
        options: Options,
    ) -> Result<(), AppError> {
        let backend = self.client.backend().clone();
        let (registry, only) =
            (self.client.registry().clone(), vec![self.definition.pipeline.name.clone()]);
        if let Some(assignment) = supervised::assignment() {
            let work = supervisor::Work { backend, registry, only, options };
            return Ok(supervised::run(work, assignment).await?);
        }
        let mut signals = Signals::listen().map_err(AppError::Signals)?;
        let launch = supervised::processes().map_err(AppError::Program)?;
        let mut supervising = Supervisor::start(workers, launch, backend)?;
        tokio::select! {
            ended = supervising.join() => return Ok(ended?),
            () = signals.next() => supervising.stop(),
        }
        tokio::select! {
            ended = supervising.join() => return Ok(ended?),
            () = signals.next() => supervising.stop_at_once(),
        }
        Ok(supervising.join().await?)
    }

    /// Works until no job can go on by itself.
    pub async fn run_until_idle(&self) -> Result<(), AppError> {
        let options = Options { sources: Sources::Once, ..Options::default() };
        let engine = self.start(options).await?;
        engine.until_idle().await?;
        engine.stop();
        Ok(engine.join().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stages_of_a_file_get_their_code_by_its_name() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "name: numbers\nstages:\n  - { id: first, type: double, queue: numbers }\n  \
                    - { id: second, type: double }\n";
        std::fs::write(file.path(), text).expect("written");
        let double = |_: Context, params: Value| async move {
            Ok(json!({ "n": params["n"].as_u64().unwrap_or_default() * 2 }))
        };
        let app = App::from_file(file.path()).expect("readable").stage("double", double);
        let app = app.store("memory://").open().await.expect("a good pipeline");
        let job = app.submit(json!({ "n": 3 })).await.expect("submitted");
        app.run_until_idle().await.expect("it ends");
        assert_eq!(app.job(&job).await.expect("it is there").params["n"], 12);
    }

    #[tokio::test]
    async fn values_that_are_set_go_into_the_file() {
        let text = "{ name: one, stages: [{ id: say, type: exec, settings: { command: \
                    [sh, -c, 'echo \"{\\\"said\\\":\\\"$0\\\"}\"', '${word}'] } }] }";
        let app = App::from_text("one", text).set("word", "hello").store("memory://");
        let app = app.open().await.expect("every name has a value");
        let job = app.submit(json!({})).await.expect("submitted");
        app.run_until_idle().await.expect("it ends");
        assert_eq!(app.job(&job).await.expect("it is there").params["said"], "hello");
    }

    #[test]
    fn missing_file_is_named() {
        let error = App::from_file("nowhere.yaml").err().expect("there is no such file");
        assert!(error.to_string().contains("nowhere.yaml"), "{error}");
    }
}
