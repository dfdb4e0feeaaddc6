//! Reads a stage's settings and gathers every problem with them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::contract::kind_of;

/// The settings of one stage, while they are read. What nobody asked for is a problem too.
pub struct Settings<'a> {
    values: &'a Params,
    asked: BTreeSet<&'static str>,
    problems: Vec<String>,
}

impl<'a> Settings<'a> {
    /// Nothing is read yet.
    pub fn new(values: &'a Params) -> Self {
        Self { values, asked: BTreeSet::new(), problems: Vec::new() }
    }

    /// Everything that is wrong with the settings.
    pub fn problems(self) -> Vec<String> {
        let mut problems = self.problems;
        for name in self.values.keys() {
            if !self.asked.contains(name.as_str()) {
                let known: Vec<_> = self.asked.iter().copied().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                problems.push(format!("unknown setting `{name}` (known: {known})"));
            }
        }
        problems
    }

    /// Notes a problem.
    pub fn problem(&mut self, message: impl Into<String>) {
        self.problems.push(message.into());
    }

    /// A setting as it is, unless it is absent or null.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.insert(name);
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.optional_text(name);
        if text.is_none() && self.values.get(name).is_none_or(Value::is_null) {
            self.problem(format!("setting `{name}` is absent"));
        }
        text
    }

    /// A text that may be absent.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            other => self.wrong(name, "a text that is not empty", other),
        }
    }

    /// A folder that must be named. What is named relative to the working directory is made
    /// absolute, since a job's params outlive the process that has this working directory.
    pub fn folder(&mut self, name: &'static str) -> Option<PathBuf> {
        let folder = PathBuf::from(self.text(name)?);
        Some(std::path::absolute(&folder).unwrap_or(folder))
    }

    /// A yes or no.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.value(name) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => self.wrong(name, "true or false", other).unwrap_or(default),
        }
    }

    /// A list of texts; one text stands for a list of one.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        match self.value(name)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) if list.iter().all(Value::is_string) => {
                Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            other => self.wrong(name, "a text or a list of texts", other),
        }
    }

    /// A number above zero. It is read where it is used; here it is only checked.
    pub fn check_positive(&mut self, name: &'static str) {
        if let Some(value) = self.value(name)
            && value.as_f64().is_none_or(|number| number <= 0.0)
        {
            let _: Option<()> = self.wrong(name, "a number above 0", value);
        }
    }

    /// Notes that a setting holds what it must not.
    pub fn wrong<T>(&mut self, name: &str, expected: &str, value: &Value) -> Option<T> {
        self.problem(format!(
            "setting `{name}` must be {expected}, not {} ({value})",
            kind_of(value)
        ));
        None
    }
}
