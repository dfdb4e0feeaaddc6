//! `embed`: has a model make vectors of texts, many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::service::{self, Service};
use crate::inputs::{self, wrong};
use crate::path;
use crate::settings;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who serves the model.
    #[serde(default)]
    service: service::Settings,
    /// The model's name there.
    #[schemars(length(min = 1))]
    model: String,
    /// The param with the text, or with a list of texts.
    #[serde(default = "text")]
    #[schemars(length(min = 1))]
    text: String,
    /// Where the text is in each item of the list, dotted, as `text` in chunks.
    #[serde(default)]
    field: String,
    /// How many numbers a vector has, where the model lets one choose.
    #[schemars(range(min = 1))]
    dimensions: Option<u32>,
    /// How many texts are in one request.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 2048))]
    batch: usize,
    /// The param that will hold the vector; of a list, a list of vectors in its order.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
    /// The param that will hold what the service counted, over all requests.
    #[serde(default = "usage")]
    #[schemars(length(min = 1))]
    usage: String,
}

fn text() -> String {
    "text".to_owned()
}

fn batch() -> usize {
    64
}

fn output() -> String {
    "embedding".to_owned()
}

fn usage() -> String {
    "usage".to_owned()
}

struct Embed {
    service: Service,
    request: Params,
    text: String,
    field: String,
    batch: usize,
    output: String,
    usage: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let mut request = Params::from_iter([("model".to_owned(), json!(settings.model))]);
    if let Some(dimensions) = settings.dimensions {
        request.insert("dimensions".into(), json!(dimensions));
    }
    let embed = Embed {
        service: settings.service.service()?,
        request,
        text: settings.text,
        field: settings.field,
        batch: settings.batch,
        output: settings.output,
        usage: settings.usage,
    };
    Ok(Executor::Worker(Arc::new(embed)))
}

#[async_trait]
impl Handler for Embed {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let input = inputs::value(&params, &self.text)?;
        let texts = self.texts(input)?;
        let (mut vectors, mut usage) = (Vec::new(), BTreeMap::<String, u64>::new());
        for some in texts.chunks(self.batch) {
            let mut request = self.request.clone();
            request.insert("input".into(), json!(some));
            let answer = self.service.ask("embeddings", &Value::Object(request)).await?;
            vectors.extend(vectors_of(&answer, some.len())?);
            for (name, count) in
                answer.get("usage").and_then(Value::as_object).into_iter().flatten()
            {
                *usage.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
            }
            let percent = 100.0 * vectors.len() as f64 / texts.len() as f64;
            context.progress(percent, &format!("{} of {} texts", vectors.len(), texts.len()));
        }
        let made = match input {
            Value::Array(_) => Value::Array(vectors),
            _ => vectors.pop().unwrap_or_default(),
        };
        let output = [(self.output.clone(), made), (self.usage.clone(), json!(usage))];
        Ok(Completion::ok(Params::from_iter(output)))
    }
}

impl Embed {
    fn texts<'a>(&self, input: &'a Value) -> Result<Vec<&'a str>, Failure> {
        let items = match input {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let text = |(index, item): (usize, &'a Value)| {
            let found = path::within(item, &self.field).unwrap_or(&Value::Null);
            found.as_str().ok_or_else(|| {
                let what = match self.field.as_str() {
                    "" => format!("item {index} of param `{}`", self.text),
                    field => format!("`{field}` of item {index} of param `{}`", self.text),
                };
                wrong(&what, "a text", found)
            })
        };
        items.iter().enumerate().map(text).collect()
    }
}

/// The vectors of an answer, in the order of their texts, which the service need not keep.
fn vectors_of(answer: &Value, count: usize) -> Result<Vec<Value>, Failure> {
    let contract = |what: String| Failure::new(ErrorKind::Contract, what);
    let data = answer.get("data").and_then(Value::as_array);
    let data = data.ok_or_else(|| contract("the answer has no list `data`".to_owned()))?;
    let mut vectors = vec![None; count];
    for (place, one) in data.iter().enumerate() {
        let index = one.get("index").and_then(Value::as_u64).map_or(place, |index| index as usize);
        let vector = one.get("embedding").filter(|vector| {
            let numbers = vector.as_array();
            numbers.is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_number))
        });
        match (vectors.get_mut(index), vector) {
            (Some(slot), Some(vector)) => *slot = Some(vector.clone()),
            _ => return Err(contract(format!("`data[{place}]` of the answer is no vector"))),
        }
    }
    let found = vectors.iter().flatten().count();
    vectors
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| contract(format!("the answer has {found} vectors for {count} texts")))
}
