//! Reads the keys of one mapping, each as the type that it must have.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::SECONDS_MAX;
use super::node::{Entry, Node, Value};
use crate::pipeline::nearest::nearest;
use crate::pipeline::{Position, Problem};

/// The known keys of one mapping. A key without a value counts as absent.
pub(super) struct Fields<'a> {
    /// Whose keys these are, in words.
    pub owner: String,
    /// Where the mapping begins.
    pub position: Position,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// The keys of `node`, which must be a mapping. Keys that are not `known` are reported.
    pub fn open(
        node: &'a Node,
        owner: String,
        known: &[&str],
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let entries = match &node.value {
            Value::Mapping(entries) => entries.as_slice(),
            Value::Broken => return None,
            _ => {
                let message = format!("{owner} must be a mapping, not {}", node.describe());
                problems.push(Problem::new(message).at(node.position));
                return None;
            }
        };
        for entry in entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let hint = match nearest(key, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known keys: {}", known.join(", ")),
            };
            let problem = Problem::new(format!("unknown key `{key}` of {owner}")).hint(hint);
            problems.push(problem.at(entry.position));
        }
        Some(Self { owner, position: node.position, entries })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|node| !node.is_null())
    }

    /// The value of a key or of its other name; both together are a problem.
    pub fn either(
        &self,
        key: &'static str,
        alias: &'static str,
        problems: &mut Vec<Problem>,
    ) -> Option<&'a Node> {
        let (named, aliased) = (self.get(key), self.get(alias));
        if let (Some(_), Some(aliased)) = (named, aliased) {
            let message = format!("`{alias}` is another name of `{key}`, {} has both", self.owner);
            problems.push(Problem::new(message).at(aliased.position));
        }
        named.or(aliased)
    }

    /// A text that must be there and must not be empty.
    pub fn required_text(&self, key: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
        let Some(node) = self.get(key) else {
            let place = self.entries.iter().find(|entry| entry.key == key);
            let place = place.map_or(self.position, |entry| entry.position);
            problems.push(Problem::new(format!("{} has no `{key}`", self.owner)).at(place));
            return None;
        };
        let text = self.text(key, problems)?;
        if text.is_empty() {
            let message = format!("`{key}` of {} is empty", self.owner);
            problems.push(Problem::new(message).at(node.position));
            return None;
        }
        Some(text)
    }

    /// A text.
    pub fn text(&self, key: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
        let node = self.get(key)?;
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        self.mismatch(key, node, "a text", problems);
        None
    }

    /// A whole number within bounds.
    pub fn whole<N>(
        &self,
        key: &str,
        bounds: RangeInclusive<N>,
        problems: &mut Vec<Problem>,
    ) -> Option<N>
    where
        N: TryFrom<u64> + PartialOrd + Display,
    {
        let node = self.get(key)?;
        if let Value::Number(number) = &node.value {
            // `5.0` is a whole number too, however it is written.
            let whole = number.as_u64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && (0.0..1e15).contains(&float)).then_some(float as u64)
            });
            let number = whole.and_then(|number| N::try_from(number).ok());
            if let Some(number) = number.filter(|number| bounds.contains(number)) {
                return Some(number);
            }
        }
        let (least, most) = (bounds.start(), bounds.end());
        let expected = format!("a whole number from {least} to {most}");
        self.mismatch(key, node, &expected, problems);
        None
    }

    /// A number of seconds from zero, not endless.
    pub fn seconds(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
        let node = self.get(key)?;
        let expected = format!("a number of seconds from 0 to {SECONDS_MAX}");
        let range = 0.0..=f64::from(SECONDS_MAX);
        self.duration(key, node, &expected, |seconds| range.contains(&seconds), problems)
    }

    /// A number of seconds above zero, not endless.
    pub fn seconds_above_zero(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
        let node = self.get(key)?;
        let expected = format!("a number of seconds above 0, up to {SECONDS_MAX}");
        let range = 0.001..=f64::from(SECONDS_MAX);
        self.duration(key, node, &expected, |seconds| range.contains(&seconds), problems)
    }

    fn duration(
        &self,
        key: &str,
        node: &Node,
        expected: &str,
        fits: impl Fn(f64) -> bool,
        problems: &mut Vec<Problem>,
    ) -> Option<Duration> {
        let seconds = match &node.value {
            Value::Number(number) => number.as_f64().filter(|seconds| fits(*seconds)),
            _ => None,
        };
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if duration.is_none() {
            self.mismatch(key, node, expected, problems);
        }
        duration
    }

    /// True or false.
    pub fn boolean(&self, key: &str, problems: &mut Vec<Problem>) -> Option<bool> {
        let node = self.get(key)?;
        if let Value::Boolean(value) = node.value {
            return Some(value);
        }
        self.mismatch(key, node, "true or false", problems);
        None
    }

    /// One of a few words.
    pub fn word<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let node = self.get(key)?;
        if let Value::Text(text) = &node.value
            && let Some((_, meaning)) = words.iter().find(|(word, _)| word == text)
        {
            return Some(*meaning);
        }
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.mismatch(key, node, &words.join(" or "), problems);
        None
    }

    /// A list; what stands in it is the caller's business.
    pub fn list(&self, key: &str, node: &'a Node, problems: &mut Vec<Problem>) -> &'a [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.mismatch(key, node, "a list", problems);
        &[]
    }

    /// A list of texts, none of them empty, none twice.
    pub fn texts(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
        let mut texts: Vec<String> = Vec::new();
        for item in self.list(key, self.get(key)?, problems) {
            match &item.value {
                Value::Text(text) if texts.contains(text) => {
                    let message = format!("`{key}` of {} names `{text}` twice", self.owner);
                    problems.push(Problem::new(message).at(item.position));
                }
                Value::Text(text) if !text.is_empty() => texts.push(text.clone()),
                Value::Broken => {}
                _ => {
                    let owner = &self.owner;
                    let what = item.describe();
                    let message = format!("`{key}` of {owner} must list names, not {what}");
                    problems.push(Problem::new(message).at(item.position));
                }
            }
        }
        Some(texts)
    }

    /// A mapping; what stands in it is the caller's business.
    pub fn mapping(&self, key: &str, problems: &mut Vec<Problem>) -> Option<&'a [Entry]> {
        let node = self.get(key)?;
        if let Value::Mapping(entries) = &node.value {
            return Some(entries);
        }
        self.mismatch(key, node, "a mapping", problems);
        None
    }

    fn mismatch(&self, key: &str, node: &Node, expected: &str, problems: &mut Vec<Problem>) {
        if matches!(node.value, Value::Broken) {
            return;
        }
        let message =
            format!("`{key}` of {} must be {expected}, not {}", self.owner, node.describe());
        let problem = Problem::new(message).at(node.position);
        problems.push(match &node.value {
            Value::Text(text) if text.parse::<f64>().is_ok() && expected.contains("number") => {
                problem.hint("remove the quotes")
            }
            Value::Number(_) | Value::Boolean(_) if expected == "a text" => {
                problem.hint("put it in quotes")
            }
            Value::Open(_) => problem.hint("pass --set NAME=value, or export NAME"),
            _ => problem,
        });
    }
}
