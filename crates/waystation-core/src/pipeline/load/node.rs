//! A YAML document as a tree in which every value knows its place.

use serde_json::Number;

use crate::Params;
use crate::pipeline::Position;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Node {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub(in crate::pipeline) enum Value {
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
pub(in crate::pipeline) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// The value.
    pub value: Node,
}

impl Entry {
    /// This value under this key, where the value stands.
    pub fn new(key: &str, value: Node) -> Self {
        Self { key: key.to_owned(), position: value.position, value }
    }
}

impl Node {
    /// A text.
    pub fn text(position: Position, text: impl Into<String>) -> Self {
        Self { position, value: Value::Text(text.into()) }
    }

    /// The text that it is.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> Option<&Vec<Entry>> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&Vec<Node>> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// What stands under a key of a mapping; what is null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries()?.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|node| !node.is_null())
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let entry = self.entries_mut()?.iter_mut().find(|entry| entry.key == key)?;
        Some(&mut entry.value).filter(|node| !node.is_null())
    }

    /// Takes an entry out of a mapping.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let entries = self.entries_mut()?;
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    /// Puts a value into a mapping, in the place of one that is there.
    pub fn put(&mut self, key: &str, value: Self) {
        let Some(entries) = self.entries_mut() else { return };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = value,
            None => entries.push(Entry::new(key, value)),
        }
    }

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
pub(in crate::pipeline) fn to_params(entries: &[Entry]) -> Params {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}
