//! `aggregate`: from the lists that a join collected to sums, counts, extremes, texts and groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::measure::Measure;
use crate::inputs::{self, invalid};
use crate::path;
use crate::settings;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The param with the list; or a name for each of several lists of the same length, whose items
    /// stand side by side: `{ stars: counts, tile: names }` makes items with `stars` and `tile`.
    from: From,
    /// What is given: for each param a measure, as `sum`, or `{ do: sum, of: price }`.
    give: BTreeMap<String, Wish>,
    /// What of an item tells to which group it belongs, dotted. The measures are taken of each
    /// group then. All are one group unless said.
    #[schemars(length(min = 1))]
    group_by: Option<String>,
    /// With `group_by`: the param that will hold the groups, in the order in which they came, each
    /// with its `key` and its measures.
    #[serde(default = "groups")]
    #[schemars(length(min = 1))]
    output: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum From {
    One(String),
    Several(BTreeMap<String, String>),
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Wish {
    Short(Measure),
    Long(Long),
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// What is made of the values.
    r#do: Measure,
    /// Which value of each item, dotted; the item itself unless said.
    #[serde(default)]
    of: String,
    /// With `concat`: what stands between texts; an end of line unless said.
    #[serde(default = "line_end")]
    separator: String,
}

fn groups() -> String {
    "groups".to_owned()
}

fn line_end() -> String {
    "\n".to_owned()
}

impl Wish {
    fn long(self) -> Long {
        match self {
            Self::Short(measure) => {
                Long { r#do: measure, of: String::new(), separator: line_end() }
            }
            Self::Long(long) => long,
        }
    }
}

struct Aggregate {
    from: From,
    give: BTreeMap<String, Long>,
    group_by: Option<String>,
    output: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let Settings { from, give, group_by, output } = settings::read(params)?;
    if give.is_empty() {
        return Err(vec!["setting `give` must name at least one measure".to_owned()]);
    }
    if group_by.is_some() && give.contains_key("key") {
        return Err(vec!["setting `give.key` would hide the groups' `key`".to_owned()]);
    }
    let give = give.into_iter().map(|(name, wish)| (name, wish.long())).collect();
    Ok(Executor::Worker(Arc::new(Aggregate { from, give, group_by, output })))
}

#[async_trait]
impl Handler for Aggregate {
    async fn run(&self, _context: Context, params: Params) -> Result<Completion, Failure> {
        let items = self.from.items(&params)?;
        let Some(group_by) = &self.group_by else {
            return Ok(Completion::ok(self.measures(&items)?));
        };
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for item in items {
            let key = path::within(&item, group_by).cloned().unwrap_or_default();
            let place = *places.entry(key.to_string()).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, items)) => items.push(item),
                None => groups.push((key, vec![item])),
            }
        }
        let mut told = Vec::new();
        for (key, items) in groups {
            let mut group = Params::from_iter([("key".to_owned(), key)]);
            group.extend(self.measures(&items)?);
            told.push(Value::Object(group));
        }
        let output = Params::from_iter([(self.output.clone(), Value::Array(told))]);
        Ok(Completion::ok(output))
    }
}

impl Aggregate {
    fn measures(&self, items: &[Value]) -> Result<Params, Failure> {
        let mut told = Params::new();
        for (name, Long { r#do, of, separator }) in &self.give {
            let found = items.iter().filter_map(|item| path::within(item, of));
            let values: Vec<&Value> = found.filter(|value| !value.is_null()).collect();
            let what = match of.as_str() {
                "" => format!("each item for `{name}`"),
                of => format!("`{of}` of each item for `{name}`"),
            };
            told.insert(name.clone(), r#do.of(&what, &values, separator)?);
        }
        Ok(told)
    }
}

impl From {
    fn items(&self, params: &Params) -> Result<Vec<Value>, Failure> {
        let names = match self {
            Self::One(name) => return Ok(inputs::list(params, name)?.to_vec()),
            Self::Several(names) => names,
        };
        let mut items: Vec<Params> = Vec::new();
        for (index, (field, name)) in names.iter().enumerate() {
            let list = inputs::list(params, name)?;
            if index == 0 {
                items = vec![Params::new(); list.len()];
            }
            if list.len() != items.len() {
                let (one, other) = (list.len(), items.len());
                let message = format!("param `{name}` has {one} items, the others have {other}");
                return Err(invalid(message));
            }
            for (item, value) in items.iter_mut().zip(list) {
                item.insert(field.clone(), value.clone());
            }
        }
        Ok(items.into_iter().map(Value::Object).collect())
    }
}
