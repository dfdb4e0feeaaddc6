//! Pipelines as they are told of.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waystation_core::job::Count;
use waystation_core::pipeline::{Executor, Over, Pipeline, Route, Stage, StageKind, Target};
use waystation_engine::{Definition, Graph};

use super::pipelines::counted;
use crate::context::Context;
use crate::redact;
use crate::wire::{PipelineRoute, PipelineStage, StageWork, form_fields};

/// What stands for a value from the environment: its name, as pipeline files write it.
pub fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}

/// A pipeline as its author wrote it, with names of the environment in the place of their values,
/// so that no secret is in it that is not in its text. `None` where it cannot be read so.
pub fn as_written(context: &Context, source: &str) -> Option<Pipeline> {
    let catalog = context.client().registry().catalog();
    Pipeline::load("", source, &|name| Some(placeholder(name)), catalog).ok()
}

/// The stages. What only those need to know who run them is told where `whole` has it.
pub fn stages(graph: &Graph, whole: Option<&Pipeline>, counts: &[Count]) -> Vec<PipelineStage> {
    let stages = graph.pipeline.stages.iter();
    let told = stages.map(|stage| {
        let kind = graph.kind(&stage.id).unwrap_or(StageKind::Worker);
        let has_queue = matches!(kind, StageKind::Worker | StageKind::Foreign | StageKind::Remote);
        let same = |count: &Count| count.pipeline == graph.pipeline.name && count.stage == stage.id;
        PipelineStage {
            id: stage.id.to_string(),
            stage_type: stage.kind.clone(),
            kind: kind_name(kind).to_owned(),
            queue: has_queue.then(|| graph.queue_of(&stage.id).to_string()),
            required_params: stage.required_params.clone(),
            key: stage.key.as_ref().map(|key| key.by.source().to_owned()),
            together: stage.key.as_ref().map(|key| key.together),
            lane_limit: stage.lane_limit,
            form: form_fields(&stage.form),
            work: whole.and_then(|whole| whole.stage(&stage.id)).map(work),
            jobs: counted(counts, same),
        }
    });
    told.collect()
}

/// A kind as it is told.
pub fn kind_name(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Worker => "worker",
        StageKind::Manual => "manual",
        StageKind::Source => "source",
        StageKind::Foreign => "foreign",
        StageKind::Remote => "remote",
    }
}

fn work(stage: &Stage) -> StageWork {
    StageWork {
        settings: redact::settings(&stage.settings),
        output_params: stage.output_params.clone(),
        max_retries: stage.retry.max_retries,
        timeout_seconds: stage.timeout.map(|timeout| timeout.as_secs_f64()),
        concurrency: stage.concurrency as u64,
        max_deliveries: stage.max_deliveries,
    }
}

/// The routes.
pub fn routes(pipeline: &Pipeline) -> Vec<PipelineRoute> {
    pipeline.routes.iter().map(|route| told(pipeline, route)).collect()
}

fn told(pipeline: &Pipeline, route: &Route) -> PipelineRoute {
    let (kind, to) = match &route.to {
        Target::Stage(stage) => ("one", vec![stage.to_string()]),
        Target::Done => ("one", vec![Target::DONE.to_owned()]),
        Target::FanOut(fan_out) => {
            let kind = match fan_out.over {
                Over::Branches(_) => "branches",
                Over::Items { .. } => "items",
            };
            (kind, fan_out.stages().map(ToString::to_string).collect())
        }
    };
    PipelineRoute {
        from: route.from.to_string(),
        to,
        kind: kind.to_owned(),
        join: pipeline.join_after(route).map(ToString::to_string),
        on: route.on.as_ref().map(ToString::to_string),
        when: route.when.as_ref().map(|condition| condition.source().to_owned()),
        on_type: route.on_type.clone(),
        at_most: route.at_most,
    }
}

/// What the params must be of a job that starts at a stage, for each stage that one can start at.
pub fn schemas(graph: &Graph, definition: Option<&Definition>) -> BTreeMap<String, Value> {
    let stages = graph.pipeline.stages.iter();
    let starts = stages.filter(|stage| graph.kind(&stage.id) != Some(StageKind::Source));
    starts.map(|stage| (stage.id.to_string(), schema(stage, definition))).collect()
}

fn schema(stage: &Stage, definition: Option<&Definition>) -> Value {
    let code = definition.and_then(|definition| definition.stage(&stage.id));
    let input = match code {
        Some((_, Executor::Worker(handler))) => handler.signature().input,
        _ => None,
    };
    let asked = json!({ "type": "object", "required": stage.required_params });
    match input {
        Some(input) if stage.required_params.is_empty() => input,
        Some(input) => json!({ "allOf": [asked, input] }),
        None => asked,
    }
}
