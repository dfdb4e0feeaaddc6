//! CSV: each field a text.

use csv::ReaderBuilder;
use serde_json::{Value, json};

use super::rows::Rows;
use crate::documents::facts::Facts;
use crate::documents::formats::{Read, Refusal, encoding};
use crate::documents::settings::CsvRows;

/// Its rows.
pub fn csv(bytes: &[u8], settings: &CsvRows) -> Result<Read, Refusal> {
    let text = encoding::text(bytes, settings.encoding.as_deref())?;
    let separator = settings.separator.as_bytes().first().copied().unwrap_or(b',');
    let mut reader = ReaderBuilder::new();
    let reader = reader.has_headers(false).delimiter(separator).flexible(settings.ragged);
    let mut rows = Rows::new(&settings.to, settings.common.max_output_bytes);
    for record in reader.from_reader(text.as_bytes()).into_records() {
        let record = record.map_err(|error| Refusal::broken(&error))?;
        rows.push(record.iter().map(Value::from).collect())?;
    }
    let (rows, columns) = rows.into_parts();
    let mut facts = Facts::new("csv").with("rows", rows.len());
    if let Some(columns) = columns {
        facts = facts.with("columns", columns);
    }
    Ok(Read { said: json!(rows), facts })
}
