//! Sheets of Excel: the rows of one, or all of them as text.

use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use serde_json::{Value, json};

use super::rows::Rows;
use crate::documents::facts::Facts;
use crate::documents::formats::text::Text;
use crate::documents::formats::{Pages, Read, Refusal, office};
use crate::documents::settings::{self, DocumentText, XlsxRows};

type Book<'a> = Xlsx<Cursor<&'a [u8]>>;

/// The rows of one sheet. Empty rows are left out.
pub fn xlsx(bytes: &[u8], settings: &XlsxRows) -> Result<Read, Refusal> {
    let mut book = open(bytes, &settings.archive)?;
    let names = book.sheet_names();
    let name = match &settings.sheet {
        Some(name) if names.contains(name) => name.clone(),
        Some(name) => {
            let known = names.join("`, `");
            return Err(Refusal::new(format!("no sheet `{name}`: it has `{known}`")));
        }
        None => names.first().cloned().ok_or_else(|| Refusal::broken(&"it has no sheets"))?,
    };
    let mut rows = Rows::new(&settings.to, settings.common.max_output_bytes);
    each_row(&mut book, &name, settings.to.max_rows, |row| rows.push(row))?;
    let (rows, columns) = rows.into_parts();
    let facts = Facts::new("xlsx").with("sheets", names).with("sheet", name);
    let mut facts = facts.with("rows", rows.len());
    if let Some(columns) = columns {
        facts = facts.with("columns", columns);
    }
    Ok(Read { said: json!(rows), facts })
}

/// Every sheet as text: its name, then a line a row with tabs between its cells.
pub fn sheets(bytes: &[u8], settings: &DocumentText) -> Result<Pages, Refusal> {
    let mut book = open(bytes, &settings.archive)?;
    let names = book.sheet_names();
    if names.len() > settings.pages.max_pages {
        return Err(Refusal::more_than(settings.pages.max_pages, "sheets", "max_pages"));
    }
    let mut text = Text::new(settings.common.max_output_bytes);
    let mut texts = Vec::new();
    for name in &names {
        text.push(name)?;
        each_row(&mut book, name, settings.max_rows, |row| {
            text.push("\n")?;
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    text.push("\t")?;
                }
                match value {
                    Value::Null => {}
                    Value::String(said) => text.push(said)?,
                    other => text.push(&other.to_string())?,
                }
            }
            Ok(())
        })?;
        texts.push(text.take());
    }
    Ok(Pages { texts, facts: Facts::new("xlsx").with("sheets", names) })
}

fn open<'a>(bytes: &'a [u8], archive: &settings::Archive) -> Result<Book<'a>, Refusal> {
    // The reader of sheets unpacks whatever there is.
    office::Archive::open(bytes, archive)?.measure()?;
    Xlsx::new(Cursor::new(bytes)).map_err(|error| refused(&error))
}

/// Goes through the rows of a sheet that are not empty, cell by cell: what lies far apart takes no
/// room.
fn each_row(
    book: &mut Book<'_>,
    name: &str,
    rows_max: usize,
    mut each: impl FnMut(Vec<Value>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut cells = match book.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        // A chart is a sheet without cells.
        Err(XlsxError::NotAWorksheet(_)) => return Ok(()),
        Err(error) => return Err(refused(&error)),
    };
    let (mut row, mut number, mut count) = (Vec::new(), None, 0);
    while let Some(cell) = cells.next_cell().map_err(|error| refused(&error))? {
        let (at, column) = cell.get_position();
        let value = value_of(cell.get_value());
        if value.is_null() {
            continue;
        }
        if number != Some(at) {
            if number.is_some_and(|number| number > at) {
                return Err(Refusal::broken(&format!("row {} comes too late", at + 1)));
            }
            if number.is_some() {
                each(std::mem::take(&mut row))?;
            }
            (number, count) = (Some(at), count + 1);
            if count > rows_max {
                return Err(Refusal::more_than(rows_max, "rows", "max_rows"));
            }
        }
        let column = column as usize;
        if row.len() <= column {
            row.resize(column + 1, Value::Null);
        }
        row[column] = value;
    }
    if number.is_some() { each(row) } else { Ok(()) }
}

fn value_of(data: &DataRef<'_>) -> Value {
    match data {
        DataRef::Int(number) => json!(number),
        DataRef::Float(number) => number_of(*number),
        DataRef::SharedString(text) => json!(text),
        DataRef::Bool(truth) => json!(truth),
        DataRef::DateTime(moment) => moment_of(moment),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            json!(text)
        }
        DataRef::Error(error) => json!(error.to_string()),
        DataRef::Empty => Value::Null,
    }
}

/// The largest number up to which every whole one can be told.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Excel knows no whole numbers; people do.
fn number_of(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        json!(number as i64)
    } else {
        json!(number)
    }
}

/// A day as `2026-11-23`, with a time of day `2026-11-23T08:30:00`, that alone `08:30:00`, and a
/// span of time as `PT5400S`.
fn moment_of(moment: &ExcelDateTime) -> Value {
    if moment.is_duration() {
        return json!(format!("PT{}S", (moment.as_f64() * 86_400.0).round()));
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let time = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    if moment.as_f64() < 1.0 {
        return json!(time);
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if moment.as_f64().fract() == 0.0 { json!(date) } else { json!(format!("{date}T{time}")) }
}

fn refused(error: &XlsxError) -> Refusal {
    match error {
        XlsxError::Password => Refusal::encrypted(),
        error => Refusal::broken(error),
    }
}
