//! Edges of theirs as routes.
//!
//! There, every edge of an executor is taken; here, the first route that fits. So several edges
//! without a condition become one route to several stages. Where all that they lead to comes
//! together again, the stage there is a join, and runs once.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::to_cel;
use super::remark::Remarks;
use crate::pipeline::load::node::{Node, Value};

/// Makes routes of a pipeline's edges. What is no edge is left to whoever reads routes.
pub fn adapt(pipeline: &mut Node, remarks: &mut Remarks) {
    let has_edges =
        pipeline.get("edges").and_then(Node::items).is_some_and(|list| !list.is_empty());
    if has_edges && let Some(sequence) = pipeline.take("execution_sequence") {
        let message = "`execution_sequence` is passed over: the edges say the way";
        remarks.note(sequence.position, None, message);
    }
    let mut joins = BTreeSet::new();
    if let Some(Value::List(edges)) = pipeline.get_mut("edges").map(|node| &mut node.value) {
        let read = std::mem::take(edges).into_iter().flat_map(|edge| choices(edge, remarks));
        *edges = gathered(read.map(|edge| plain(edge, &mut joins)).collect());
        joins.extend(meeting_places(edges, &joins));
    }
    let named = named(pipeline);
    let Some(Value::List(stages)) = pipeline.get_mut("executors").map(|node| &mut node.value)
    else {
        return;
    };
    for stage in stages.iter_mut() {
        let is_join = stage.get("id").and_then(Node::as_text).is_some_and(|id| joins.contains(id));
        if is_join && stage.get("join").is_none() {
            let all = Node::text(stage.position, "all");
            stage.put("join", all);
        }
    }
    // Where the way is said, nobody comes to the others.
    if let Some(named) = named {
        stages.retain(|stage| {
            let id = stage.get("id").and_then(Node::as_text);
            let stays = id.is_none_or(|id| named.contains(id));
            if !stays {
                let message = "nothing leads to it: it is left out, as it never ran";
                remarks.note(stage.position, id, message);
            }
            stays
        });
    }
}

/// An edge to one of several targets, each with a condition, as an edge to each.
fn choices(mut edge: Node, remarks: &mut Remarks) -> Vec<Node> {
    edge.take("description");
    lift_condition(&mut edge, remarks);
    let is_choice = |node: &Node| node.get("target").is_some();
    let choices: Vec<Node> = match edge.get("to") {
        Some(to) if is_choice(to) => vec![to.clone()],
        Some(to) if to.items().is_some_and(|list| list.iter().any(is_choice)) => {
            to.items().cloned().unwrap_or_default()
        }
        _ => return vec![edge],
    };
    edge.take("type");
    let one = |mut choice: Node| {
        let mut edge = edge.clone();
        edge.position = choice.position;
        if let Some(target) = choice.take("target") {
            edge.put("to", target.value);
            let condition = choice.take("condition").map(|entry| entry.value);
            if let Some(condition) = condition.filter(|condition| !condition.is_null()) {
                edge.put("condition", condition);
            }
            lift_condition(&mut edge, remarks);
        } else {
            edge.put("to", choice);
        }
        edge
    };
    choices.into_iter().map(one).collect()
}

fn lift_condition(edge: &mut Node, remarks: &mut Remarks) {
    let Some(condition) = edge.take("condition").filter(|entry| !entry.value.is_null()) else {
        return;
    };
    let position = condition.value.position;
    let text = condition.value.as_text().unwrap_or_default();
    match to_cel(text) {
        Ok(cel) => edge.put("when", Node::text(position, cel)),
        Err(why) => {
            // Something that somebody will replace, and that no other edge asks.
            let param = format!("condition_{}_{}", position.line, position.column);
            let message = format!("`{text}` is no condition ({why}): `{param}` stands for it");
            remarks.gap(position, None, message);
            edge.put("when", Node::text(position, format!("{param} == true")));
        }
    }
}

/// The same edge without a type that its ends say already. A join is noted.
fn plain(mut edge: Node, joins: &mut BTreeSet<String>) -> Node {
    let is_list = |key: &str| edge.get(key).is_some_and(|node| node.items().is_some());
    let (from, to) = (is_list("from"), is_list("to"));
    match edge.get("type").and_then(Node::as_text) {
        Some("sequential") if !from && !to => drop(edge.take("type")),
        Some("parallel") if !from && to => drop(edge.take("type")),
        Some("join") if !to => {
            joins.extend(edge.get("to").and_then(Node::as_text).map(str::to_owned));
            edge.take("type");
        }
        _ => {}
    }
    edge
}

/// The ends of a route that has nothing else.
fn ends(route: &Node) -> Option<(Vec<String>, Vec<String>)> {
    let is_plain = |key: &str| matches!(key, "from" | "to");
    if !route.entries()?.iter().all(|entry| is_plain(&entry.key)) {
        return None;
    }
    Some((names(route.get("from")?)?, names(route.get("to")?)?))
}

/// One name, or those of a list.
fn names(node: &Node) -> Option<Vec<String>> {
    match node.items() {
        Some(items) => items.iter().map(|item| item.as_text().map(str::to_owned)).collect(),
        None => Some(vec![node.as_text()?.to_owned()]),
    }
}

/// The edges, where those without a condition from one stage are one.
fn gathered(edges: Vec<Node>) -> Vec<Node> {
    let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (from, to) in edges.iter().filter_map(ends) {
        for from in from {
            *counts.entry(from.clone()).or_default() += 1;
            let all = targets.entry(from).or_default();
            for to in &to {
                if !all.contains(to) {
                    all.push(to.clone());
                }
            }
        }
    }
    let is_several = |from: &String| counts.get(from).is_some_and(|count| *count > 1);
    let mut gathered = Vec::new();
    let mut done = BTreeSet::new();
    for edge in edges {
        let Some((from, _)) = ends(&edge).filter(|(from, _)| from.iter().any(is_several)) else {
            gathered.push(edge);
            continue;
        };
        for from in from.into_iter().filter(|from| done.insert(from.clone())) {
            let to = targets.remove(&from).unwrap_or_default();
            gathered.push(route(&edge, &from, &to));
        }
    }
    gathered
}

fn route(edge: &Node, from: &str, to: &[String]) -> Node {
    let position = edge.position;
    let text = |name: &String| Node::text(position, name.clone());
    let to = match to {
        [one] => text(one),
        several => Node { position, value: Value::List(several.iter().map(text).collect()) },
    };
    let mut route = Node { position, value: Value::Mapping(Vec::new()) };
    route.put("from", Node::text(position, from));
    route.put("to", to);
    route
}

/// The stages at which all branches of a route meet that has no join yet.
fn meeting_places(routes: &[Node], joins: &BTreeSet<String>) -> Vec<String> {
    let mut onward: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for route in routes {
        let from = route.get("from").and_then(names).unwrap_or_default();
        let to = route.get("to").and_then(names).unwrap_or_default();
        for from in from {
            onward.entry(from).or_default().extend(to.iter().cloned());
        }
    }
    let mut found = Vec::new();
    for (_, branches) in routes.iter().filter_map(ends).filter(|(_, to)| to.len() > 1) {
        let mut ways = branches.iter().map(|branch| reached(branch, &onward));
        let Some(first) = ways.next() else { continue };
        let others: Vec<Vec<String>> = ways.collect();
        let mut common = first.iter().filter(|one| others.iter().all(|way| way.contains(one)));
        // The first one is the nearest. A branch that is a meeting place itself is no branch.
        if let Some(nearest) = common.next().filter(|one| !branches.contains(one))
            && !first.iter().any(|one| joins.contains(one))
        {
            found.push(nearest.clone());
        }
    }
    found
}

/// The stages that jobs come to from this one, itself first, nearest first.
fn reached(stage: &str, onward: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut reached = vec![stage.to_owned()];
    let mut at = 0;
    while at < reached.len() {
        for next in onward.get(&reached[at]).into_iter().flatten() {
            if !reached.contains(next) {
                reached.push(next.clone());
            }
        }
        at += 1;
    }
    reached
}

/// The stages that edges or the sequence name; `None` where neither says the way.
fn named(pipeline: &Node) -> Option<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    let edges = pipeline.get("edges").and_then(Node::items).into_iter().flatten();
    for end in edges.flat_map(|edge| [edge.get("from"), edge.get("to")]) {
        named.extend(names(end?)?);
    }
    if let Some(sequence) = pipeline.get("execution_sequence") {
        named.extend(names(sequence)?);
    }
    (!named.is_empty()).then_some(named)
}
