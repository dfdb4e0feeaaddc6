//! What the pages of pipelines show.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::pipeline::Pipeline;
use waystation_core::port;
use waystation_core::state::JobState;
use waystation_engine::control::{Pause, Target};
use waystation_engine::{DefinitionError, Graph};

use crate::context::Context;
use crate::figures::{Sums, Window};
use crate::redact;
use crate::routes::as_written;

/// How many minutes it is told of what stages did, as the API does.
pub const MINUTES: u32 = 5;

/// How many jobs stand in each state.
pub type States = BTreeMap<JobState, u64>;

/// A pipeline in the list.
pub struct Listed {
    /// Its name.
    pub name: PipelineName,
    /// Its newest version.
    pub version: u32,
    /// What it is for.
    pub description: Option<String>,
    /// How many stages it has, where it can be read here.
    pub stages: Option<usize>,
    /// Its jobs.
    pub states: States,
    /// Whether something of it is paused or drained.
    pub is_held: bool,
}

/// A pipeline's page.
pub struct Shown {
    /// The present moment.
    pub now: Timestamp,
    /// Its name.
    pub name: PipelineName,
    /// The version that is shown: the newest.
    pub version: u32,
    /// Its graph, or why it cannot be read here.
    pub graph: Result<Arc<Graph>, String>,
    /// What its author wrote, where it can be read here.
    pub written: Option<Pipeline>,
    /// Its text, without secrets.
    pub source: String,
    /// How many jobs stand at each stage.
    pub states: BTreeMap<StageId, States>,
    /// The last minutes.
    pub window: Window,
    /// What each stage did in them.
    pub work: BTreeMap<StageId, Sums>,
    /// What of it is paused or drained.
    pub pauses: Vec<Pause>,
}

/// Reads the list.
pub async fn list(context: &Context) -> Result<Vec<Listed>, port::Error> {
    let client = context.client();
    let (pipelines, counts, pauses) =
        tokio::try_join!(context.backend().store.pipelines(), context.counts(), client.pauses())?;
    let mut listed = Vec::with_capacity(pipelines.len());
    for (name, version) in pipelines {
        let graph = client.registry().graph(&name, version).await.ok();
        let mut states = States::new();
        for count in counts.iter().filter(|count| count.pipeline == name) {
            *states.entry(count.state).or_default() += count.jobs;
        }
        let description = graph.as_ref().and_then(|graph| graph.pipeline.description.clone());
        let stages = graph.map(|graph| graph.pipeline.stages.len());
        let is_held = pauses.iter().any(|pause| is_of(pause, &name));
        listed.push(Listed { name, version, description, stages, states, is_held });
    }
    Ok(listed)
}

/// Reads a pipeline's page; none when there is no such pipeline.
pub async fn read(context: &Context, name: PipelineName) -> Result<Option<Shown>, port::Error> {
    let client = context.client();
    let record = context.backend().store.pipeline(&name, None).await?;
    let Some(record) = record else { return Ok(None) };
    let (counts, counted, mut pauses) =
        tokio::try_join!(context.counts(), context.minutes(), client.pauses())?;
    let graph = match client.registry().graph(&name, record.version).await {
        Ok(graph) => Ok(graph),
        Err(DefinitionError::Store(error)) => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    let mut states: BTreeMap<StageId, States> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.pipeline == name) {
        let stage = states.entry(count.stage.clone()).or_default();
        *stage.entry(count.state).or_default() += count.jobs;
    }
    let now = context.now();
    let window = Window::new(MINUTES, now);
    let work = window.stages(&counted, &name);
    pauses.retain(|pause| is_of(pause, &name));
    let (version, source) = (record.version, redact::pipeline_text(&record.source));
    let written = as_written(context, &record.source);
    Ok(Some(Shown { now, name, version, graph, written, source, states, window, work, pauses }))
}

fn is_of(pause: &Pause, name: &PipelineName) -> bool {
    match &pause.target {
        Target::Pipeline(pipeline) | Target::Stage(pipeline, _) => pipeline == name,
        Target::Queue(queue) => queue.as_str().starts_with(&format!("{name}.")),
    }
}

impl Shown {
    /// What it is for, where it says so.
    pub fn description(&self) -> Option<&str> {
        self.graph.as_ref().ok()?.pipeline.description.as_deref()
    }

    /// How many jobs stand at a stage in one of these states.
    pub fn standing(&self, stage: &str, states: &[JobState]) -> u64 {
        let known = self.states.get(stage);
        states.iter().filter_map(|state| known?.get(state)).sum()
    }
}
