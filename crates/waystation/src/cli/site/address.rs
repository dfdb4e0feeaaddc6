//! Paths below the API, and the URLs of servers.

use std::fmt;

use reqwest::Url;

use crate::cli::exit::Error;

/// Below this path the API's resources lie.
const API: &str = "/api/v1";

/// What is asked for beside the path.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    /// The same with this name's value, if there is one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        if let Some(value) = value {
            self.0.push((name, value.to_string()));
        }
        self
    }

    /// At most so many.
    pub fn limit(limit: usize) -> Self {
        Self::default().with("limit", Some(limit))
    }
}

/// The path and query of a request. `None` where a part cannot stand in a path: what is empty, or
/// leads upwards, would be another path on the way.
pub fn path(parts: &[&str], query: &Query) -> Option<String> {
    if parts.iter().any(|part| part.is_empty() || matches!(*part, "." | "..")) {
        return None;
    }
    // Only a frame to write in: nobody is asked there.
    let mut url = Url::parse("http://frame").ok()?;
    url.path_segments_mut().ok()?.clear().extend(parts);
    if !query.0.is_empty() {
        url.query_pairs_mut().extend_pairs(&query.0);
    }
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    Some(format!("{API}{}{query}", url.path()))
}

/// The URL of a server, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::usage(format!("server URL `{text}` {why} (hint: http://127.0.0.1:7280)"))
        };
        if !text.contains("://") {
            return Err(refuse("has no scheme"));
        }
        let url = Url::parse(text).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why = "server URL names a user or password: servers ask for a token";
            return Err(Error::usage(format!("{why} (hint: --token, or $WAYSTATION_TOKEN)")));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("has a query or a fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL of a path on it.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_one_part_each() {
        let none = Query::default();
        for (parts, expected) in [
            (&["jobs", "a/b c"][..], Some("/api/v1/jobs/a%2Fb%20c")),
            (&["jobs", "50%?x#y"], Some("/api/v1/jobs/50%25%3Fx%23y")),
            (&["jobs", "ä"], Some("/api/v1/jobs/%C3%A4")),
            (&["jobs", ".."], None),
            (&["jobs", ""], None),
        ] {
            assert_eq!(path(parts, &none).as_deref(), expected, "{parts:?}");
        }
        let query = Query::limit(5).with("text", Some("a&b=c d")).with("stage", None::<String>);
        assert_eq!(path(&["jobs"], &query).unwrap(), "/api/v1/jobs?limit=5&text=a%26b%3Dc+d");
    }

    #[test]
    fn urls_that_are_no_server_are_named() {
        for (text, why) in [
            ("localhost:7280", "has no scheme"),
            ("ftp://a", "is neither http nor https"),
            ("http://a/?x=1", "has a query"),
            ("http://", "cannot be read"),
        ] {
            let error = ServerUrl::parse(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
        let error = ServerUrl::parse("http://ann:secret@a").expect_err("a password").to_string();
        assert!(error.contains("--token") && !error.contains("secret"), "{error}");
        let url = ServerUrl::parse("https://a.example/waystation/").unwrap();
        assert_eq!(url.join("/api/v1/me"), "https://a.example/waystation/api/v1/me");
    }
}
