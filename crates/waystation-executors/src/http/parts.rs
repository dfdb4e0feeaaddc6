//! The parts of a request, filled in: its URL and its headers.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;
use waystation_core::failure::Failure;

use crate::inputs::invalid;
use crate::shape::Shape;
use crate::template::{Template, Values, plain, written};

/// Where a request goes: a template, and what is asked for behind `?`.
pub struct Address {
    /// The URL. A param at its very front is taken as it is; any other one is one part of the path
    /// or of the query, whatever letters it has.
    pub url: Template,
    /// What is added to the query.
    pub query: Vec<(String, Shape)>,
}

impl Address {
    /// The URL for these params.
    pub fn fill(&self, values: &Values<'_>) -> Result<Url, Failure> {
        let what = "setting `url`";
        let text = self.url.fill_with(what, values, |before, name, value| {
            let text = plain(what, name, value)?;
            match before {
                "" => Ok(text),
                _ if matches!(text.as_str(), "" | "." | "..") => {
                    Err(invalid(format!("param `{name}` cannot stand in a URL (`{text}`)")))
                }
                _ => Ok(escaped(&text)),
            }
        })?;
        let wrong = |error| invalid(format!("setting `url` gives no URL: {error}"));
        let mut url = Url::parse(&text).map_err(wrong)?;
        for (name, shape) in &self.query {
            let found = shape.fill_known(&format!("setting `query.{name}`"), values)?;
            let texts: Vec<String> = match found {
                None | Some(Value::Null) => continue,
                Some(Value::Array(items)) => items.iter().map(written).collect(),
                Some(value) => vec![written(&value)],
            };
            url.query_pairs_mut().extend_pairs(texts.iter().map(|text| (name, text)));
        }
        Ok(url)
    }
}

/// All but what may stand anywhere in a URL.
const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one part of a path or a query.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, SPECIAL).to_string()
}

/// Headers, whose texts are templates.
pub struct Headers(Vec<(HeaderName, Template)>);

impl Headers {
    /// Reads them. A value may be a secret, so that none is shown.
    pub fn parse(texts: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let (mut headers, mut problems) = (Vec::new(), Vec::new());
        for (name, text) in texts {
            match (name.parse::<HeaderName>(), Template::parse(text)) {
                (Ok(name), Ok(template)) => headers.push((name, template)),
                (Err(_), _) => {
                    problems.push(format!("setting `headers`: `{name}` is no header of HTTP"));
                }
                (_, Err(error)) => problems.push(format!("setting `headers.{name}` has {error}")),
            }
        }
        if problems.is_empty() { Ok(Self(headers)) } else { Err(problems) }
    }

    /// The headers for these params.
    pub fn fill(&self, values: &Values<'_>) -> Result<HeaderMap, Failure> {
        let mut filled = HeaderMap::new();
        for (name, template) in &self.0 {
            let text = template.fill_plain(&format!("setting `headers.{name}`"), values)?;
            let value: HeaderValue = text.parse().map_err(|_| {
                invalid(format!("setting `headers.{name}` gives a text that no header can hold"))
            })?;
            filled.insert(name, value);
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waystation_core::id::JobId;

    use super::*;

    fn check(url: &str, query: &Value, expected: Result<&str, &str>) {
        let params = json!({
            "base": "https://a.b/c", "id": "x/y?z&ü", "up": "..", "none": null, "list": ["p", 2],
        });
        let params = params.as_object().expect("an object");
        let job_id = JobId::from("j");
        let values = Values { job_id: &job_id, idempotency_key: String::new(), params };
        let query = query.as_object().expect("an object").iter();
        let shape = |value| Shape::parse("query", value).expect("a shape");
        let address = Address {
            url: Template::parse(url).expect("a template"),
            query: query.map(|(name, value)| (name.clone(), shape(value))).collect(),
        };
        match (address.fill(&values), expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
            (Err(failure), Err(words)) => assert!(failure.message.contains(words), "{failure}"),
            (got, expected) => panic!("{url}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn params_are_one_part_of_a_url_unless_they_begin_it() {
        let none = json!({});
        check(
            "https://h/{id}?a={id}",
            &none,
            Ok("https://h/x%2Fy%3Fz%26%C3%BC?a=x%2Fy%3Fz%26%C3%BC"),
        );
        check("{base}/d", &none, Ok("https://a.b/c/d"));
        check("https://h/{up}/x", &none, Err("param `up` cannot stand in a URL"));
        check("{id}", &none, Err("gives no URL"));
        let query = json!({ "q": "{id}", "n": 1, "many": "{list}", "left": "{none}" });
        check("https://h/", &query, Ok("https://h/?q=x%2Fy%3Fz%26%C3%BC&n=1&many=p&many=2"));
    }
}
