//! The file of settings: which one it is, and what stands in it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::{DeTable, DeValue};
use waystation_core::pipeline::load::{Leaf, leaves};
use waystation_core::pipeline::{Environment, Position, Problem, fill};

/// What the file is called that is looked for in the working directory.
pub const NAMES: [&str; 2] = ["waystation.toml", "waystation.yaml"];
/// The longest file, in bytes.
const BYTES_MAX: u64 = 1024 * 1024;

/// The file that is meant: the one that is named, or the one in the folder. One that is named must
/// be there.
pub fn find(folder: &Path, named: Option<&Path>) -> Result<Option<PathBuf>, String> {
    if let Some(named) = named {
        let path = folder.join(named);
        let is_there = path.is_file();
        let absent = || format!("{}: there is no such file of settings", named.display());
        return is_there.then(|| Some(named.to_owned())).ok_or_else(absent);
    }
    let there: Vec<_> = NAMES.into_iter().filter(|name| folder.join(name).is_file()).collect();
    match there.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some(PathBuf::from(name))),
        _ => Err(format!(
            "{} and {} say two things (hint: keep one of them, or name it with --config)",
            NAMES[0], NAMES[1]
        )),
    }
}

/// The values that a file holds, and everything that is wrong with its form.
pub fn read(
    folder: &Path,
    path: &Path,
    environment: &Environment<'_>,
) -> (Vec<Leaf>, Vec<Problem>) {
    let text = match text(&folder.join(path)) {
        Ok(text) => text,
        Err(why) => return (Vec::new(), vec![Problem::new(why)]),
    };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml_leaves(&text, environment),
        Some("yaml" | "yml" | "json") => leaves(&text, environment),
        _ => {
            let problem = Problem::new("the file's name ends neither in .toml nor in .yaml");
            (Vec::new(), vec![problem])
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::metadata(path).map(|metadata| metadata.len());
    match bytes.and_then(|bytes| Ok((bytes, std::fs::read_to_string(path)?))) {
        Ok((bytes, _)) if bytes > BYTES_MAX => {
            Err(format!("the file has {bytes} bytes, more than {BYTES_MAX}"))
        }
        Ok((_, text)) => Ok(text),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

fn toml_leaves(text: &str, environment: &Environment<'_>) -> (Vec<Leaf>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let problem = Problem::new(format!("no valid TOML: {}", one_line(error.message())));
            match error.span() {
                Some(span) => problem.at(position(text, span.start)),
                None => problem,
            }
        })
        .collect();
    let mut reader = Reader { text, environment, leaves: Vec::new(), problems: Vec::new() };
    if problems.is_empty() {
        reader.table("", table.get_ref());
    }
    problems.append(&mut reader.problems);
    reader.leaves.sort_by_key(|leaf| leaf.position);
    (reader.leaves, problems)
}

struct Reader<'a> {
    text: &'a str,
    environment: &'a Environment<'a>,
    leaves: Vec<Leaf>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The parser bounds the depth.
    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", key.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                self.table(&path, table);
                continue;
            }
            let position = position(self.text, value.span().start);
            if let Some(value) = self.value(value.get_ref(), position) {
                self.leaves.push(Leaf { path, position, value });
            }
        }
    }

    fn value(&mut self, value: &DeValue<'_>, position: Position) -> Option<Value> {
        match value {
            DeValue::String(text) => match fill(text, self.environment) {
                Ok(text) => Some(Value::from(text)),
                Err(problems) => {
                    self.problems.extend(problems.into_iter().map(|one| one.at(position)));
                    None
                }
            },
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                Some(number.map_or_else(|_| Value::from(value_text(value)), Value::from))
            }
            DeValue::Float(number) => {
                let number = number.as_str().parse::<f64>();
                Some(number.map_or_else(|_| Value::from(value_text(value)), Value::from))
            }
            DeValue::Boolean(yes) => Some(Value::from(*yes)),
            DeValue::Datetime(moment) => Some(Value::from(moment.to_string())),
            DeValue::Array(items) => {
                items.iter().map(|item| self.value(item.get_ref(), position)).collect()
            }
            // Within a list: no setting has such a thing, which is told by its kind.
            DeValue::Table(_) => Some(Value::Object(serde_json::Map::new())),
        }
    }
}

/// A number that does not fit, as it is written.
fn value_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => String::new(),
    }
}

fn position(text: &str, at: usize) -> Position {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
