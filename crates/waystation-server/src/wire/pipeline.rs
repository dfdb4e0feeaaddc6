//! Pipelines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::Params;

use super::Pause;
use super::task::FormField;

/// How many jobs stand in each state, by the state's name. States without jobs are left out.
pub type JobCounts = BTreeMap<String, u64>;

/// A pipeline in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineSummary {
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub version: u32,
    /// What it is for, in its author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its stages, in the order that they were declared.
    pub stages: Vec<String>,
    /// Its jobs.
    pub jobs: JobCounts,
    /// What of it is paused or drained.
    pub pauses: Vec<Pause>,
    /// Why it cannot be read here, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A version of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineDetail {
    /// Its name.
    pub name: String,
    /// Which version this is.
    pub version: u32,
    /// The newest one.
    pub newest_version: u32,
    /// Those that jobs are on which have not ended.
    pub live_versions: Vec<u32>,
    /// What it is for, in its author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its text as it was put, without the values of secrets.
    pub source: String,
    /// Its stages, in the order that they were declared.
    pub stages: Vec<PipelineStage>,
    /// Its routes, in the order that they are tried.
    pub routes: Vec<PipelineRoute>,
    /// What of it is paused or drained.
    pub pauses: Vec<Pause>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineStage {
    /// Its name.
    pub id: String,
    /// Which executor does its work.
    #[serde(rename = "type")]
    pub stage_type: String,
    /// `worker`, `manual`, `source`, `foreign` or `remote`.
    pub kind: String,
    /// The queue that it reads, where it reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What jobs are told apart by that run here one at a time, in order: CEL over the params.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many jobs of one key a worker takes at once, where there are keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<usize>,
    /// How many may wait here before what is submitted is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_limit: Option<u32>,
    /// The params that must be there before an attempt.
    pub required_params: Vec<String>,
    /// What a person's answer must hold, at a manual stage.
    pub form: Vec<FormField>,
    /// What is only known where the whole of the text could be read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<StageWork>,
    /// The jobs that stand here, of all versions.
    pub jobs: JobCounts,
}

/// How a stage's work is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageWork {
    /// What the executor is told, without the values of secrets.
    #[schema(value_type = Object)]
    pub settings: Params,
    /// Exactly the keys that its work gives, where they are declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_params: Option<Vec<String>>,
    /// How many attempts follow a failed first one.
    pub max_retries: u32,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// How many attempts run at a time in one engine.
    pub concurrency: u64,
    /// After this many deliveries without an end a job is taken for poison.
    pub max_deliveries: u32,
}

/// A route of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineRoute {
    /// The stage that ends.
    pub from: String,
    /// Where jobs go, or their children: stages, or `done`.
    pub to: Vec<String>,
    /// `one`; or `branches` or `items`, where the job makes children.
    pub kind: String,
    /// The stage at which the children come together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// Only for this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Only when this holds over the params.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Only for a state of one of these types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_type: Vec<String>,
    /// Only so often for one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
}

/// A pipeline as a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineGraph {
    /// Its name.
    pub name: String,
    /// Which version this is.
    pub version: u32,
    /// The stages.
    pub nodes: Vec<PipelineStage>,
    /// The routes between them.
    pub edges: Vec<PipelineRoute>,
    /// The same as a Mermaid flowchart.
    pub mermaid: String,
}

/// What jobs must bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineSchema {
    /// Its name.
    pub name: String,
    /// Which version this is.
    pub version: u32,
    /// Where jobs start unless they say otherwise; absent where they must say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_stage: Option<String>,
    /// What the params must be, by the stage that a job starts at: a JSON Schema each.
    #[schema(value_type = BTreeMap<String, Object>)]
    pub stages: BTreeMap<String, Value>,
}

/// A pipeline's text.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "source": "name: scans\nstages:\n  - { id: look, type: manual, form: { ok: boolean } }\n"
}))]
pub struct PipelineText {
    /// The text of the pipeline file.
    #[schema(min_length = 1, max_length = 1_048_576)]
    pub source: String,
}

/// What came of a pipeline's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineVersion {
    /// The pipeline.
    pub name: String,
    /// The version that has this text.
    pub version: u32,
    /// Whether it is a new one.
    pub is_new: bool,
}
