//! One request, with its redirects and within its limits.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use url::Url;
use waystation_core::failure::{ErrorKind, Failure, truncate};

use super::guard::{Guard, Refused};

/// The most redirects that one request follows.
const REDIRECTS_MAX: usize = 5;
/// The most that is read and shown of an answer that says no, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// Asks others.
#[derive(Clone)]
pub struct Asking {
    /// What asks.
    pub client: Client,
    /// Where it may.
    pub guard: Guard,
    /// The largest answer that is taken.
    pub bytes_max: usize,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// With these headers.
    pub headers: HeaderMap,
    /// With this body; none unless it holds something.
    pub body: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// It may not be asked.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be asked, or broke off.
    #[error("{url} does not answer")]
    Silent {
        /// What was asked.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It said that it has no answer.
    #[error("{url} answers {status}{}{shown}", if .shown.is_empty() { "" } else { ": " })]
    Status {
        /// What was asked.
        url: String,
        /// What it said.
        status: StatusCode,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
        /// The beginning of what it said beside that.
        shown: String,
    },
    /// It sends from one place to the next.
    #[error("{0} redirects more than {REDIRECTS_MAX} times, or to nowhere")]
    Redirects(String),
    /// It sends to another place what was meant for it.
    #[error("{url} sends a {method} on to {to}, where it is not repeated")]
    Elsewhere {
        /// What it was asked to do.
        method: Method,
        /// What was asked.
        url: String,
        /// Where it sends to.
        to: String,
    },
    /// It says too much.
    #[error("{url} answers more than {bytes_max} bytes (hint: `max_bytes`)")]
    TooLarge {
        /// What was asked.
        url: String,
        /// What would be taken.
        bytes_max: usize,
    },
}

impl Asking {
    /// The body of what is there.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Vec<u8>, Unanswered> {
        let (url, headers) = (url.clone(), headers.clone());
        let request = Request { method: Method::GET, url, headers, body: Vec::new() };
        Ok(self.ask(&request, |status| status.is_success()).await?.body)
    }

    /// The answer, if its status is wanted. Headers are for the place that was named: where a
    /// redirect leads to another one, it is asked without. What changes something goes to no other
    /// place at all.
    pub async fn ask(
        &self,
        request: &Request,
        is_wanted: impl Fn(StatusCode) -> bool,
    ) -> Result<Answer, Unanswered> {
        let Request { method, url, headers, body } = request;
        let (mut at, mut method, mut body) = (url.clone(), method.clone(), body.clone());
        let mut headers = headers.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.guard.check(&at)?;
            let is_safe = matches!(method, Method::GET | Method::HEAD);
            if at.origin() != url.origin() {
                if !is_safe || !body.is_empty() {
                    let (url, to) = (shown(url), shown(&at));
                    return Err(Unanswered::Elsewhere { method, url, to });
                }
                headers.clear();
            }
            let asked = self.client.request(method.clone(), at.clone()).headers(headers.clone());
            let asked = if body.is_empty() { asked } else { asked.body(body.clone()) };
            let response = asked.send().await.map_err(|error| unanswered(&at, error))?;
            let status = response.status();
            if !is_redirect(status) {
                return self.answer(&at, response, is_wanted(status)).await;
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| at.join(to).ok());
            at = to.ok_or_else(|| Unanswered::Redirects(shown(url)))?;
            // 307 and 308 ask for the same again; others, of what changes something, for a look.
            if !is_safe && !matches!(status.as_u16(), 307 | 308) {
                (method, body) = (Method::GET, Vec::new());
                headers.remove(CONTENT_TYPE);
            }
        }
        Err(Unanswered::Redirects(shown(url)))
    }

    async fn answer(
        &self,
        url: &Url,
        mut response: Response,
        is_wanted: bool,
    ) -> Result<Answer, Unanswered> {
        let (status, headers) = (response.status(), response.headers().clone());
        let most = if is_wanted { self.bytes_max } else { SHOWN_BYTES_MAX };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(url, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > most {
                break;
            }
        }
        if !is_wanted {
            let mut text = String::from_utf8_lossy(&body).trim().replace(char::is_control, " ");
            truncate(&mut text, SHOWN_BYTES_MAX);
            let (url, retry_after) = (shown(url), retry_after(&headers));
            return Err(Unanswered::Status { url, status, retry_after, shown: text });
        }
        if body.len() > most {
            return Err(Unanswered::TooLarge { url: shown(url), bytes_max: most });
        }
        Ok(Answer { status, headers, body })
    }
}

/// 304 and the like lead nowhere.
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Unanswered {
    /// The status that was answered.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// When whoever was asked wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What it is to the engine.
    pub fn failure(&self) -> Failure {
        let failure = Failure::from_error(self.kind(), self);
        match self.retry_after() {
            Some(wait) => failure.retry_after(wait),
            None => failure,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Silent { .. } => ErrorKind::Transient,
            Self::Status { status, .. } => match status.as_u16() {
                404 | 410 => ErrorKind::NotFound,
                408 | 425 | 429 | 500.. => ErrorKind::Transient,
                _ => ErrorKind::Permanent,
            },
            Self::Refused(_)
            | Self::Redirects(_)
            | Self::Elsewhere { .. }
            | Self::TooLarge { .. } => ErrorKind::Permanent,
        }
    }
}

fn unanswered(url: &Url, error: reqwest::Error) -> Unanswered {
    let mut below = error.source();
    while let Some(cause) = below {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Unanswered::Refused(refused.clone());
        }
        below = cause.source();
    }
    // Its own words would show what the URL's query holds.
    Unanswered::Silent { url: shown(url), source: error.without_url() }
}

/// A URL without what may be secret in it.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These cannot fail on URLs with a host, and others were refused.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = moment.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}
