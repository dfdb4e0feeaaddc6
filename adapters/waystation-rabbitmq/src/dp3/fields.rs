//! JSON read field by field, so that an error can name the field and what stood in it.

use std::fmt;

use serde_json::{Map, Value};

/// A value in a message is cut to so many letters.
const SHOWN_MAX: usize = 100;

/// Why something is no message of DP3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: {why}")]
pub struct Wrong {
    field: String,
    value: String,
    why: String,
}

impl Wrong {
    /// That this field's value is not what is due.
    pub(super) fn new(field: &str, value: &impl fmt::Display, why: impl Into<String>) -> Self {
        Self { field: field.to_owned(), value: shown(value), why: why.into() }
    }

    fn absent(field: String, why: &str) -> Self {
        Self { field, value: "absent".to_owned(), why: why.to_owned() }
    }

    /// Which field it is, as `data_points[0].eid`.
    pub fn field(&self) -> &str {
        &self.field
    }
}

fn shown(value: &impl fmt::Display) -> String {
    let whole = value.to_string();
    match whole.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("`{}…`", &whole[..end]),
        None => format!("`{whole}`"),
    }
}

/// An object whose fields are taken one after the other.
pub(super) struct Fields {
    /// Stands before the names of fields in messages.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The fields of a value that is to be an object.
    pub fn of(path: &str, value: Value) -> Result<Self, Wrong> {
        match value {
            Value::Object(map) => Ok(Self { path: path.to_owned(), map }),
            other => Err(Wrong::new(or_message(path), &other, "an object is due")),
        }
    }

    /// The fields of a message on the wire.
    pub fn of_message(body: &[u8]) -> Result<Self, Wrong> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            let text = String::from_utf8_lossy(body);
            Wrong::new("the message", &text, format!("it is no JSON: {error}"))
        })?;
        Self::of("", value)
    }

    /// The name of a field in messages.
    pub fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// What stands in a field, if anything does.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field)
    }

    /// The same where nothing may be told as null, too.
    pub fn take_unless_null(&mut self, field: &str) -> Option<Value> {
        self.take(field).filter(|value| !value.is_null())
    }

    /// What stands in a field that must be there.
    pub fn need(&mut self, field: &str, why: &str) -> Result<Value, Wrong> {
        self.take(field).ok_or_else(|| Wrong::absent(self.name(field), why))
    }

    /// A text that must be there and say something.
    pub fn text(&mut self, field: &str) -> Result<String, Wrong> {
        match self.need(field, "a text is due")? {
            Value::String(text) if !text.is_empty() => Ok(text),
            other => Err(Wrong::new(&self.name(field), &other, "a text is due, not an empty one")),
        }
    }

    /// A list; an absent one is empty.
    pub fn list(&mut self, field: &str) -> Result<Vec<Value>, Wrong> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(Wrong::new(&self.name(field), &other, "a list is due")),
        }
    }

    /// True or false; nothing means false.
    pub fn yes_or_no(&mut self, field: &str) -> Result<bool, Wrong> {
        match self.take(field) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(yes),
            Some(other) => Err(Wrong::new(&self.name(field), &other, "true or false is due")),
        }
    }

    /// Nothing may be left: what is not understood is not dropped.
    pub fn end(self) -> Result<(), Wrong> {
        match self.map.iter().next() {
            None => Ok(()),
            Some((field, value)) => {
                Err(Wrong::new(&self.name(field), value, "DP3 has no such field here"))
            }
        }
    }
}

fn or_message(path: &str) -> &str {
    if path.is_empty() { "the message" } else { path }
}
