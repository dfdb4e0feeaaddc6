//! The model of a pipeline: stages and the routes between them.

use std::time::Duration;

use super::fan_out::FanOut;
use super::join::Join;
use super::keyed::Keyed;
use crate::Params;
use crate::condition::Condition;
use crate::form::Form;
use crate::id::{Label, PipelineName, QueueName, StageId};
use crate::retry::RetryPolicy;
use crate::schedule::Schedule;

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
    /// The param that holds the type of a job's state, for routes by type.
    pub type_param: String,
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
    /// Exactly the keys that the handler must return, when they are declared: missing and further
    /// ones are a breach of contract, as with mda-common.
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
    /// How the stage waits for children, when they come together here.
    pub join: Option<Join>,
    /// How many may wait in its queue before what is submitted from outside is held back.
    pub lane_limit: Option<u32>,
    /// Above how many that wait in its queue's priority lane somebody should look, where that is
    /// said: nothing limits that lane. Never, with 0.
    pub priority_alarm: Option<u32>,
    /// By what jobs are told apart here that run one at a time, in order.
    pub key: Option<Keyed>,
    /// Whether values of its output that are too large to travel lie apart as blobs.
    pub offload: bool,
    /// When it looks, at a source stage that says so.
    pub schedule: Option<Schedule>,
    /// Only where this holds over the params. A job of which it does not passes the stage by.
    pub when: Option<Condition>,
    /// What becomes of a job that fails here for good.
    pub on_failure: OnStageFailure,
}

/// What becomes of a job that fails at a stage for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStageFailure {
    /// It has failed.
    #[default]
    Fail,
    /// It goes on with the params that it came with.
    Pass,
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
    /// Only for a state of one of these types, of any when none is named. Pipeteer's routing: in
    /// the order of declaration, the first match; a state that matches nowhere is an error here.
    pub on_type: Vec<String>,
    /// Only so often for one job; after that the next route is tried.
    pub at_most: Option<u32>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To another stage.
    Stage(StageId),
    /// To the job's end.
    Done,
    /// To several stages at once, each with a child of the job.
    FanOut(FanOut),
}

impl Stage {
    /// How many attempts run at a time unless the stage says otherwise.
    pub const CONCURRENCY: usize = 4;
    /// The most that a stage may ask for.
    pub const CONCURRENCY_MAX: usize = 10_000;
    /// The most that a stage may let wait in its queue.
    pub const LANE_LIMIT_MAX: u32 = 100_000_000;
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
            join: None,
            key: None,
            lane_limit: None,
            priority_alarm: None,
            offload: false,
            schedule: None,
            when: None,
            on_failure: OnStageFailure::Fail,
        }
    }

    /// Above how many of priority somebody should look, unless the stage says it.
    pub const PRIORITY_ALARM: u32 = 10_000;

    /// Above how many of priority somebody should look, if ever.
    pub fn priority_alarm(&self) -> Option<u64> {
        let limit = self.priority_alarm.unwrap_or(Self::PRIORITY_ALARM);
        (limit > 0).then_some(u64::from(limit))
    }

    /// The executor that does nothing.
    pub const PASS: &str = "pass";

    /// The same stage of the graph, at which nothing is done: jobs pass it by. What was said of the
    /// work is not even looked at.
    #[must_use]
    pub fn disabled(self) -> Self {
        let Self { id, join, concurrency, max_deliveries, .. } = self;
        Self { concurrency, max_deliveries, join, ..Self::new(id, Self::PASS) }
    }
}

impl Stage {
    /// The setting that says in seconds how often a source looks, as with ContentFlow: another way
    /// to say `schedule`.
    pub const INTERVAL_SETTING: &str = "polling_interval_seconds";

    /// When it looks, at a source stage.
    pub fn looks(&self) -> Schedule {
        let setting = || self.settings.get(Self::INTERVAL_SETTING)?.as_f64();
        let interval = || Duration::try_from_secs_f64(setting()?).ok().map(Schedule::Every);
        self.schedule.clone().or_else(interval).unwrap_or_default()
    }
}

impl Target {
    /// The name that stands for the job's end in pipeline files.
    pub const DONE: &str = "done";

    /// The stages that it leads to, of jobs and of their children.
    pub fn stages(&self) -> impl Iterator<Item = &StageId> {
        let (one, many) = match self {
            Self::Stage(stage) => (Some(stage), None),
            Self::Done => (None, None),
            Self::FanOut(fan_out) => (None, Some(fan_out.stages())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Whether it leads to this stage.
    pub fn leads_to(&self, stage: &StageId) -> bool {
        self.stages().any(|one| one == stage)
    }
}

impl Route {
    /// A route without a condition.
    pub fn new(from: impl Into<StageId>, to: impl Into<StageId>) -> Self {
        Self::to(from, Target::Stage(to.into()))
    }

    /// A route without a condition, wherever it leads.
    pub fn to(from: impl Into<StageId>, to: Target) -> Self {
        let from = from.into();
        Self { from, to, on: None, when: None, on_type: Vec::new(), at_most: None }
    }

    /// Whether it takes every job.
    pub fn is_plain(&self) -> bool {
        let free = self.on.is_none() && self.when.is_none();
        free && self.on_type.is_empty() && self.at_most.is_none()
    }
}

impl Pipeline {
    /// The param that holds the type of a job's state, unless the pipeline says otherwise.
    pub const TYPE_PARAM: &str = "type";

    /// A pipeline whose stages follow each other in this order.
    pub fn chain(name: impl Into<PipelineName>, stages: Vec<Stage>) -> Self {
        let routes = stages
            .windows(2)
            .map(|pair| Route::new(pair[0].id.clone(), pair[1].id.clone()))
            .collect();
        Self { routes, ..Self::new(name, stages) }
    }

    /// A pipeline of these stages, without routes.
    pub fn new(name: impl Into<PipelineName>, stages: Vec<Stage>) -> Self {
        let type_param = Self::TYPE_PARAM.to_owned();
        Self { name: name.into(), description: None, stages, routes: Vec::new(), type_param }
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
            let others = self.routes.iter().filter(|route| route.from != stage.id);
            !others.into_iter().any(|route| route.to.leads_to(&stage.id))
        };
        let roots: Vec<_> = self.stages.iter().filter(is_root).collect();
        if roots.is_empty() { self.stages.first().into_iter().collect() } else { roots }
    }
}
