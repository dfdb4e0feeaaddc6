//! A YAML document as a tree in which every value knows its place.

use serde_json::Number;

use crate::Params;
use crate::pipeline::Position;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A value that a problem was already reported for. Whoever meets it says no more.
    Broken,
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A text with a placeholder in it that has no value, where that was let pass.
    Open(String),
    /// Values one after the other.
    List(Vec<Node>),
    /// Values by their keys, which are unique.
    Mapping(Vec<Entry>),
}

/// One value of a mapping, under its key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Whether there is nothing here.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether a problem was already reported here or anywhere below.
    pub fn is_broken(&self) -> bool {
        match &self.value {
            Value::Broken => true,
            Value::List(items) => items.iter().any(Self::is_broken),
            Value::Mapping(entries) => entries.iter().any(|entry| entry.value.is_broken()),
            _ => false,
        }
    }

    /// The value in a few words, for messages.
    pub fn describe(&self) -> String {
        const CHARS_MAX: usize = 60;
        match &self.value {
            Value::Broken | Value::Null => "nothing".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::Open(text) => format!("`{text}`, which has no value here"),
            Value::Text(text) if text.chars().count() > CHARS_MAX => {
                let start: String = text.chars().take(CHARS_MAX).collect();
                format!("the text {:?}", start + "…")
            }
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The same value without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Broken | Value::Null => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::Text(text) | Value::Open(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => to_params(entries).into(),
        }
    }
}

/// A mapping without places.
pub(super) fn to_params(entries: &[Entry]) -> Params {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}
