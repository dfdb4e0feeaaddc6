//! The source: asks page by page, from cursor to cursor.
//!
//! The cursor of the page that is asked for next is the checkpoint. A page's items and the cursor
//! behind it are committed together. Where a list ends without a cursor, the last one is kept, and
//! the next look asks for the last page again: what it holds is known by its ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::pipeline::Executor;
use waystation_core::source::{Discovery, Source};

use super::page::{Page, Shape};
use crate::net::{Asking, Guard};
use crate::settings::{self, Seconds};

/// Whoever asks to be left alone for longer than this is not waited for: the look fails.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// So often a look waits for the same page.
const WAITS_MAX: usize = 3;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is asked, `http://…` or `https://…`.
    #[schemars(regex(pattern = "^https?://."))]
    url: String,
    /// What is sent with it, as `Authorization`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Where the items are in the answer: a JSON pointer such as `/data/items`. The whole answer
    /// unless said.
    #[serde(default)]
    #[schemars(extend("format" = "json-pointer"))]
    items: String,
    /// Where an item's id is within it: a JSON pointer. The same id becomes one job only.
    #[serde(default = "id")]
    #[schemars(extend("format" = "json-pointer"))]
    id: String,
    /// The param that holds the item. Unless said, the item's fields are the params.
    #[schemars(length(min = 1))]
    r#as: Option<String>,
    /// Where the next page's cursor is in the answer: a JSON pointer. Without one there is one
    /// page.
    #[schemars(extend("format" = "json-pointer"))]
    cursor: Option<String>,
    /// The parameter of the query by which a cursor is sent.
    #[serde(default = "cursor_param")]
    #[schemars(length(min = 1))]
    cursor_param: String,
    /// Where each look begins: where the last one ended, or at the front.
    #[serde(default)]
    begin_at: Begin,
    /// The most pages of one look; the next one goes on.
    #[serde(default = "page_limit")]
    #[schemars(range(min = 1))]
    page_limit: usize,
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
    /// How long after the beginning of a look the next one begins: another way to say `schedule`.
    #[expect(dead_code, reason = "the engine reads it")]
    polling_interval_seconds: Option<Seconds>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Begin {
    /// At the last cursor: for lists that grow at their end.
    #[default]
    Cursor,
    /// At the front: for lists that grow or change anywhere.
    Start,
}

fn id() -> String {
    "/id".to_owned()
}

fn cursor_param() -> String {
    "cursor".to_owned()
}

fn page_limit() -> usize {
    100
}

fn timeout() -> Seconds {
    Seconds(30.0)
}

fn bytes() -> usize {
    10 * 1024 * 1024
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let wrong = |what: &dyn std::fmt::Display| vec![format!("setting `url`: {what}")];
    let url = Url::parse(&settings.url).map_err(|error| wrong(&error))?;
    let guard = Guard::new(settings.allow_private);
    guard.check(&url).map_err(|error| wrong(&error))?;
    let client = guard.client(settings.timeout_seconds.into());
    let client = client.map_err(|error| vec![format!("no HTTP client: {error}")])?;
    let poll = Poll {
        url,
        headers: headers(&settings.headers)?,
        asking: Asking { client, guard, bytes_max: settings.max_bytes },
        shape: Shape {
            items: settings.items,
            id: settings.id,
            cursor: settings.cursor,
            param: settings.r#as,
        },
        cursor_param: settings.cursor_param,
        begin_at: settings.begin_at,
        page_limit: settings.page_limit,
        not_before: Mutex::default(),
    };
    Ok(Executor::Source(Arc::new(poll)))
}

fn headers(texts: &BTreeMap<String, String>) -> Result<HeaderMap, Vec<String>> {
    let (mut headers, mut problems) = (HeaderMap::new(), Vec::new());
    for (name, text) in texts {
        match (name.parse::<HeaderName>(), text.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => drop(headers.insert(name, value)),
            // Its value may be a secret.
            _ => problems.push(format!("setting `headers`: `{name}` is no header of HTTP")),
        }
    }
    if problems.is_empty() { Ok(headers) } else { Err(problems) }
}

struct Poll {
    url: Url,
    headers: HeaderMap,
    asking: Asking,
    shape: Shape,
    cursor_param: String,
    begin_at: Begin,
    page_limit: usize,
    /// Whoever is asked wants to be left alone until then.
    not_before: Mutex<Option<Instant>>,
}

/// Where the source stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Checkpoint {
    /// Of the page that is asked for next; the first one where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// How many pages this look has had; with none, a look begins. One that goes on where another
    /// one ended has had one.
    #[serde(skip_serializing_if = "is_zero")]
    pages: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[async_trait]
impl Source for Poll {
    async fn discover(&self, checkpoint: Option<Value>) -> Result<Discovery, Failure> {
        let mut at: Checkpoint =
            checkpoint.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        if at.pages == 0 && self.begin_at == Begin::Start {
            at.cursor = None;
        }
        let body = self.ask(at.cursor.as_deref()).await?;
        let page = self.shape.read(&body)?;
        let pages = at.pages + 1;
        let next = page.cursor.filter(|next| at.cursor.as_ref() != Some(next));
        let (cursor, pages, more) = match next {
            // The look ends here, but not the list: where nothing was found, all is told for now.
            Some(next) if pages >= self.page_limit || page.items.is_empty() => {
                (Some(next), 1, false)
            }
            Some(next) => (Some(next), pages, true),
            None => (at.cursor.clone(), 0, false),
        };
        let after = Checkpoint { cursor, pages };
        let stands = page.items.is_empty() && after == at;
        let checkpoint = (!stands).then(|| json!(after));
        let Page { items, faults, .. } = page;
        Ok(Discovery { items, faults, checkpoint, more, ..Discovery::default() })
    }
}

impl Poll {
    /// A page's text. Who wants to be asked a little later is; who wants to be left alone for long
    /// is left alone, also by the next looks.
    async fn ask(&self, cursor: Option<&str>) -> Result<Vec<u8>, Failure> {
        if let Some(wait) = self.left_alone() {
            let message =
                format!("{} wants to be asked later", self.url.host_str().unwrap_or("it"));
            return Err(Failure::new(ErrorKind::Transient, message).retry_after(wait));
        }
        let mut url = self.url.clone();
        if let Some(cursor) = cursor {
            let others = url.query_pairs().filter(|(name, _)| *name != self.cursor_param);
            let others: Vec<(String, String)> =
                others.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            url.query_pairs_mut().clear().extend_pairs(others);
            url.query_pairs_mut().append_pair(&self.cursor_param, cursor);
        }
        let mut waits = 0;
        loop {
            let unanswered = match self.asking.get(&url, &self.headers).await {
                Ok(body) => return Ok(body),
                Err(unanswered) => unanswered,
            };
            match unanswered.retry_after() {
                Some(wait) if wait <= WAIT_MAX && waits < WAITS_MAX => {
                    waits += 1;
                    tokio::time::sleep(wait).await;
                }
                wait => {
                    let until = wait.and_then(|wait| Instant::now().checked_add(wait));
                    *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = until;
                    return Err(unanswered.failure());
                }
            }
        }
    }

    fn left_alone(&self) -> Option<Duration> {
        let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }
}
