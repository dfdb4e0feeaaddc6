//! Reads one route, or one edge of a ContentFlow pipeline.

use super::Place;
use super::fields::Fields;
use super::node::{Node, Value};
use crate::condition::Condition;
use crate::id::{Label, StageId};
use crate::pipeline::{Problem, Route, Target};

const KEYS: [&str; 5] = ["from", "to", "on", "when", "type"];
/// What the parallel and joining forms of ContentFlow are told.
const NO_BRANCHES: &str = "parallel branches and joins are not supported yet by this build";

/// Reads the route at this index. `None` when its ends cannot be told.
pub(super) fn read(
    node: &Node,
    index: usize,
    problems: &mut Vec<Problem>,
) -> Option<(Route, Place)> {
    let owner = format!("route {}", index + 1);
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    let branches = refuse_branches(&fields, problems);
    if branches {
        return None;
    }
    let from = fields.required_text("from", problems);
    let to = fields.required_text("to", problems);
    let on = fields.text("on", problems);
    let on_read = on.is_some() || fields.get("on").is_none();
    let when = read_condition(&fields, problems);
    let to = match to? {
        Target::DONE => Target::Done,
        id => Target::Stage(StageId::from(id)),
    };
    let route = on_read.then_some(Route {
        from: StageId::from(from?),
        to,
        on: on.map(Label::from),
        when: when.ok()?,
    })?;
    Some((route, Place::of(node)))
}

/// Whether this is one of the edges with several ends, or says that it is. They are reported.
fn refuse_branches(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> bool {
    let mut refused: Vec<(&Node, String)> = Vec::new();
    for key in ["from", "to"] {
        if let Some(node) = fields.get(key) {
            match &node.value {
                Value::List(_) => refused.push((node, format!("list in `{key}`"))),
                Value::Mapping(_) => refused.push((node, format!("mapping in `{key}`"))),
                _ => {}
            }
        }
    }
    if let Some(node) = fields.get("type") {
        match &node.value {
            Value::Text(kind) if ["parallel", "join"].contains(&kind.as_str()) => {
                // A list of targets says it already.
                if refused.is_empty() {
                    refused.push((node, format!("type `{kind}`")));
                }
            }
            _ => _ = fields.word("type", &[("sequential", ())], problems),
        }
    }
    for (node, what) in &refused {
        let problem = Problem::new(format!("{what} of {}: {NO_BRANCHES}", fields.owner))
            .hint("write one route for each target, with `on` or `when` to choose between them");
        problems.push(problem.at(node.position));
    }
    !refused.is_empty()
}

/// The condition, `Err` when there is one that cannot be used.
fn read_condition(
    fields: &Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Option<Condition>, ()> {
    let Some(node) = fields.get("when") else {
        return Ok(None);
    };
    let source = match &node.value {
        // `when: true` reads better than it would in quotes, and means the same.
        Value::Boolean(value) => value.to_string(),
        _ => fields.text("when", problems).ok_or(())?.to_owned(),
    };
    match Condition::parse(&source) {
        Ok(condition) => Ok(Some(condition)),
        Err(error) => {
            let message = format!("`when` of {}: {error}", fields.owner);
            problems.push(Problem::new(message).at(node.position));
            Err(())
        }
    }
}
