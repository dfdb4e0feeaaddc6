//! One executor of theirs as a stage.

use super::condition::to_cel;
use super::remark::Remarks;
use super::types::{self, Types};
use crate::pipeline::Position;
use crate::pipeline::load::node::{Entry, Node, Value};

/// Keys of an executor that only their editor, or nobody, reads.
const UNREAD: [&str; 5] = ["debug_mode", "position", "connectors", "name", "description"];

/// An executor while it becomes a stage.
pub struct Executor<'a> {
    /// Its name.
    pub id: String,
    node: &'a mut Node,
    settings: Node,
    remarks: &'a mut Remarks,
}

/// Makes a stage of it. What cannot be read is left to whoever reads stages.
pub fn adapt(node: &mut Node, types: &Types<'_>, remarks: &mut Remarks) {
    let Some(id) = node.get("id").and_then(Node::as_text).map(str::to_owned) else { return };
    let settings = node.take("settings").map(|entry| entry.value);
    let empty = Node { position: node.position, value: Value::Mapping(Vec::new()) };
    let settings = settings.filter(|settings| !settings.is_null()).unwrap_or(empty);
    if settings.entries().is_none() {
        node.put("settings", settings);
        return;
    }
    for key in UNREAD {
        node.take(key);
    }
    let mut executor = Executor { id, node, settings, remarks };
    executor.lift();
    let stage_type = executor.node.get("type").and_then(Node::as_text).map(str::to_owned);
    if let Some(stage_type) = stage_type.filter(|stage_type| !(types.kept)(stage_type)) {
        types::adapt(&mut executor, &stage_type, types);
    }
    let Executor { node, settings, .. } = executor;
    if settings.entries().is_some_and(|entries| !entries.is_empty()) {
        node.put("settings", settings);
    }
}

impl Executor<'_> {
    /// Takes what every executor has out of its settings.
    fn lift(&mut self) {
        self.ignore(&["debug_mode"]);
        if let Some(enabled) = self.take("enabled")
            && !matches!(enabled.value, Value::Boolean(true))
        {
            self.say("enabled", enabled);
        }
        if let Some(condition) = self.take("condition") {
            let position = condition.position;
            match condition.as_text().map(to_cel) {
                Some(Ok(cel)) => self.say("when", Node::text(position, cel)),
                Some(Err(why)) => {
                    let text = condition.as_text().unwrap_or_default();
                    self.gap_at(&condition, format!("`{text}` is no condition: {why}"));
                }
                None => {
                    let what = condition.describe();
                    self.gap_at(&condition, format!("`condition` must be a text, not {what}"));
                }
            }
        }
        if let Some(fails) = self.take("fail_pipeline_on_error") {
            match fails.value {
                Value::Boolean(true) => {}
                Value::Boolean(false) => self.say("on_failure", Node::text(fails.position, "pass")),
                _ => {
                    let what = fails.describe();
                    let message = format!("`fail_pipeline_on_error` must be known, not {what}");
                    self.gap_at(&fails, message);
                }
            }
        }
    }

    /// Takes a setting away, if it is there and says something.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        self.settings.take(name).map(|entry| entry.value).filter(|value| !value.is_null())
    }

    /// Says a setting.
    pub fn set(&mut self, name: &str, value: Node) {
        self.settings.put(name, value);
    }

    /// Says a setting that is a text.
    pub fn set_text(&mut self, name: &str, text: &str) {
        self.set(name, Node::text(self.node.position, text));
    }

    /// Says something of the stage itself, unless it is said.
    pub fn say(&mut self, key: &str, value: Node) {
        if self.node.get(key).is_none() {
            self.node.put(key, value);
        }
    }

    /// Gives a setting another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.take(from) {
            self.set(to, value);
        }
    }

    /// Settings that change nothing here.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.settings.take(name);
        }
    }

    /// A setting that may only be so, since it cannot be otherwise here.
    pub fn expect(&mut self, name: &str, values: &[serde_json::Value]) {
        let Some(value) = self.take(name) else { return };
        if !values.contains(&value.to_json()) {
            let what = value.describe();
            self.gap_at(&value, format!("`{name}` cannot be {what} here"));
        }
    }

    /// What stage is made of it.
    pub fn becomes(&mut self, stage_type: &str) {
        let position = self.node.get("type").map_or(self.node.position, |node| node.position);
        self.node.put("type", Node::text(position, stage_type));
    }

    /// Its type, as it stands now.
    pub fn stage_type(&self) -> &str {
        self.node.get("type").and_then(Node::as_text).unwrap_or_default()
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.node.position
    }

    /// What is left of the settings, beside these, has no counterpart.
    pub fn keep(&mut self, kept: &[&str]) {
        let Some(entries) = self.settings.entries_mut().map(std::mem::take) else { return };
        let (kept, others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| kept.contains(&entry.key.as_str()));
        if let Some(entries) = self.settings.entries_mut() {
            *entries = kept;
        }
        for Entry { key, value, .. } in others.into_iter().filter(|entry| !entry.value.is_null()) {
            let what = value.to_json();
            self.gap_at(&value, format!("setting `{key}` ({what}) has no counterpart"));
        }
    }

    /// Something about it has no counterpart.
    pub fn gap(&mut self, message: String) {
        self.remarks.gap(self.node.position, Some(&self.id), message);
    }

    /// The same, where this stands.
    pub fn gap_at(&mut self, node: &Node, message: String) {
        self.remarks.gap(node.position, Some(&self.id), message);
    }

    /// Something about it is otherwise, and right.
    pub fn note(&mut self, message: &str) {
        self.remarks.note(self.node.position, Some(&self.id), message);
    }

    /// Its settings as they are, for a comment.
    pub fn settings_text(&self) -> String {
        self.settings.to_json().to_string()
    }

    /// Takes all settings away.
    pub fn clear(&mut self) {
        if let Some(entries) = self.settings.entries_mut() {
            entries.clear();
        }
    }
}
