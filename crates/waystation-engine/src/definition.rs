//! Pipelines ready to run: each version with the code of its stages.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waystation_core::handler::Signature;
use waystation_core::hook::Hook;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::PipelineRecord;
use waystation_core::pipeline::{Catalog, Defaults, Executor, Pipeline, Problem, Problems, Stage};
use waystation_core::port::{self, Store};

use crate::decide::Input;
use crate::graph::Graph;

/// Fills in `${NAME}` in pipeline files.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A version of a pipeline, ready to run: its graph with the code of the stages.
pub struct Definition {
    graph: Arc<Graph>,
    executors: HashMap<StageId, Executor>,
    /// What the handlers take that say so.
    inputs: HashMap<StageId, Input>,
}

/// Why a pipeline is not ready to run.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// Its text has problems.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The store knows no such pipeline.
    #[error("pipeline `{name}` has no version {version} in this store")]
    UnknownVersion {
        /// The pipeline.
        name: PipelineName,
        /// The version.
        version: u32,
    },
    /// The store knows no pipeline of this name.
    #[error("pipeline `{0}` is unknown to this store (hint: `run` or `submit` its file once)")]
    Unknown(PipelineName),
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Definition {
    /// The stage and the code behind it.
    pub fn stage(&self, id: &StageId) -> Option<(&Stage, &Executor)> {
        Some((self.pipeline.stage(id)?, self.executors.get(id)?))
    }

    /// What the handler of a stage takes, if it says so.
    pub fn input(&self, id: &StageId) -> Option<&Input> {
        self.inputs.get(id)
    }

    /// Where its jobs go.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Makes the code of every stage of a pipeline that was checked.
    fn new(mut pipeline: Pipeline, version: u32, catalog: &dyn Catalog) -> Result<Self, Problems> {
        let (mut executors, mut inputs) = (HashMap::new(), HashMap::new());
        let mut messages = Vec::new();
        for stage in &mut pipeline.stages {
            match catalog.build(stage) {
                Ok(executor) => {
                    if let Executor::Worker(handler) = &executor {
                        match sign(stage, &handler.signature()) {
                            Ok(input) => inputs.extend(input.map(|one| (stage.id.clone(), one))),
                            Err(message) => messages.push(message),
                        }
                    }
                    executors.insert(stage.id.clone(), executor);
                }
                Err(found) => messages.extend(found),
            }
        }
        if messages.is_empty() {
            let graph = Arc::new(Graph::new(pipeline, version, catalog));
            return Ok(Self { graph, executors, inputs });
        }
        let list = messages.into_iter().map(Problem::new).collect();
        Err(Problems { origin: pipeline.name.to_string(), list })
    }
}

impl Deref for Definition {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.graph
    }
}

/// Takes what a handler says of itself for what the stage declares, where the stage says nothing.
/// Gives its input.
fn sign(stage: &mut Stage, signature: &Signature) -> Result<Option<Input>, String> {
    if let Some(outputs) = &signature.outputs {
        let declared = stage.output_params.get_or_insert_with(|| outputs.clone());
        let keys = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
        if keys(declared) != keys(outputs) {
            return Err(format!(
                "stage `{}` declares other output_params than its code gives: {} instead of {}",
                stage.id,
                declared.join(", "),
                outputs.join(", ")
            ));
        }
    }
    signature.input.as_ref().map(|schema| Input::new(&stage.id, schema)).transpose()
}

/// Every pipeline that this process has met, by name and version.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
    catalog: Arc<dyn Catalog>,
    environment: Environment,
    defaults: Arc<Defaults>,
    known: Arc<Mutex<Versions<Definition>>>,
    graphs: Arc<Mutex<Versions<Graph>>>,
    hooks: Arc<Mutex<Hooks>>,
}

type Versions<T> = HashMap<(PipelineName, u32), Arc<T>>;
type Hooks = HashMap<(PipelineName, u32, StageId), Arc<dyn Hook>>;

impl Registry {
    /// Knows nothing yet.
    pub fn new(store: Arc<dyn Store>, catalog: Arc<dyn Catalog>, environment: Environment) -> Self {
        let (defaults, known, graphs, hooks) = Default::default();
        Self { store, catalog, environment, defaults, known, graphs, hooks }
    }

    /// The same, with these values for stages that do not say them.
    #[must_use]
    pub fn with_defaults(self, defaults: Defaults) -> Self {
        Self { defaults: Arc::new(defaults), ..self }
    }

    /// What stages may be.
    pub fn catalog(&self) -> &dyn Catalog {
        &*self.catalog
    }

    /// Checks a pipeline's text, keeps it in the store and makes it ready to run.
    pub async fn install(
        &self,
        origin: &str,
        source: &str,
    ) -> Result<Arc<Definition>, DefinitionError> {
        let pipeline = self.load(origin, source)?;
        let version = self.store.put_pipeline(&pipeline.name, source).await?;
        Ok(self.remember(Definition::new(pipeline, version, self.catalog())?))
    }

    /// The newest version that the store has.
    pub async fn newest(&self, name: &PipelineName) -> Result<Arc<Definition>, DefinitionError> {
        self.version(name, self.newest_version(name).await?).await
    }

    /// One version.
    pub async fn version(
        &self,
        name: &PipelineName,
        version: u32,
    ) -> Result<Arc<Definition>, DefinitionError> {
        if let Some(known) = self.known(name, version) {
            return Ok(known);
        }
        let record = self.record(name, version).await?;
        let origin = format!("{name} version {version}");
        let pipeline = self.load(&origin, &record.source)?;
        Ok(self.remember(Definition::new(pipeline, version, self.catalog())?))
    }

    /// One version, if this process has met it.
    pub fn known(&self, name: &PipelineName, version: u32) -> Option<Arc<Definition>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(name.clone(), version)).cloned()
    }

    /// Where the jobs of a version go. That can be told of pipelines that cannot be made ready
    /// here, too: neither the code of their stages is needed nor what these are told.
    pub async fn graph(
        &self,
        name: &PipelineName,
        version: u32,
    ) -> Result<Arc<Graph>, DefinitionError> {
        if let Some(known) = self.known(name, version) {
            return Ok(Arc::clone(&known.graph));
        }
        let key = (name.clone(), version);
        if let Some(known) = self.graphs().get(&key) {
            return Ok(Arc::clone(known));
        }
        let record = self.record(name, version).await?;
        let origin = format!("{name} version {version}");
        let (environment, catalog) = (&*self.environment, self.catalog());
        let graph = Graph::load(&origin, &record.source, version, environment, catalog)?;
        let graph = Arc::new(graph);
        self.graphs().insert(key, Arc::clone(&graph));
        Ok(graph)
    }

    /// The newest graphs of all pipelines that have this stage.
    pub async fn graphs_with(&self, stage: &StageId) -> Result<Vec<Arc<Graph>>, port::Error> {
        let mut found = Vec::new();
        for (name, version) in self.store.pipelines().await? {
            match self.graph(&name, version).await {
                Ok(graph) if graph.kind(stage).is_some() => found.push(graph),
                Ok(_) => {}
                Err(DefinitionError::Store(error)) => return Err(error),
                Err(error) => tracing::debug!(pipeline = %name, version, %error, "not known here"),
            }
        }
        Ok(found)
    }

    /// The graph of one version, or of the newest.
    pub async fn graph_of(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Arc<Graph>, DefinitionError> {
        let version = match version {
            Some(version) => version,
            None => self.newest_version(name).await?,
        };
        self.graph(name, version).await
    }

    /// The same, to put jobs somewhere by: the queues are known.
    pub async fn graph_to_act_on(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Arc<Graph>, DefinitionError> {
        let graph = self.graph_of(name, version).await?;
        graph.check_queues()?;
        Ok(graph)
    }

    async fn newest_version(&self, name: &PipelineName) -> Result<u32, DefinitionError> {
        let record = self.store.pipeline(name, None).await?;
        record.map(|one| one.version).ok_or_else(|| DefinitionError::Unknown(name.clone()))
    }

    async fn record(
        &self,
        name: &PipelineName,
        version: u32,
    ) -> Result<PipelineRecord, DefinitionError> {
        let record = self.store.pipeline(name, Some(version)).await?;
        record.ok_or_else(|| DefinitionError::UnknownVersion { name: name.clone(), version })
    }

    fn load(&self, origin: &str, source: &str) -> Result<Pipeline, Problems> {
        let (environment, catalog) = (&*self.environment, self.catalog());
        Pipeline::load_with(origin, source, environment, catalog, &self.defaults)
    }

    fn graphs(&self) -> MutexGuard<'_, Versions<Graph>> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hooks that this process has met.
    pub(crate) fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, definition: Definition) -> Arc<Definition> {
        let definition = Arc::new(definition);
        let key = (definition.pipeline.name.clone(), definition.version);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, Arc::clone(&definition));
        definition
    }
}
