//! Reads by what a stage tells jobs apart that run one at a time.

use std::num::NonZeroU32;

use super::fields::Fields;
use super::node::{Node, Value};
use crate::expression::Expression;
use crate::key::SLOTS;
use crate::pipeline::keyed::TOGETHER_MAX;
use crate::pipeline::{Keyed, OnKeyFailure, Problem};

const KEYS: [&str; 4] = ["by", "on_failure", "partitions", "together"];

/// The key of a stage, if it has one: an expression, or a mapping that says more.
pub(super) fn read(stage: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Keyed> {
    let node = stage.get("key")?;
    if !matches!(node.value, Value::Mapping(_)) {
        return expression(stage, "key", node, problems).map(Keyed::by);
    }
    let owner = format!("`key` of {}", stage.owner);
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    let Some(by) = fields.get("by") else {
        let message = format!("{} has no `by`", fields.owner);
        problems.push(Problem::new(message).at(node.position));
        return None;
    };
    let mut keyed = Keyed::by(expression(&fields, "by", by, problems)?);
    let words = [("block", OnKeyFailure::Block), ("skip", OnKeyFailure::Skip)];
    if let Some(word) = fields.word("on_failure", &words, problems) {
        keyed.on_failure = word;
    }
    if let Some(partitions) = fields.whole("partitions", 1..=SLOTS, problems) {
        keyed.partitions = NonZeroU32::new(partitions).unwrap_or(keyed.partitions);
    }
    if let Some(together) = fields.whole("together", 1..=TOGETHER_MAX, problems) {
        keyed.together = together;
    }
    Some(keyed)
}

fn expression(
    fields: &Fields<'_>,
    key: &str,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Option<Expression> {
    let source = fields.text(key, problems)?;
    match Expression::parse(source) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let message = format!("`{key}` of {} is no expression: {error}", fields.owner);
            let hint = "a param, as `device_id`, or CEL over several, as `kind + ':' + id`";
            problems.push(Problem::new(message).hint(hint).at(node.position));
            None
        }
    }
}
