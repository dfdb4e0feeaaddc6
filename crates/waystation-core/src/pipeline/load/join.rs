//! Reads how a stage waits for children.

use super::COUNT_MAX;
use super::fields::Fields;
use super::node::{Node, Value};
use crate::pipeline::{Join, OnFailure, Problem, Rest, Wait};

const KEYS: [&str; 4] = ["wait", "on_failure", "rest", "collect"];

/// The join of a stage, if it is one: `all`, `any`, a number, or a mapping that says more.
pub(super) fn read(stage: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Join> {
    let node = stage.get("join")?;
    if !matches!(node.value, Value::Mapping(_)) {
        let wait = read_wait(stage, "join", problems)?;
        return Some(Join { wait, ..Join::default() });
    }
    let owner = format!("`join` of {}", stage.owner);
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    let mut join = Join::default();
    if let Some(wait) = read_wait(&fields, "wait", problems) {
        join.wait = wait;
    }
    let policies =
        [("fail", OnFailure::Fail), ("ignore", OnFailure::Ignore), ("collect", OnFailure::Collect)];
    if let Some(policy) = fields.word("on_failure", &policies, problems) {
        join.on_failure = policy;
    }
    let rest = [("abort", Rest::Abort), ("run", Rest::Run)];
    if let Some(rest) = fields.word("rest", &rest, problems) {
        join.rest = rest;
    }
    for entry in fields.mapping("collect", problems).unwrap_or_default() {
        if let Some(param) = text(&entry.value) {
            join.collect.push((entry.key.clone(), param.to_owned()));
        } else {
            let (key, what) = (&entry.key, entry.value.describe());
            let owner = &fields.owner;
            let message =
                format!("`collect.{key}` of {owner} must name a param of the children, not {what}");
            problems.push(Problem::new(message).at(entry.value.position));
        }
    }
    Some(join)
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn read_wait(fields: &Fields<'_>, key: &str, problems: &mut Vec<Problem>) -> Option<Wait> {
    let node = fields.get(key)?;
    if let Value::Number(_) = &node.value {
        return fields.whole(key, 1..=COUNT_MAX, problems).map(Wait::AtLeast);
    }
    fields.word(key, &[("all", Wait::All), ("any", Wait::ANY)], problems)
}
