//! A server that is asked over HTTP.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Response, redirect};
use waystation::server::Problem;

use super::{Answered, Refusal, ServerUrl};
use crate::cli::exit::Error;

/// How long it may take to reach a server.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take. Servers end what takes longer before that.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// How long an answer about its health may take.
const HEALTH_MAX: Duration = Duration::from_secs(10);
/// The largest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// What begins the answers of proxies and pages is shown up to so many letters.
const SHOWN_MAX: usize = 80;

/// A server.
pub struct There {
    client: Client,
    server: ServerUrl,
    /// What is sent with every request: it says who asks.
    authorization: Option<HeaderValue>,
}

impl There {
    /// This server, asked with this token. Nothing is asked yet.
    pub fn new(server: ServerUrl, token: Option<&str>) -> Result<Self, Error> {
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("waystation/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            // A token is for the server that was named, wherever that one sends us.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Error::failed(format!("no HTTP client: {}", causes(&error))))?;
        let authorization = token.map(authorization).transpose()?;
        Ok(Self { client, server, authorization })
    }

    pub(super) async fn ask(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answered, Refusal> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let mut request = self.client.request(method, self.server.join(path));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.answered(response).await
    }

    /// What the server says of its health: whether all is well, and why.
    pub async fn health(&self, path: &str) -> Result<(bool, serde_json::Value), Refusal> {
        let mut request = self.client.get(self.server.join(path)).timeout(HEALTH_MAX);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let body = self.body(response).await?;
        let told = serde_json::from_slice(&body).unwrap_or_default();
        match status.as_u16() {
            200 => Ok((true, told)),
            // Its own words of unhealthy parts; others are somebody else's.
            503 if kind.starts_with("application/json") => Ok((false, told)),
            status => Err(self.foreign(&told_of(status, &kind, &body))),
        }
    }

    async fn answered(&self, response: Response) -> Result<Answered, Refusal> {
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let body = self.body(response).await?;
        if status.is_success() && (body.is_empty() || kind.starts_with("application/json")) {
            return Ok(Answered { body });
        }
        let problem = kind.starts_with("application/problem+json");
        let problem = problem.then(|| serde_json::from_slice::<Problem>(&body).ok()).flatten();
        match problem {
            Some(problem) => {
                let with_token = self.authorization.is_some();
                Err(Refusal::Problem { problem, server: Some(self.server.clone()), with_token })
            }
            None => Err(self.foreign(&told_of(status.as_u16(), &kind, &body))),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let bytes_max = ANSWER_BYTES_MAX;
                return Err(self.foreign(&format!("an answer of more than {bytes_max} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Something else than the API answers there.
    pub(super) fn foreign(&self, what: &str) -> Refusal {
        Refusal::Foreign { server: self.server.clone(), what: what.to_owned() }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        let why = causes(error);
        let hint = if error.is_timeout() {
            "it may be busy, or something between here and there lets nothing through"
        } else if why.contains("certificate") {
            "its certificate must be one that this machine trusts, for the name in the URL"
        } else if why.contains("corrupt message") {
            "does it speak HTTPS at all? http:// is for those that do not"
        } else {
            "see that `waystation serve` runs there, and that host and port are right"
        };
        Refusal::Unreachable { server: self.server.clone(), why, hint }
    }
}

fn authorization(token: &str) -> Result<HeaderValue, Error> {
    let header = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut header = header.map_err(|_| {
        Error::usage("the token has characters in it that no token has (hint: wst_…)")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// What came instead of an answer.
fn told_of(status: u16, kind: &str, body: &[u8]) -> String {
    let kind = if kind.is_empty() { "nothing said of its kind" } else { kind };
    let text = crate::cli::out::short(String::from_utf8_lossy(body).trim(), SHOWN_MAX);
    let text = if text.is_empty() { String::new() } else { format!(": {text}") };
    format!("status {status}, {kind}{text}")
}

/// The innermost cause is what says most; the URL stands in the message already.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if std::ptr::addr_eq(innermost, error) {
        return error.to_string();
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_that_cannot_stand_in_a_header_is_refused_without_being_shown() {
        let error = authorization("wst_\nsecret").expect_err("a line break").to_string();
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(format!("{:?}", authorization("wst_secret").unwrap()), "Sensitive");
    }

    #[test]
    fn pages_are_shown_by_their_beginning() {
        let told = told_of(502, "text/html", format!("<html>\n{}", "x".repeat(500)).as_bytes());
        assert!(told.starts_with("status 502, text/html: <html> x"), "{told}");
        assert!(told.chars().count() < 120, "{told}");
    }
}
