//! Reads one route, or one edge of a ContentFlow pipeline.

use super::fields::Fields;
use super::node::{Node, Value};
use super::{COUNT_MAX, Place, condition};
use crate::id::{Label, StageId};
use crate::pipeline::{FanOut, Over, Problem, Route, Target};

const KEYS: [&str; 10] =
    ["from", "to", "on", "when", "on_type", "at_most", "each", "as", "join", "type"];

/// A route, and where it stands.
pub(super) struct Draft {
    pub route: Route,
    pub place: Place,
    /// Whether it makes a join of the stage that it leads to.
    pub joins: bool,
}

/// Reads the routes at this index: one, or one from each stage of a list. `None` when their ends
/// cannot be told.
pub(super) fn read(node: &Node, index: usize, problems: &mut Vec<Problem>) -> Option<Vec<Draft>> {
    let owner = format!("route {}", index + 1);
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    let edge = read_edge(&fields, problems);
    let from = read_from(&fields, problems);
    let to = read_target(&fields, problems);
    let on = fields.text("on", problems);
    let on_read = on.is_some() || fields.get("on").is_none();
    let when = condition::read(&fields, problems);
    let on_type = read_types(&fields, problems);
    let at_most = fields.whole("at_most", 1..=COUNT_MAX, problems);
    let bound_read = at_most.is_some() || fields.get("at_most").is_none();
    let (from, to, when, on_type) = (from?, to?, when.ok()?, on_type?);
    if !on_read || !bound_read || !edge_fits(&fields, edge, &from, &to, problems) {
        return None;
    }
    let mut drafts = Vec::new();
    for from in from {
        let (on, when, on_type) = (on.map(Label::from), when.clone(), on_type.clone());
        let route = Route { on, when, on_type, at_most, ..Route::to(from, to.clone()) };
        drafts.push(Draft { route, place: Place::of(node), joins: edge == Some(Edge::Join) });
    }
    Some(drafts)
}

/// What ContentFlow calls an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Sequential,
    Parallel,
    Join,
}

fn read_edge(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Edge> {
    let words =
        [("sequential", Edge::Sequential), ("parallel", Edge::Parallel), ("join", Edge::Join)];
    fields.word("type", &words, problems)
}

/// Whether an edge has the ends that its type asks for.
fn edge_fits(
    fields: &Fields<'_>,
    edge: Option<Edge>,
    from: &[StageId],
    to: &Target,
    problems: &mut Vec<Problem>,
) -> bool {
    let branches = matches!(to, Target::FanOut(FanOut { over: Over::Branches(_), .. }));
    let wrong = match edge {
        Some(Edge::Sequential) if branches || from.len() > 1 => {
            Some("type `sequential` leads from one stage to one stage")
        }
        Some(Edge::Parallel) if !branches => Some("type `parallel` leads to a list of stages"),
        Some(Edge::Join) if !matches!(to, Target::Stage(_)) => {
            Some("type `join` leads to one stage")
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        let problem = Problem::new(format!("{}: {wrong}", fields.owner));
        problems.push(problem.at(fields.position));
    }
    wrong.is_none()
}

/// Where it leads from: a stage, or a list of them.
fn read_from(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Vec<StageId>> {
    if fields.get("from").is_some_and(|node| matches!(node.value, Value::List(_))) {
        return read_stages(fields, "from", problems);
    }
    fields.required_text("from", problems).map(|stage| vec![StageId::from(stage)])
}

/// A list of stages, of which there must be one.
fn read_stages(
    fields: &Fields<'_>,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Option<Vec<StageId>> {
    let before = problems.len();
    let texts = fields.texts(key, problems)?;
    if texts.is_empty() && problems.len() == before {
        let place = fields.get(key).map_or(fields.position, |node| node.position);
        let problem = Problem::new(format!("`{key}` of {} is empty", fields.owner));
        problems.push(problem.at(place));
    }
    (problems.len() == before).then(|| texts.into_iter().map(StageId::from).collect())
}

/// Where it leads to: a stage, `done`, several stages at once, or a stage for each item of a list.
fn read_target(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Target> {
    let before = problems.len();
    let each = fields.text("each", problems);
    let item = fields.text("as", problems);
    let join = fields.text("join", problems).map(StageId::from);
    let several = fields.get("to").filter(|node| matches!(node.value, Value::List(_)));
    let over = match (several, each) {
        (Some(_), None) => Some(Over::Branches(read_stages(fields, "to", problems)?)),
        (Some(node), Some(_)) => {
            let message =
                format!("{} has `each` and a list in `to`: items go to one stage", fields.owner);
            problems.push(Problem::new(message).at(node.position));
            None
        }
        (None, Some(list)) => fields.required_text("to", problems).map(|to| Over::Items {
            to: StageId::from(to),
            list: list.to_owned(),
            item: item.unwrap_or(FanOut::ITEM).to_owned(),
        }),
        (None, None) => None,
    };
    if each.is_none() && item.is_some() {
        let message = format!("{} has `as` without `each`", fields.owner);
        problems.push(Problem::new(message).at(fields.position));
    }
    if over.is_none() && join.is_some() {
        let message = format!("{} has a `join`, but makes no children", fields.owner);
        let problem = Problem::new(message).hint("a list in `to`, or `each`, makes children");
        problems.push(problem.at(fields.position));
    }
    let to = match over {
        Some(over) => Target::FanOut(FanOut { over, join }),
        None if problems.len() > before => return None,
        None => match fields.required_text("to", problems)? {
            Target::DONE => Target::Done,
            id => Target::Stage(StageId::from(id)),
        },
    };
    (problems.len() == before).then_some(to)
}

/// The types of a state: one, or a list of them. `None` when they cannot be read.
fn read_types(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let before = problems.len();
    let types = match fields.get("on_type") {
        None => return Some(Vec::new()),
        Some(node) if matches!(node.value, Value::List(_)) => fields.texts("on_type", problems)?,
        Some(_) => vec![fields.text("on_type", problems)?.to_owned()],
    };
    (problems.len() == before).then_some(types)
}
