//! Texts made of params: `{name}`, `{page.number}`, `{job_id}`; `{{` and `}}` are braces.
//!
//! `{job_id}` is the job's id and `{idempotency_key}` the key of this stage run. `{stem}` is the
//! param `name` without its ending, unless there is a param `stem`. Anything else is a dotted path
//! into the params.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Context;
use waystation_core::id::JobId;

use crate::inputs::invalid;
use crate::path;

/// A text with places for params.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Param(String),
}

/// What templates are filled with.
pub struct Values<'a> {
    /// The job.
    pub job_id: &'a JobId,
    /// The key of the stage run.
    pub idempotency_key: String,
    /// The params.
    pub params: &'a Params,
}

impl<'a> Values<'a> {
    /// Those of an attempt.
    pub fn new(context: &'a Context, params: &'a Params) -> Self {
        Self { job_id: &context.job_id, idempotency_key: context.idempotency_key(), params }
    }

    /// What a name stands for. What is null counts as absent.
    pub fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        let own = |text: String| Some(Cow::Owned(Value::String(text)));
        match (name, path::get(self.params, name)) {
            ("job_id", _) => own(self.job_id.to_string()),
            ("idempotency_key", _) => own(self.idempotency_key.clone()),
            ("stem", None) => {
                let name = self.params.get("name")?.as_str()?;
                own(name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned())
            }
            (_, found) => found.filter(|value| !value.is_null()).map(Cow::Borrowed),
        }
    }

    /// What a name stands for, which must be there.
    pub fn need(&self, what: &str, name: &str) -> Result<Cow<'_, Value>, Failure> {
        self.get(name).ok_or_else(|| {
            let hint = if name == "stem" { " (hint: it is made of param `name`)" } else { "" };
            let message = format!("{what} needs param `{name}`, which is absent{hint}");
            Failure::new(ErrorKind::MissingParam, message)
        })
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("a `}` without a `{` (hint: `}}` is a brace)".to_owned());
            }
            let (name, after) =
                rest.split_once('}').ok_or("a `{` without a `}` (hint: `{{` is a brace)")?;
            if name.is_empty() || name.contains(|letter: char| !is_of_name(letter)) {
                return Err(format!("`{{{name}}}` names no param (hint: `{{{{` is a brace)"));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Param(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The param that it is, if it is nothing but one.
    pub fn only(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Param(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with the params in it; lists and objects stand in it as JSON.
    pub fn fill(&self, what: &str, values: &Values<'_>) -> Result<String, Failure> {
        self.fill_with(what, values, |_, _, value| Ok(written(value)))
    }

    /// The text with params in it that must be texts, numbers, true or false.
    pub fn fill_plain(&self, what: &str, values: &Values<'_>) -> Result<String, Failure> {
        self.fill_with(what, values, |_, name, value| plain(what, name, value))
    }

    /// The text with what is made of each param, given what stands before it.
    pub fn fill_with(
        &self,
        what: &str,
        values: &Values<'_>,
        made: impl Fn(&str, &str, &Value) -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Param(name) => {
                    let value = values.need(what, name)?;
                    let made = made(&filled, name, &value)?;
                    filled.push_str(&made);
                }
            }
        }
        Ok(filled)
    }

    /// The name of a file: one that leads to no other folder.
    pub fn file_name(&self, values: &Values<'_>) -> Result<String, Failure> {
        let name = self.fill_plain("file name", values)?;
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
            return Err(invalid(format!(
                "the template gives `{name}`, which is no plain file name"
            )));
        }
        Ok(name)
    }
}

/// A value that must be a text, a number, true or false.
pub fn plain(what: &str, name: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            Err(invalid(format!("param `{name}` in {what} must be plain: {value}")))
        }
        value => Ok(written(value)),
    }
}

/// A text as it is, anything else as JSON.
pub fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.$@".contains(letter)
}

/// Whether a text is a template.
pub fn is_template(text: &str) -> bool {
    Template::parse(text).is_ok()
}

impl<'a> Deserialize<'a> for Template {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "format": "template" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(template: &str, expected: Result<&str, &str>, file_name: bool) {
        let params =
            json!({"name": "a.b.png", "n": 3, "evil": "../x", "list": [1], "o": {"p": true}});
        let params = params.as_object().expect("an object");
        let job_id = JobId::from("j");
        let values = Values { job_id: &job_id, idempotency_key: "j/s/1".to_owned(), params };
        let filled = Template::parse(template).and_then(|template| {
            let filled = if file_name {
                template.file_name(&values)
            } else {
                template.fill("the body", &values)
            };
            filled.map_err(|failure| failure.message)
        });
        match (filled, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (got, expected) => panic!("{template}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn templates_give_plain_names_or_say_why_not() {
        for (template, expected) in [
            ("{stem}.json", Ok("a.b.json")),
            ("{job_id}-{n}", Ok("j-3")),
            ("{evil}", Err("no plain file name")),
            ("{absent}", Err("file name needs param `absent`")),
            ("{list}", Err("must be plain")),
            ("{n", Err("without a `}`")),
            ("", Err("no plain file name")),
        ] {
            check(template, expected, true);
        }
    }

    #[test]
    fn templates_give_texts() {
        for (template, expected) in [
            ("{o.p} {list} {o} {list.0}", Ok("true [1] {\"p\":true} 1")),
            ("{{\"n\": {n}}}", Ok("{\"n\": 3}")),
            ("{idempotency_key}", Ok("j/s/1")),
            ("{\"n\": 1}", Err("names no param")),
            ("{}", Err("names no param")),
            ("a}", Err("a `}` without a `{`")),
            ("{o.q}", Err("the body needs param `o.q`, which is absent")),
        ] {
            check(template, expected, false);
        }
    }
}
