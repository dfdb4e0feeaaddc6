//! Where the jobs of a pipeline go: what is known without the code and the settings of its stages.

use std::collections::HashMap;

use waystation_core::id::{QueueName, StageId};
use waystation_core::pipeline::{
    Catalog, Environment, Pipeline, Problem, Problems, Stage, StageKind,
};

/// A version of a pipeline as far as it says where jobs go.
pub struct Graph {
    /// Its stages and routes.
    pub pipeline: Pipeline,
    /// Which version it is.
    pub version: u32,
    kinds: HashMap<StageId, StageKind>,
}

impl Graph {
    /// The graph of a pipeline that was read.
    pub(crate) fn new(pipeline: Pipeline, version: u32, catalog: &dyn Catalog) -> Self {
        let kind = |stage: &Stage| {
            let known = catalog.kind(&stage.kind);
            known.unwrap_or_else(|| StageKind::without_code(&stage.kind))
        };
        let stages = pipeline.stages.iter();
        let kinds = stages.map(|stage| (stage.id.clone(), kind(stage))).collect();
        Self { pipeline, version, kinds }
    }

    /// Reads the graph from a text that the store has.
    pub(crate) fn load(
        origin: &str,
        source: &str,
        version: u32,
        environment: &Environment<'_>,
        catalog: &dyn Catalog,
    ) -> Result<Self, Problems> {
        let pipeline = Pipeline::load_graph(origin, source, environment)?;
        Ok(Self::new(pipeline, version, catalog))
    }

    /// What kind of step a stage is.
    pub fn kind(&self, id: &StageId) -> Option<StageKind> {
        self.kinds.get(id).copied()
    }

    /// The queue of a stage.
    pub fn queue_of(&self, id: &StageId) -> QueueName {
        match self.pipeline.stage(id) {
            Some(stage) => self.pipeline.queue_of(stage),
            None => QueueName::of_stage(&self.pipeline.name, id),
        }
    }

    /// The stage that reads this queue: `expected` unless it is another one in this version.
    pub fn reader_of<'a>(&'a self, queue: &QueueName, expected: &'a StageId) -> &'a StageId {
        if self.queue_of(expected) == *queue {
            return expected;
        }
        let mut stages = self.pipeline.stages.iter();
        let reader = stages.find(|stage| self.pipeline.queue_of(stage) == *queue);
        reader.map_or(expected, |stage| &stage.id)
    }

    /// The stages that read a queue, and their queues. One whose name nobody here knows whole is
    /// left out.
    pub fn queues(&self) -> impl Iterator<Item = (&StageId, QueueName)> {
        let reads = |id: &StageId| {
            use StageKind::{Foreign, Remote, Worker};
            matches!(self.kind(id), Some(Worker | Foreign | Remote))
        };
        let stages = self.pipeline.stages.iter();
        let readers = stages.filter(move |stage| reads(&stage.id) && !is_open(stage));
        readers.map(|stage| (&stage.id, self.pipeline.queue_of(stage)))
    }

    /// Refuses a graph with a queue whose name is not known whole: what was put there would never
    /// be found.
    pub(crate) fn check_queues(&self) -> Result<(), Problems> {
        let problem = |stage: &Stage| {
            let (id, queue) = (&stage.id, self.pipeline.queue_of(stage));
            Problem::new(format!("`queue` of stage `{id}` is `{queue}`, which has no value here"))
                .hint("pass --set NAME=value, or export NAME")
        };
        let open = self.pipeline.stages.iter().filter(|stage| is_open(stage));
        let list: Vec<_> = open.map(problem).collect();
        if list.is_empty() {
            return Ok(());
        }
        let origin = format!("{} version {}", self.pipeline.name, self.version);
        Err(Problems { origin, list })
    }
}

/// Whether a name without a value stands in the queue's name.
fn is_open(stage: &Stage) -> bool {
    stage.queue.as_ref().is_some_and(|queue| queue.as_str().contains("${"))
}
