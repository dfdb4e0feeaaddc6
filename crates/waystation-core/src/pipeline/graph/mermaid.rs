//! Writes a graph as a Mermaid flowchart.

use std::fmt::Write as _;

use super::{Graph, Shape};

pub(super) fn write(graph: &Graph<'_>) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (open, close) = match node.shape {
            Shape::Worker => ("[", "]"),
            Shape::Manual => ("[/", "/]"),
            Shape::Source => ("([", "])"),
            Shape::Done => ("((", "))"),
        };
        let mut label = escape(node.name);
        if !node.kind.is_empty() {
            label = format!("{label}<br/>{}", escape(node.kind));
        }
        // Writing into a text cannot fail.
        let _ = writeln!(text, "    s{index}{open}\"{label}\"{close}");
    }
    for edge in &graph.edges {
        let lines: Vec<_> = edge.lines.iter().map(|line| escape(line)).collect();
        let label = match lines.join("<br/>") {
            label if label.is_empty() => label,
            label => format!("|\"{label}\"|"),
        };
        let _ = writeln!(text, "    s{} -->{label} s{}", edge.from, edge.to);
    }
    text
}

/// Mermaid's own entities for what its grammar or HTML would take for itself.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '|' | '`' | '\\' => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
