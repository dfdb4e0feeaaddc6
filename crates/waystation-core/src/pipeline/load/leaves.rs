//! Reads YAML that is no pipeline: the program's own settings, as values with their places.

use std::fmt;

use super::node::{Node, Value};
use super::read::{self, Unset};
use crate::pipeline::{Environment, Position, Problem};

/// A value of a file: what lies at the end of a path of keys.
#[derive(Clone, PartialEq)]
pub struct Leaf {
    /// The keys that lead to it, with dots between them.
    pub path: String,
    /// Where the value stands.
    pub position: Position,
    /// The value: no mapping.
    pub value: serde_json::Value,
}

impl fmt::Debug for Leaf {
    /// The value may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Leaf({} at {}:{})", self.path, self.position.line, self.position.column)
    }
}

/// The values of a YAML file by their paths, in the order of the file, and everything that is
/// wrong with its form. Keys without a value count as absent.
pub fn leaves(text: &str, environment: &Environment<'_>) -> (Vec<Leaf>, Vec<Problem>) {
    let (mut leaves, mut problems) = (Vec::new(), Vec::new());
    if text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
        return (leaves, problems);
    }
    if let Some(document) = read::read(text, environment, Unset::Refused, &mut problems) {
        if let Value::Mapping(_) = document.value {
            gather("", &document, &mut leaves);
        } else {
            let message = format!("the file must hold a mapping, not {}", document.describe());
            problems.push(Problem::new(message).at(document.position));
        }
    }
    (leaves, problems)
}

/// Depth is bounded by the reader's limit.
fn gather(path: &str, node: &Node, leaves: &mut Vec<Leaf>) {
    match &node.value {
        Value::Mapping(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                gather(&format!("{path}{dot}{}", entry.key), &entry.value, leaves);
            }
        }
        Value::Null | Value::Broken => {}
        _ => {
            let (path, position) = (path.to_owned(), node.position);
            leaves.push(Leaf { path, position, value: node.to_json() });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::leaves;

    #[test]
    fn values_are_found_with_their_paths_and_places() {
        let environment = |name: &str| (name == "HOST").then(|| "db".to_owned());
        let text = "# Settings.\nstore: postgres://${HOST}/jobs\nengine:\n  drain_seconds: 5\n  \
                    pipelines: [a, b]\n  memory_mib:\n";
        let (found, problems) = leaves(text, &environment);
        assert_eq!(problems, []);
        let found: Vec<_> =
            found.into_iter().map(|leaf| (leaf.path, leaf.position.line, leaf.value)).collect();
        let expected = [
            ("store", 2, json!("postgres://db/jobs")),
            ("engine.drain_seconds", 4, json!(5)),
            ("engine.pipelines", 5, json!(["a", "b"])),
        ];
        assert_eq!(found, expected.map(|(path, line, value)| (path.to_owned(), line, value)));
        assert!(leaves("\n# Nothing yet.\n", &environment).1.is_empty());
        for (text, why) in [("- a\n", "must hold a mapping"), ("a: ${B}\n", "`${B}` is not set")] {
            let (_, problems) = leaves(text, &environment);
            assert!(problems[0].message.contains(why), "{problems:?}");
        }
    }
}
