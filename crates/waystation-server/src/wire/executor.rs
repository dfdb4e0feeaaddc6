//! Executors: what a stage's `type:` may be.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A type that stages may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Executor {
    /// What a pipeline file calls it.
    #[serde(rename = "type")]
    pub stage_type: String,
    /// `worker`, `manual`, `source`, `foreign` or `remote`.
    pub kind: String,
    /// What it does, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What its settings may be: a JSON Schema. Absent for handlers of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}
