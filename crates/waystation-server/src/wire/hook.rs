//! What calls to hooks bring.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What somebody who calls sends: any JSON that the stage's settings can make jobs of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({ "action": "opened", "number": 7 }))]
pub enum HookCall {
    /// One job's params.
    One(BTreeMap<String, Value>),
    /// Those of as many jobs as there are entries; with the setting `under`, of any kind.
    Many(Vec<Value>),
}
