//! `split`: makes a list of a param, for a route with `each` to make a child of each item.
//!
//! Children are made by routes: what is here makes the list that they need, where what came before
//! gave a text, an object, or a list of too many small items.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::{CHILDREN_MAX, Executor};

use crate::inputs::{self, invalid};
use crate::settings;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The param that is split: a text, a list, or an object, whose fields become items with `key`
    /// and `value`. Its name may be dotted.
    #[schemars(length(min = 1))]
    from: String,
    /// What stands between the items of a text; an end of line unless said.
    #[serde(default = "line_end")]
    #[schemars(length(min = 1))]
    separator: String,
    /// So many items become one, a list of them. Each is one by itself unless said.
    #[schemars(range(min = 1))]
    batch: Option<usize>,
    /// The param that will hold the list.
    #[serde(default = "items")]
    #[schemars(length(min = 1))]
    output: String,
}

fn line_end() -> String {
    "\n".to_owned()
}

fn items() -> String {
    "items".to_owned()
}

struct Split(Settings);

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    Ok(Executor::Worker(Arc::new(Split(settings::read(params)?))))
}

#[async_trait]
impl Handler for Split {
    async fn run(&self, _context: Context, params: Params) -> Result<Completion, Failure> {
        let Settings { from, separator, batch, output } = &self.0;
        let mut items: Vec<Value> = match inputs::value(&params, from)? {
            Value::String(text) => {
                let pieces = text.split(separator.as_str()).map(str::trim);
                pieces.filter(|piece| !piece.is_empty()).map(Value::from).collect()
            }
            Value::Array(items) => items.clone(),
            Value::Object(fields) => {
                let items = fields.iter();
                items.map(|(key, value)| json!({ "key": key, "value": value })).collect()
            }
            other => {
                let what = format!("param `{from}`");
                return Err(inputs::wrong(&what, "a text, a list or an object", other));
            }
        };
        if let Some(size) = batch {
            items = items.chunks(*size).map(|some| Value::from(some.to_vec())).collect();
        }
        if items.len() > CHILDREN_MAX {
            let count = items.len();
            return Err(invalid(format!(
                "param `{from}` gives {count} items, more than the {CHILDREN_MAX} that a job may \
                 have as children (hint: `batch`)"
            )));
        }
        let mut given = Params::new();
        given.insert(output.clone(), Value::Array(items));
        Ok(Completion::ok(given))
    }
}
