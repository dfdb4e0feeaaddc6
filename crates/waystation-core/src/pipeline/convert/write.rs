//! Writes a pipeline in our form, with a comment for each remark.

use std::fmt::Write as _;

use super::remark::Remarks;
use crate::pipeline::load::node::{Entry, Node, Value};
use crate::pipeline::load::scalar;

/// Keys of a pipeline, in the order in which they are written.
const KEYS: [&str; 5] = ["name", "description", "type_param", "stages", "routes"];
/// Comments are broken to about so many columns.
const COLUMNS: usize = 100;

/// The file. What no pipeline of ours has is left out, with a remark.
pub fn file(pipeline: &mut Node, remarks: &mut Remarks) -> String {
    let rename = |pipeline: &mut Node, from: &str, to: &str| {
        if let Some(entry) = pipeline.take(from).filter(|entry| !entry.value.is_null()) {
            pipeline.put(to, entry.value);
        }
    };
    rename(pipeline, "executors", "stages");
    rename(pipeline, "edges", "routes");
    if let Some(sequence) = pipeline.take("execution_sequence") {
        spell_out(pipeline, &sequence.value);
    }
    let others = pipeline.entries().into_iter().flatten();
    let others: Vec<Entry> =
        others.filter(|entry| !KEYS.contains(&entry.key.as_str())).cloned().collect();
    for Entry { key, position, value } in others {
        remarks.gap(position, None, format!("`{key}` ({}) has no counterpart", value.to_json()));
    }
    let mut text = String::new();
    let stages = pipeline.get("stages").and_then(Node::items);
    let ids = || stages.into_iter().flatten().filter_map(|stage| stage.get("id")?.as_text());
    for remark in &remarks.list {
        match &remark.stage {
            None => comment(&mut text, "", &remark.message),
            // What is said of others stands beside them.
            Some(stage) if ids().any(|id| id == stage) => {}
            Some(stage) => comment(&mut text, "", &format!("stage `{stage}`: {}", remark.message)),
        }
    }
    for key in KEYS {
        let Some(value) = pipeline.get(key) else { continue };
        match (key, value.items()) {
            ("stages", Some(stages)) => write_stages(&mut text, stages, remarks),
            ("routes", Some(routes)) => {
                text.push_str("routes:\n");
                for route in routes {
                    line(&mut text, "  - ", &flow(route));
                }
            }
            _ => line(&mut text, "", &format!("{key}: {}", flow(value))),
        }
    }
    text
}

/// The routes of a sequence, where it is not the order in which the stages stand.
fn spell_out(pipeline: &mut Node, sequence: &Node) {
    let text = |node: &Node| node.as_text().map(str::to_owned);
    let ids: Vec<String> = sequence.items().into_iter().flatten().filter_map(text).collect();
    let stages = pipeline.get("stages").and_then(Node::items).into_iter().flatten();
    let declared: Vec<String> = stages.filter_map(|stage| text(stage.get("id")?)).collect();
    if ids == declared || pipeline.get("routes").is_some() {
        return;
    }
    let position = sequence.position;
    let route = |pair: &[String]| {
        let mut route = Node { position, value: Value::Mapping(Vec::new()) };
        route.put("from", Node::text(position, pair[0].clone()));
        route.put("to", Node::text(position, pair[1].clone()));
        route
    };
    let routes = Value::List(ids.windows(2).map(route).collect());
    pipeline.put("routes", Node { position, value: routes });
}

fn write_stages(text: &mut String, stages: &[Node], remarks: &Remarks) {
    text.push_str("stages:\n");
    for stage in stages {
        let id = stage.get("id").and_then(Node::as_text);
        let own =
            remarks.list.iter().filter(|remark| id.is_some() && remark.stage.as_deref() == id);
        own.for_each(|remark| comment(text, "  ", &remark.message));
        let mut lead = "  - ";
        for Entry { key, value, .. } in stage.entries().into_iter().flatten() {
            match value.entries().filter(|entries| entries.len() > 2) {
                Some(entries) => {
                    line(text, lead, &format!("{}:", scalar_text(key)));
                    for Entry { key, value, .. } in entries {
                        line(text, "      ", &format!("{}: {}", scalar_text(key), flow(value)));
                    }
                }
                None => line(text, lead, &format!("{}: {}", scalar_text(key), flow(value))),
            }
            lead = "    ";
        }
    }
}

fn line(text: &mut String, lead: &str, line: &str) {
    // Writing into a text never fails.
    let _ = writeln!(text, "{lead}{line}");
}

fn comment(text: &mut String, lead: &str, message: &str) {
    let mut words = String::new();
    for word in message.split_whitespace() {
        if !words.is_empty() && lead.len() + 3 + words.chars().count() + word.len() > COLUMNS {
            line(text, lead, &format!("# {words}"));
            words.clear();
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    line(text, lead, &format!("# {words}"));
}

/// A value on one line.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Broken | Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => scalar_text(text),
        // It was not in quotes: what it stands for may be a number.
        Value::Open(text) if is_one_placeholder(text) => text.clone(),
        Value::Open(text) => quoted(text),
        Value::List(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Mapping(entries) => {
            let pair =
                |entry: &Entry| format!("{}: {}", scalar_text(&entry.key), flow(&entry.value));
            format!("{{ {} }}", entries.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn is_one_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| {
        name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// A text, in quotes where it would mean something else without.
fn scalar_text(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter))
        && matches!(scalar::resolve(text), Ok(Value::Text(_)));
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// The escapes of JSON are among those of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
