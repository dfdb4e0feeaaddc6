//! `http`: asks somebody over HTTP, and keeps the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::parts::{Address, Headers};
use super::statuses::Statuses;
use crate::net::{Answer, Asking, Guard, Request, Unanswered, shown};
use crate::settings::{self, Seconds};
use crate::shape::Shape;
use crate::template::{Template, Values};

/// By which a service knows a request that it had before.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is done.
    #[serde(default)]
    method: Verb,
    /// What is asked, `http://…` or `https://…`, a template. Params in it are escaped, but for one
    /// at its very front.
    url: Template,
    /// What is added to the query: templates. What names an absent param is left out.
    #[serde(default)]
    query: Params,
    /// What is sent with it, as `Authorization`: templates. POST and PATCH have an
    /// `Idempotency-Key` unless it is said here: the same for each repetition of the stage run.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What is sent as JSON: a value whose texts are templates. A text that is one param alone is
    /// sent as it is.
    json: Option<Value>,
    /// What is sent as a text: a template.
    body: Option<Template>,
    /// The statuses that are good.
    #[serde(default = "good")]
    expect: Statuses,
    /// The statuses after which the stage is tried again, after `Retry-After` at the earliest; any
    /// other that is not good fails the job.
    #[serde(default = "passing")]
    retry: Statuses,
    /// What the answer is.
    #[serde(default)]
    response: Reading,
    /// The param that will hold the answer.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
    /// The param that will hold the status; none unless said.
    #[schemars(length(min = 1))]
    status: Option<String>,
    /// Headers of the answer to keep: for each param the header's name.
    #[serde(default)]
    keep_headers: BTreeMap<String, String>,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    timeout_seconds: Seconds,
    /// The largest answer that is taken, in bytes.
    #[serde(default = "bytes")]
    #[schemars(range(min = 1))]
    max_bytes: usize,
    /// Whether addresses that are not public may be asked: this machine's, those of its network.
    #[serde(default)]
    allow_private: bool,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reading {
    /// JSON; null where there is nothing.
    #[default]
    Json,
    /// A text.
    Text,
    /// Of no interest.
    Nothing,
}

fn good() -> Statuses {
    Statuses::of(&[200..=299])
}

fn passing() -> Statuses {
    Statuses::of(&[408..=408, 425..=425, 429..=429, 500..=599])
}

fn output() -> String {
    "response".to_owned()
}

fn timeout() -> Seconds {
    Seconds(30.0)
}

fn bytes() -> usize {
    10 * 1024 * 1024
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

enum Body {
    Nothing,
    Json(Shape),
    Text(Template),
}

struct Http {
    method: Method,
    address: Address,
    headers: Headers,
    body: Body,
    asking: Asking,
    expect: Statuses,
    retry: Statuses,
    response: Reading,
    output: String,
    status: Option<String>,
    keep_headers: Vec<(String, HeaderName)>,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let one = |problem: String| vec![problem];
    let body = match (settings.json, settings.body) {
        (None, None) => Body::Nothing,
        (Some(json), None) => Body::Json(Shape::parse("json", &json).map_err(one)?),
        (None, Some(text)) => Body::Text(text),
        (Some(_), Some(_)) => {
            return Err(one("settings `json` and `body` are two bodies: leave one out".into()));
        }
    };
    let shape = |(name, value): (&String, &Value)| {
        Ok((name.clone(), Shape::parse(&format!("query.{name}"), value)?))
    };
    let query = settings.query.iter().map(shape).collect::<Result<_, String>>().map_err(one)?;
    let header = |(param, name): (String, String)| match name.parse::<HeaderName>() {
        Ok(header) => Ok((param, header)),
        Err(_) => Err(format!("setting `keep_headers`: `{name}` is no header of HTTP")),
    };
    let keep_headers = settings.keep_headers.into_iter().map(header).collect::<Result<_, _>>();
    let guard = Guard::new(settings.allow_private);
    let client = guard.client(settings.timeout_seconds.into());
    let client = client.map_err(|error| one(format!("no HTTP client: {error}")))?;
    let http = Http {
        method: settings.method.method(),
        address: Address { url: settings.url, query },
        headers: Headers::parse(&settings.headers)?,
        body,
        asking: Asking { client, guard, bytes_max: settings.max_bytes },
        expect: settings.expect,
        retry: settings.retry,
        response: settings.response,
        output: settings.output,
        status: settings.status,
        keep_headers: keep_headers.map_err(one)?,
    };
    Ok(Executor::Worker(Arc::new(http)))
}

#[async_trait]
impl Handler for Http {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let request = self.request(&Values::new(&context, &params))?;
        let asked = self.asking.ask(&request, |status| self.expect.has(status)).await;
        let answer = asked.map_err(|unanswered| self.failure(&unanswered))?;
        Ok(Completion::ok(self.told(&request, &answer)?))
    }
}

impl Http {
    fn request(&self, values: &Values<'_>) -> Result<Request, Failure> {
        let url = self.address.fill(values)?;
        let mut headers = self.headers.fill(values)?;
        let (body, content_type) = match &self.body {
            Body::Nothing => (Vec::new(), None),
            Body::Text(template) => {
                (template.fill("the body", values)?.into_bytes(), Some("text/plain; charset=utf-8"))
            }
            Body::Json(shape) => {
                let value = shape.fill("the body", values)?;
                (serde_json::to_vec(&value)?, Some("application/json"))
            }
        };
        if let Some(content_type) = content_type {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        }
        if matches!(self.method, Method::POST | Method::PATCH) {
            // Ids of jobs may be any text; headers are not.
            let key = utf8_percent_encode(&values.idempotency_key, CONTROLS).to_string();
            let key = key.parse().map_err(|error| Failure::from_error(ErrorKind::Error, &error))?;
            headers.entry(IDEMPOTENCY_KEY).or_insert(key);
        }
        Ok(Request { method: self.method.clone(), url, headers, body })
    }

    /// A status decides by the settings whether it is worth another try; anything else by itself.
    fn failure(&self, unanswered: &Unanswered) -> Failure {
        let mut failure = unanswered.failure();
        if let Some(status) = unanswered.status() {
            failure.kind = match status.as_u16() {
                _ if self.retry.has(status) => ErrorKind::Transient,
                404 | 410 => ErrorKind::NotFound,
                _ => ErrorKind::Permanent,
            };
        }
        failure
    }

    fn told(&self, request: &Request, answer: &Answer) -> Result<Params, Failure> {
        let mut told = Params::new();
        let value = match self.response {
            Reading::Nothing => None,
            Reading::Text => Some(Value::from(String::from_utf8_lossy(&answer.body))),
            Reading::Json if answer.body.trim_ascii().is_empty() => Some(Value::Null),
            Reading::Json => Some(serde_json::from_slice(&answer.body).map_err(|error| {
                let message = format!("{} answers no JSON: {error}", shown(&request.url));
                Failure::new(ErrorKind::Contract, message)
            })?),
        };
        told.extend(value.map(|value| (self.output.clone(), value)));
        if let Some(param) = &self.status {
            told.insert(param.clone(), json!(answer.status.as_u16()));
        }
        for (param, header) in &self.keep_headers {
            let value =
                answer.headers.get(header).map(|value| String::from_utf8_lossy(value.as_bytes()));
            told.insert(param.clone(), json!(value));
        }
        Ok(told)
    }
}
