//! From text to tree: drives the YAML parser and keeps to the limits.
//!
//! Nothing here recurses over the document, so that its depth is bounded by a limit and not by
//! the program's own stack.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::node::{Entry, Node, Value};
use super::{ALIAS_COST_MAX, BYTES_MAX, DEPTH_MAX, scalar};
use crate::pipeline::environment::{self, Environment, Placeholder};
use crate::pipeline::{Position, Problem};

/// What becomes of a placeholder that has no value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Unset {
    /// It is a problem.
    Refused,
    /// Its text is [`Value::Open`].
    Kept,
    /// So is the text of every other that is not in quotes: none is replaced.
    Verbatim,
}

/// The document as a tree, `None` when there is none to speak of. Problems are added as found.
pub(in crate::pipeline) fn read(
    text: &str,
    environment: &Environment<'_>,
    unset: Unset,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let start = Position { line: 1, column: 1 };
    if text.len() > BYTES_MAX {
        let message = format!(
            "the file has {} bytes, more than the {BYTES_MAX} that a pipeline may have",
            text.len()
        );
        problems.push(Problem::new(message).at(start));
        return None;
    }
    let text = mask(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reader = Reader {
        environment,
        unset,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        alias_cost: 0,
        document: None,
    };
    reader.run(&text)?;
    let document = reader.document;
    if document.is_none() {
        problems.push(Problem::new("the file holds no pipeline").at(start));
    }
    document
}

/// Stand for the braces of placeholders while the parser runs. Unicode sets these two aside for
/// a program's own use.
const OPEN_MASK: char = '\u{fdd0}';
const CLOSE_MASK: char = '\u{fdd1}';

/// Hides the braces of placeholders from the parser, to which they would end an unquoted scalar
/// within `{ }` and `[ ]`. One character for one, so that places stay what they are.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, candidate) = rest.split_at(at);
        masked.push_str(before);
        // A default with these in it is taken for YAML, so that a stray `${` never swallows it.
        let placeholder = Placeholder::parse(candidate).filter(|placeholder| {
            let default = placeholder.default.unwrap_or_default();
            !default.contains(['{', '[', ']', '"', '\'', '\n', ','])
        });
        let length = placeholder.map_or(0, |placeholder| placeholder.length);
        masked.push('$');
        if length == 0 {
            masked.push('{');
            rest = &candidate[2..];
        } else {
            masked.push(OPEN_MASK);
            masked.push_str(&candidate[2..length - 1]);
            masked.push(CLOSE_MASK);
            rest = &candidate[length..];
        }
    }
    masked.push_str(rest);
    masked
}

fn unmask(text: &str) -> String {
    text.replace(OPEN_MASK, "{").replace(CLOSE_MASK, "}")
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// A list or mapping whose end has not come yet.
struct Open {
    position: Position,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        places: HashMap<String, Position>,
        key: Option<(Option<String>, Position)>,
    },
}

/// A value that aliases may repeat, and what a repetition costs.
struct Anchored {
    node: Node,
    cost: usize,
    height: usize,
}

struct Reader<'a> {
    environment: &'a Environment<'a>,
    unset: Unset,
    problems: &'a mut Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    alias_cost: usize,
    document: Option<Node>,
}

impl Reader<'_> {
    /// `None` after a problem that nothing can be read beyond.
    fn run(&mut self, text: &str) -> Option<()> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let message = format!("no valid YAML: {}", unmask(error.info()));
                    self.report(position(*error.marker()), message);
                    return None;
                }
            };
            self.take(event, position(span.start))?;
        }
        Some(())
    }

    fn take(&mut self, event: Event<'_>, position: Position) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&unmask(&text), style, tag.as_deref(), position);
                self.push(Node { position, value }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", position);
                self.enter(position, anchor, Inside::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", position);
                let inside =
                    Inside::Mapping { entries: Vec::new(), places: HashMap::new(), key: None };
                self.enter(position, anchor, inside)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave()?,
            Event::Alias(anchor) => self.repeat(anchor, position)?,
            Event::DocumentStart(_) if self.document.is_some() => {
                self.report(position, "a second document begins here, a file holds one");
                return None;
            }
            _ => {}
        }
        Some(())
    }

    fn enter(&mut self, position: Position, anchor: usize, inside: Inside) -> Option<()> {
        if self.open.len() == DEPTH_MAX {
            self.report_depth(position);
            return None;
        }
        self.open.push(Open { position, anchor, inside });
        Some(())
    }

    fn leave(&mut self) -> Option<()> {
        let open = self.open.pop()?;
        let value = match open.inside {
            Inside::List(items) => Value::List(items),
            Inside::Mapping { entries, .. } => Value::Mapping(entries),
        };
        let position = open.position;
        self.push(Node { position, value }, open.anchor)
    }

    fn repeat(&mut self, anchor: usize, position: Position) -> Option<()> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            self.report(position, "an alias stands within the value that it repeats");
            return None;
        };
        self.alias_cost += anchored.cost;
        if self.alias_cost > ALIAS_COST_MAX {
            self.report_cost(position);
            return None;
        }
        if self.open.len() + anchored.height > DEPTH_MAX {
            self.report_depth(position);
            return None;
        }
        let mut node = anchored.node.clone();
        node.position = position;
        self.push(node, 0)
    }

    /// Puts a finished value where it belongs: as a key, under a key, into a list, or on top.
    fn push(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor != 0 {
            let (cost, height) = measure(&node);
            self.alias_cost += cost;
            if self.alias_cost > ALIAS_COST_MAX {
                self.report_cost(node.position);
                return None;
            }
            let anchored = Anchored { node: node.clone(), cost, height };
            self.anchors.insert(anchor, anchored);
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.document = Some(node).filter(|node| !node.is_null()),
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Mapping { entries, key, .. }) if key.is_some() => {
                if let Some((Some(key), position)) = key.take() {
                    let value = node;
                    entries.push(Entry { key, position, value });
                }
            }
            Some(Inside::Mapping { places, key, .. }) => {
                let position = node.position;
                let name = match key_name(&node, places) {
                    Ok(name) => {
                        places.insert(name.clone(), position);
                        Some(name)
                    }
                    Err(problem) => {
                        self.problems.push(problem.at(position));
                        None
                    }
                };
                *key = Some((name, position));
            }
        }
        Some(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        position: Position,
    ) -> Value {
        if self.expects_key() {
            return Value::Text(text.to_owned());
        }
        let text_tag = tag.is_some_and(|tag| is_tag(tag, "str") || tag.suffix == "!");
        if !text_tag {
            self.refuse_tag(tag, "str", position);
        }
        if self.unset == Unset::Verbatim && text.contains("${") {
            let quoted = style != ScalarStyle::Plain || text_tag;
            let text = text.to_owned();
            return if quoted { Value::Text(text) } else { Value::Open(text) };
        }
        let expanded = match environment::expand(text, self.environment) {
            Ok(expanded) => expanded,
            Err(errors) if self.unset == Unset::Kept && errors.iter().all(is_unset) => {
                return Value::Open(text.to_owned());
            }
            Err(errors) => {
                let found = errors
                    .iter()
                    .map(|error| Problem::new(error.to_string()).hint(error.hint()).at(position));
                self.problems.extend(found);
                return Value::Broken;
            }
        };
        let replaced = expanded.text != text;
        let quoted = style != ScalarStyle::Plain || text_tag;
        if quoted || (replaced && !expanded.whole) {
            return Value::Text(expanded.text);
        }
        scalar::resolve(&expanded.text).unwrap_or_else(|why| {
            let message = format!("the number `{}` {why}", expanded.text);
            let problem = Problem::new(message).hint("put it in quotes to keep it as a text");
            self.problems.push(problem.at(position));
            Value::Broken
        })
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last().map(|open| &open.inside), Some(Inside::Mapping { key: None, .. }))
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, position: Position) {
        if let Some(tag) = tag.filter(|tag| !is_tag(tag, allowed)) {
            let message = format!("the tag `{}{}` is not known here", tag.handle, tag.suffix);
            self.report(position, message);
        }
    }

    fn report(&mut self, position: Position, message: impl Into<Cow<'static, str>>) {
        let problem = Problem::new(message.into().into_owned());
        self.problems.push(problem.at(position));
    }

    fn report_cost(&mut self, position: Position) {
        let message = format!("anchors and aliases hold more than {ALIAS_COST_MAX} bytes in all");
        self.report(position, message);
    }

    fn report_depth(&mut self, position: Position) {
        let message = format!("lists and mappings are nested deeper than {DEPTH_MAX}");
        self.report(position, message);
    }
}

fn is_unset(error: &environment::Error) -> bool {
    matches!(error, environment::Error::Unset(_))
}

fn is_tag(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == name
}

/// The name that a key stands for, unless it is none or stood there before.
fn key_name(node: &Node, places: &HashMap<String, Position>) -> Result<String, Problem> {
    let Value::Text(name) = &node.value else {
        let message = format!("a key must be a text, not {}", node.describe());
        return Err(Problem::new(message));
    };
    if name.is_empty() {
        return Err(Problem::new("a key is empty"));
    }
    if name == "<<" {
        return Err(Problem::new("merge keys (`<<`) are not supported")
            .hint("repeat the whole value with an alias, or write the keys out"));
    }
    match places.get(name) {
        Some(first) => Err(Problem::new(format!(
            "the key `{name}` stood already at {}:{}",
            first.line, first.column
        ))),
        None => Ok(name.clone()),
    }
}

/// About how many bytes a value takes, and how deep it is nested. It is itself below the limit
/// of depth, so that recursion is safe.
fn measure(node: &Node) -> (usize, usize) {
    const NODE_BYTES: usize = 32;
    let below = |children: &mut dyn Iterator<Item = (usize, usize)>| {
        children.fold((NODE_BYTES, 1), |(cost, height), (child, depth)| {
            (cost + child, height.max(depth + 1))
        })
    };
    match &node.value {
        Value::Text(text) | Value::Open(text) => (NODE_BYTES + text.len(), 0),
        Value::List(items) => below(&mut items.iter().map(measure)),
        Value::Mapping(entries) => below(&mut entries.iter().map(|entry| {
            let (cost, height) = measure(&entry.value);
            (cost + entry.key.len(), height)
        })),
        _ => (NODE_BYTES, 0),
    }
}
