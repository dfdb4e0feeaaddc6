//! One GET, with its redirects and within its limits.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use url::Url;
use waystation_core::failure::{ErrorKind, Failure, truncate};

use super::guard::{Guard, Refused};

/// The most redirects that one request follows.
const REDIRECTS_MAX: usize = 5;
/// The most that is shown of an answer, in bytes.
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
    /// The body of what is there. Headers are for the place that was named: where a redirect leads
    /// to another one, it is asked without.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Vec<u8>, Unanswered> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.guard.check(&at)?;
            let headers =
                if at.origin() == url.origin() { headers.clone() } else { HeaderMap::new() };
            let sent = self.client.get(at.clone()).headers(headers).send().await;
            let response = sent.map_err(|error| unanswered(&at, error))?;
            if !response.status().is_redirection() {
                return self.body(&at, response).await;
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| at.join(to).ok());
            at = to.ok_or_else(|| Unanswered::Redirects(shown(url)))?;
        }
        Err(Unanswered::Redirects(shown(url)))
    }

    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, Unanswered> {
        let status = response.status();
        let wait = retry_after(response.headers());
        let most = if status.is_success() { self.bytes_max } else { SHOWN_BYTES_MAX };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(url, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > most {
                break;
            }
        }
        if !status.is_success() {
            let mut text = String::from_utf8_lossy(&body).trim().replace(char::is_control, " ");
            truncate(&mut text, SHOWN_BYTES_MAX);
            let url = shown(url);
            return Err(Unanswered::Status { url, status, retry_after: wait, shown: text });
        }
        if body.len() > most {
            return Err(Unanswered::TooLarge { url: shown(url), bytes_max: most });
        }
        Ok(body)
    }
}

impl Unanswered {
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
            Self::Refused(_) | Self::Redirects(_) | Self::TooLarge { .. } => ErrorKind::Permanent,
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
fn shown(url: &Url) -> String {
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
