//! Rows as they come, within their limits, as lists or as objects.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::documents::formats::Refusal;
use crate::documents::settings::ToRows;

/// The rows of a table.
pub struct Rows<'a> {
    settings: &'a ToRows,
    /// What columns are called, once the first row is known.
    columns: Option<Vec<String>>,
    told: Vec<Value>,
    seen: usize,
    bytes: u64,
    bytes_max: u64,
}

impl<'a> Rows<'a> {
    /// None yet.
    pub fn new(settings: &'a ToRows, bytes_max: u64) -> Self {
        Self { settings, columns: None, told: Vec::new(), seen: 0, bytes: 0, bytes_max }
    }

    /// Adds a row.
    pub fn push(&mut self, values: Vec<Value>) -> Result<(), Refusal> {
        self.seen += 1;
        if self.seen > self.settings.max_rows {
            return Err(Refusal::more_than(self.settings.max_rows, "rows", "max_rows"));
        }
        // At least what they take as JSON.
        self.bytes += values.iter().map(size).sum::<u64>();
        if self.bytes > self.bytes_max {
            return Err(Refusal::long(self.bytes_max));
        }
        if !self.settings.header {
            self.told.push(Value::Array(values));
            return Ok(());
        }
        let Some(columns) = &mut self.columns else {
            self.columns = Some(names(&values));
            return Ok(());
        };
        while columns.len() < values.len() {
            columns.push(format!("column_{}", columns.len() + 1));
        }
        let row: Map<String, Value> = columns.iter().cloned().zip(values).collect();
        self.bytes += row.keys().map(|name| name.len() as u64).sum::<u64>();
        self.told.push(Value::Object(row));
        Ok(())
    }

    /// The rows, and what their columns are called, where a row says it.
    pub fn into_parts(self) -> (Vec<Value>, Option<Vec<String>>) {
        (self.told, self.columns)
    }
}

/// What the columns are called by the first row: one without a name by its number, a second one of
/// a name with a number.
fn names(values: &[Value]) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |(index, value): (usize, &Value)| {
        let said = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let said = if said.is_empty() { format!("column_{}", index + 1) } else { said };
        let mut name = said.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{said}_{number}");
            number += 1;
        }
        name
    };
    values.iter().enumerate().map(name).collect()
}

fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 + 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::names;

    #[test]
    fn columns_have_names_of_their_own() {
        let values = [json!(" a "), json!(null), json!("a"), json!(2025), json!("column_2")];
        assert_eq!(names(&values), ["a", "column_2", "a_2", "2025", "column_2_2"]);
    }
}
