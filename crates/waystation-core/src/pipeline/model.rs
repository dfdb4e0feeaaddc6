//! The model of a pipeline: stages and the routes between them.

use std::time::Duration;

use crate::Params;
use crate::condition::Condition;
use crate::form::Form;
use crate::id::{Label, PipelineName, QueueName, StageId};
use crate::retry::RetryPolicy;

/// A named graph of stages.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: PipelineName,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// The stages in the order that they were declared.
    pub stages: Vec<Stage>,
    /// The routes in the order that they are tried.
    pub routes: Vec<Route>,
}

/// One step of a pipeline.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name, unique within the pipeline.
    pub id: StageId,
    /// Which executor does its work: `exec`, `files`, `manual` …
    pub kind: String,
    /// What the executor is told.
    pub settings: Params,
    /// The params that must be there before an attempt: present, not null, not an empty text.
    pub required_params: Vec<String>,
    /// Exactly the keys that the handler must return, when they are declared.
    pub output_params: Option<Vec<String>>,
    /// What becomes of the params when the handler returns some.
    pub params: ParamsMode,
    /// When a failed attempt is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How many attempts run at a time in one engine.
    pub concurrency: usize,
    /// After this many deliveries without an end the job is taken for poison.
    pub max_deliveries: u32,
    /// The queue that it reads, where that is not `pipeline.stage`.
    pub queue: Option<QueueName>,
    /// What a person's answer must hold, at a manual stage.
    pub form: Form,
    /// Whether values of its output that are too large to travel lie apart as blobs.
    pub offload: bool,
}

/// What becomes of a job's params when a handler returns some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamsMode {
    /// The returned ones are added, over those of the same name.
    #[default]
    Merge,
    /// The returned ones are all that is left.
    Replace,
}

/// An edge of the graph, taken when a stage ends.
#[derive(Debug)]
pub struct Route {
    /// The stage that ends.
    pub from: StageId,
    /// Where the job goes.
    pub to: Target,
    /// Only for this label. Without one: for every label but `ko`, which must be routed by name.
    pub on: Option<Label>,
    /// Only when this holds over the params.
    pub when: Option<Condition>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To another stage.
    Stage(StageId),
    /// To the job's end.
    Done,
}

impl Stage {
    /// How many attempts run at a time unless the stage says otherwise.
    pub const CONCURRENCY: usize = 4;
    /// The most that a stage may ask for.
    pub const CONCURRENCY_MAX: usize = 10_000;
    /// Deliveries without an end before a job is taken for poison, unless the stage says
    /// otherwise.
    pub const MAX_DELIVERIES: u32 = 5;

    /// A stage with this name and executor, everything else at its default.
    pub fn new(id: impl Into<StageId>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            settings: Params::new(),
            required_params: Vec::new(),
            output_params: None,
            params: ParamsMode::Merge,
            retry: RetryPolicy::default(),
            timeout: None,
            concurrency: Self::CONCURRENCY,
            max_deliveries: Self::MAX_DELIVERIES,
            queue: None,
            form: Form::default(),
            offload: false,
        }
    }
}

impl Target {
    /// The name that stands for the job's end in pipeline files.
    pub const DONE: &str = "done";
}

impl Route {
    /// A route without a condition.
    pub fn new(from: impl Into<StageId>, to: impl Into<StageId>) -> Self {
        Self { from: from.into(), to: Target::Stage(to.into()), on: None, when: None }
    }
}

impl Pipeline {
    /// A pipeline whose stages follow each other in this order.
    pub fn chain(name: impl Into<PipelineName>, stages: Vec<Stage>) -> Self {
        let routes = stages
            .windows(2)
            .map(|pair| Route::new(pair[0].id.clone(), pair[1].id.clone()))
            .collect();
        Self { name: name.into(), description: None, stages, routes }
    }

    /// The stage of this name.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == *id)
    }

    /// The queue that a stage reads.
    pub fn queue_of(&self, stage: &Stage) -> QueueName {
        let default = || QueueName::of_stage(&self.name, &stage.id);
        stage.queue.clone().unwrap_or_else(default)
    }

    /// The routes out of a stage, in the order that they are tried.
    pub fn routes_from<'a>(&'a self, id: &'a StageId) -> impl Iterator<Item = &'a Route> {
        self.routes.iter().filter(move |route| route.from == *id)
    }

    /// Where jobs may start: the stages that no other stage's route leads to, in the order that
    /// they were declared. Where every stage is part of a circle, the first declared one.
    pub fn roots(&self) -> Vec<&Stage> {
        let is_root = |stage: &&Stage| {
            let target = Target::Stage(stage.id.clone());
            !self.routes.iter().any(|route| route.to == target && route.from != stage.id)
        };
        let roots: Vec<_> = self.stages.iter().filter(is_root).collect();
        if roots.is_empty() { self.stages.first().into_iter().collect() } else { roots }
    }
}
