//! `llm`: asks a language model, and keeps what it says, as a text or as JSON.

use std::sync::Arc;

use async_trait::async_trait;
use jsonschema::Validator;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::answer;
use super::service::{self, Service};
use crate::settings;
use crate::template::{Template, Values};

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
    /// What the model is asked: a template.
    prompt: Template,
    /// What the model is told before: a template.
    system: Option<Template>,
    /// How much chance there is in the answer; as the service likes it unless said.
    #[schemars(range(min = 0, max = 2))]
    temperature: Option<f64>,
    /// The longest answer, in tokens; one that is cut off there fails the job.
    #[schemars(range(min = 1))]
    max_tokens: Option<u32>,
    /// Whether the answer is JSON.
    #[serde(default)]
    json: bool,
    /// The JSON Schema that the answer is held against; it is JSON then. An answer that does not
    /// fit is asked for again, as often as the stage retries.
    schema: Option<Params>,
    /// Whatever else the service takes in a request, as `seed`; it goes before what is made here.
    #[serde(default)]
    more: Params,
    /// The param that will hold the answer.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
    /// The param that will hold what the service counted, as `total_tokens`.
    #[serde(default = "usage")]
    #[schemars(length(min = 1))]
    usage: String,
}

fn output() -> String {
    "answer".to_owned()
}

fn usage() -> String {
    "usage".to_owned()
}

/// How an answer is read.
enum Reading {
    Text,
    Json,
    Schema(Box<Validator>),
}

struct Llm {
    service: Service,
    prompt: Template,
    system: Option<Template>,
    /// The request without its messages.
    request: Params,
    reading: Reading,
    output: String,
    usage: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let mut request = Params::new();
    request.insert("model".into(), json!(settings.model));
    if let Some(temperature) = settings.temperature {
        request.insert("temperature".into(), json!(temperature));
    }
    if let Some(most) = settings.max_tokens {
        request.insert("max_tokens".into(), json!(most));
    }
    let reading = match &settings.schema {
        Some(schema) => {
            let schema = json!(schema);
            let wrong = |error| vec![format!("setting `schema` is no JSON Schema: {error}")];
            let validator = jsonschema::validator_for(&schema).map_err(wrong)?;
            let format = json!({ "name": "answer", "schema": schema });
            let format = json!({ "type": "json_schema", "json_schema": format });
            request.insert("response_format".into(), format);
            Reading::Schema(Box::new(validator))
        }
        None if settings.json => {
            request.insert("response_format".into(), json!({ "type": "json_object" }));
            Reading::Json
        }
        None => Reading::Text,
    };
    request.extend(settings.more);
    let llm = Llm {
        service: settings.service.service()?,
        prompt: settings.prompt,
        system: settings.system,
        request,
        reading,
        output: settings.output,
        usage: settings.usage,
    };
    Ok(Executor::Worker(Arc::new(llm)))
}

#[async_trait]
impl Handler for Llm {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let values = Values::new(&context, &params);
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            let text = system.fill("setting `system`", &values)?;
            messages.push(json!({ "role": "system", "content": text }));
        }
        let text = self.prompt.fill("setting `prompt`", &values)?;
        messages.push(json!({ "role": "user", "content": text }));
        let mut request = self.request.clone();
        request.insert("messages".into(), Value::Array(messages));
        let answer = self.service.ask("chat/completions", &Value::Object(request)).await?;
        let text = answer::text(&answer)?;
        let value = match &self.reading {
            Reading::Text => json!(text),
            Reading::Json => answer::value(text, None)?,
            Reading::Schema(schema) => answer::value(text, Some(schema))?,
        };
        let usage = answer.get("usage").cloned().unwrap_or_default();
        let output = [(self.output.clone(), value), (self.usage.clone(), usage)];
        Ok(Completion::ok(Params::from_iter(output)))
    }
}
