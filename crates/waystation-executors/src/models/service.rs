//! Whoever serves a model: where it is, what it is told of us, and what it may take.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use waystation_core::failure::{ErrorKind, Failure};

use crate::net::{Asking, Guard, Request, shown};
use crate::settings::Seconds;

/// What there is to know of a service.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where it is, up to the version.
    #[schemars(regex(pattern = "^https?://."))]
    url: String,
    /// The key that it gave out; to be written as `${NAME}`, so that it stands in no file.
    #[schemars(length(min = 1))]
    api_key: Option<String>,
    /// What else is sent with each request, as `api-key`.
    headers: BTreeMap<String, String>,
    /// How long an answer may take.
    timeout_seconds: Seconds,
    /// The largest answer that is taken, in bytes.
    #[schemars(range(min = 1))]
    max_bytes: usize,
    /// Whether its address need not be public: one of this machine, or of its network.
    allow_private: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "https://api.openai.com/v1".to_owned(),
            api_key: None,
            headers: BTreeMap::new(),
            timeout_seconds: Seconds(120.0),
            max_bytes: 32 * 1024 * 1024,
            allow_private: false,
        }
    }
}

/// A service.
pub struct Service {
    base: Url,
    headers: HeaderMap,
    asking: Asking,
}

impl Settings {
    /// The service, which is not asked yet. Values of headers may be secrets: none is told.
    pub fn service(self) -> Result<Service, Vec<String>> {
        let wrong = |what: &dyn std::fmt::Display| vec![format!("setting `service.url`: {what}")];
        let mut base = Url::parse(&self.url).map_err(|error| wrong(&error))?;
        let guard = Guard::new(self.allow_private);
        guard.check(&base).map_err(|error| wrong(&error))?;
        // What is joined to it stands below it.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let key = self.api_key.map(|key| (AUTHORIZATION.to_string(), format!("Bearer {key}")));
        for (name, text) in key.into_iter().chain(self.headers) {
            let parsed = (name.parse::<HeaderName>(), text.parse::<HeaderValue>());
            let (Ok(header), Ok(mut value)) = parsed else {
                return Err(vec![format!("setting `service`: `{name}` is no header of HTTP")]);
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let client = guard.client(self.timeout_seconds.into());
        let client = client.map_err(|error| vec![format!("no HTTP client: {error}")])?;
        Ok(Service { base, headers, asking: Asking { client, guard, bytes_max: self.max_bytes } })
    }
}

impl Service {
    /// What it answers to this.
    pub async fn ask(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let wrong = |what: String| Failure::new(ErrorKind::Contract, what);
        let url = self.base.join(path).map_err(|error| wrong(format!("`{path}`: {error}")))?;
        let body = serde_json::to_vec(body)?;
        let request = Request { method: Method::POST, url, headers: self.headers.clone(), body };
        let answer = self.asking.ask(&request, |status| status.is_success()).await;
        let answer = answer.map_err(|unanswered| unanswered.failure())?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| wrong(format!("{} answers no JSON: {error}", shown(&request.url))))
    }
}
