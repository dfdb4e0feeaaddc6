//! What can be wrong with a route, by itself or beside the other routes out of its stage.

use std::collections::HashMap;

use super::{Findings, Subject};
use crate::id::Label;
use crate::pipeline::nearest::nearest;
use crate::pipeline::{Catalog, Pipeline, Problem, Route, StageKind, Target};

/// Whether every route leads from a stage to a stage, each of them only once there, so that the
/// graph can be looked at.
pub(super) fn check(pipeline: &Pipeline, catalog: &dyn Catalog, findings: &mut Findings) -> bool {
    let mut kinds = HashMap::new();
    for stage in &pipeline.stages {
        kinds.insert(stage.id.as_str(), catalog.kind(&stage.kind));
    }
    let mut sound = kinds.len() == pipeline.stages.len();
    let ends = Ends { pipeline, kinds };
    let mut earlier: HashMap<&str, Vec<&Route>> = HashMap::new();
    for (index, route) in pipeline.routes.iter().enumerate() {
        sound &= ends.check_from(index, route, findings);
        sound &= ends.check_to(index, route, findings);
        if let (Some(_), Some(Some(kind @ (StageKind::Foreign | StageKind::Source)))) =
            (route.at_most, ends.kinds.get(route.from.as_str()))
        {
            let what = if *kind == StageKind::Source { "source" } else { "foreign" };
            let message = format!(
                "the route from the {what} stage `{}` has a bound, which nobody counts there",
                route.from
            );
            let problem = Problem::new(message).hint("put it on another route of the circle");
            findings.route(index, "at_most", problem);
        }
        if route.at_most == Some(0) {
            let message = format!("the route from `{}` is taken at most 0 times", route.from);
            findings.route(index, "at_most", Problem::new(message));
        }
        if route.on.as_ref().is_some_and(|on| on.as_str().is_empty()) {
            let message = format!("the route from `{}` is for an empty label", route.from);
            findings.route(index, "on", Problem::new(message));
        }
        let earlier = earlier.entry(route.from.as_str()).or_default();
        if let Some(first) = earlier.iter().find(|first| covers(first, route)) {
            findings.route(index, "from", never_taken(route, first));
        }
        earlier.push(route);
    }
    check_labels(pipeline, findings);
    sound
}

/// Stages whose routes leave out what every attempt may end with.
fn check_labels(pipeline: &Pipeline, findings: &mut Findings) {
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let mut labels = pipeline.routes_from(&stage.id).map(|route| route.on.as_ref()).peekable();
        let some = labels.peek().is_some();
        if some && labels.all(|on| on.is_some_and(|on| !["", Label::OK].contains(&on.as_str()))) {
            let message = format!("no route leads out of stage `{}` for the label `ok`", stage.id);
            let problem = Problem::new(message)
                .hint("every stage may end with `ok`: route it, to `done` if the job ends there");
            findings.add(Subject::Stage(index, None), problem);
        }
    }
}

/// The stages that routes may lead from and to.
struct Ends<'a> {
    pipeline: &'a Pipeline,
    kinds: HashMap<&'a str, Option<StageKind>>,
}

impl Ends<'_> {
    fn check_from(&self, index: usize, route: &Route, findings: &mut Findings) -> bool {
        let from = route.from.as_str();
        if from == Target::DONE {
            let problem = Problem::new("a route leads out of `done`, where jobs end");
            findings.route(index, "from", problem);
            return false;
        }
        let known = self.kinds.contains_key(from);
        if !known {
            findings.route(index, "from", self.unknown("from", from));
        }
        known
    }

    fn check_to(&self, index: usize, route: &Route, findings: &mut Findings) -> bool {
        let from = route.from.as_str();
        if route.to == Target::Done && self.kind(from) == Some(StageKind::Source) {
            let message = format!("jobs of the source stage `{from}` would end unworked");
            let problem = Problem::new(message).hint("route it to a stage");
            findings.route(index, "to", problem);
        }
        let mut known = true;
        for to in route.to.stages() {
            if to.as_str() == Target::DONE {
                let message = format!("the fan-out from `{from}` leads to `done`, where jobs end");
                let hint = "name stages only: a child that comes to a last stage ends by itself";
                findings.route(index, "to", Problem::new(message).hint(hint));
                known = false;
            } else if !self.kinds.contains_key(to.as_str()) {
                findings.route(index, "to", self.unknown("to", to.as_str()));
                known = false;
            } else if self.kind(to.as_str()) == Some(StageKind::Source) {
                let message = format!("a route leads from `{from}` to the source stage `{to}`");
                let problem =
                    Problem::new(message).hint("a source stage makes jobs, it does not take any");
                findings.route(index, "to", problem);
            }
        }
        known
    }

    fn kind(&self, id: &str) -> Option<StageKind> {
        self.kinds.get(id).copied().flatten()
    }

    fn unknown(&self, end: &str, id: &str) -> Problem {
        let known = self.pipeline.stages.iter().map(|stage| stage.id.as_str());
        let problem = Problem::new(format!("a route leads {end} the unknown stage `{id}`"));
        let done = (end == "to").then_some(Target::DONE);
        match nearest(id, known.chain(done)) {
            Some(name) => problem.hint(format!("did you mean `{name}`?")),
            None => problem,
        }
    }
}

/// Whether every job that could take `later` has already taken `first`.
fn covers(first: &Route, later: &Route) -> bool {
    let labels = match (&first.on, &later.on) {
        (None, None) => true,
        (None, Some(later)) => later.as_str() != "ko",
        (Some(first), Some(later)) => first == later,
        (Some(_), None) => false,
    };
    let same_condition = match (&first.when, &later.when) {
        (None, _) => true,
        (Some(first), Some(later)) => first.source() == later.source(),
        (Some(_), None) => false,
    };
    let types = first.on_type.is_empty()
        || (!later.on_type.is_empty() && later.on_type.iter().all(|t| first.on_type.contains(t)));
    labels && same_condition && types && first.at_most.is_none()
}

fn never_taken(route: &Route, first: &Route) -> Problem {
    let label = |on: &Option<Label>| on.clone().unwrap_or_default();
    let problem = Problem::new(format!(
        "the route from `{}` {} is never taken: an earlier one {} takes every such job",
        route.from,
        quoted(route),
        quoted(first)
    ));
    let plain = first.is_plain() && label(&first.on) == label(&route.on);
    if plain && first.to != route.to {
        problem.hint(
            "the first route that fits is taken: choose between them with `on` or `when`, or \
             take both at once with a list in `to`",
        )
    } else {
        problem.hint("put the narrower route first, or remove this one")
    }
}

/// The route in words, its target in backticks.
fn quoted(route: &Route) -> String {
    format!("to `{}`{}", route.to.describe(), route.conditions())
}
