//! The typed form of a manual stage: what a person's answer must hold.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Params;
use crate::contract::kind_of;

/// The type of a form's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// A text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of anything.
    Array,
    /// An object.
    Object,
}

impl FieldType {
    const ALL: [Self; 6] =
        [Self::String, Self::Number, Self::Integer, Self::Boolean, Self::Array, Self::Object];

    /// The name in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The key in the answer, and the param that it sets.
    pub name: String,
    /// What it must hold.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether the answer may leave it out.
    pub optional: bool,
}

/// What a person's answer must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Form {
    /// The fields in the order that they are shown.
    pub fields: Vec<Field>,
}

impl Field {
    /// Reads a field's type as pipeline files write it: `boolean`, or `boolean?` when optional.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let (base, optional) = match text.strip_suffix('?') {
            Some(base) => (base, true),
            None => (text, false),
        };
        let kind = FieldType::ALL.into_iter().find(|kind| kind.as_str() == base);
        let kind = kind.ok_or_else(|| {
            let known = FieldType::ALL.map(FieldType::as_str).join(", ");
            format!("field `{name}` has the unknown type `{text}` (known: {known}; `?` = optional)")
        })?;
        Ok(Self { name: name.to_owned(), kind, optional })
    }
}

impl Form {
    /// Every problem of an answer: fields that are absent, of the wrong type or not asked for.
    pub fn check(&self, answer: &Params) -> Vec<String> {
        let mut problems = Vec::new();
        for field in &self.fields {
            match answer.get(&field.name) {
                None | Some(Value::Null) if field.optional => {}
                None => problems.push(format!("`{}` ({field}) is absent", field.name)),
                Some(value) if field.kind.accepts(value) => {}
                Some(value) => problems.push(format!(
                    "`{}` must be {field}, not {} ({value})",
                    field.name,
                    kind_of(value)
                )),
            }
        }
        for name in answer.keys() {
            if !self.fields.iter().any(|field| field.name == *name) {
                problems.push(format!("`{name}` is not asked for ({self})"));
            }
        }
        problems
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.kind.as_str(), if self.optional { "?" } else { "" })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.fields.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{}: {field}", field.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_held_against_the_form() {
        let form = Form {
            fields: vec![
                Field::parse("ok", "boolean").expect("a field"),
                Field::parse("note", "string?").expect("a field"),
            ],
        };
        let cases = [
            (json!({"ok": true}), vec![]),
            (json!({"ok": true, "note": null}), vec![]),
            (json!({}), vec!["`ok` (boolean) is absent"]),
            (json!({"ok": "yes"}), vec!["`ok` must be boolean, not a text (\"yes\")"]),
            (json!({"ok": false, "x": 1}), vec!["`x` is not asked for"]),
        ];
        for (answer, expected) in cases {
            let problems = form.check(answer.as_object().expect("an object"));
            assert_eq!(problems.len(), expected.len(), "{answer}: {problems:?}");
            for (problem, start) in problems.iter().zip(expected) {
                assert!(problem.starts_with(start), "{answer}: {problem}");
            }
        }
    }

    #[test]
    fn unknown_field_type_is_named() {
        let error = Field::parse("a", "bool").expect_err("unknown");
        assert!(error.starts_with("field `a` has the unknown type `bool`"), "{error}");
    }
}
