//! What can be wrong with the graph as a whole. Every route leads from a stage to a stage here.

use std::collections::{HashMap, HashSet};

use super::{Findings, Subject};
use crate::id::StageId;
use crate::pipeline::{Catalog, Lack, Pipeline, Problem, Stage, StageKind};

pub(super) fn check(pipeline: &Pipeline, catalog: &dyn Catalog, findings: &mut Findings) {
    check_reachable(pipeline, &pipeline.roots(), findings);
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let source = catalog.kind(&stage.kind) == Some(StageKind::Source);
        if source && pipeline.routes_from(&stage.id).next().is_none() {
            let message = format!("no route leads out of the source stage `{}`", stage.id);
            let problem = Problem::new(message).hint("route it to the stage where its jobs start");
            findings.add(Subject::Stage(index, None), problem);
        }
    }
    check_loops(pipeline, catalog, findings);
    check_supply(pipeline, catalog, findings);
}

fn check_reachable(pipeline: &Pipeline, roots: &[&Stage], findings: &mut Findings) {
    let mut targets: HashMap<&str, Vec<&str>> = HashMap::new();
    for route in &pipeline.routes {
        let to = route.to.stages().map(StageId::as_str);
        targets.entry(route.from.as_str()).or_default().extend(to);
    }
    let mut reached: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = roots.iter().map(|stage| stage.id.as_str()).collect();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(targets.get(id).into_iter().flatten());
        }
    }
    for (index, stage) in pipeline.stages.iter().enumerate() {
        if !reached.contains(stage.id.as_str()) {
            let message = format!("stage `{}` can never be reached", stage.id);
            let problem = Problem::new(message).hint("route a stage to it, or remove it");
            findings.add(Subject::Stage(index, None), problem);
        }
    }
}

/// Params that a stage requires and that cannot be there, whatever jobs are submitted with.
fn check_supply(pipeline: &Pipeline, catalog: &dyn Catalog, findings: &mut Findings) {
    for Lack { stage, param, .. } in
        pipeline.lacks(catalog).into_iter().filter(|lack| !lack.can_be_brought)
    {
        let index = pipeline.stages.iter().position(|one| one.id == stage).unwrap_or(0);
        let message = format!(
            "stage `{stage}` requires `{param}`, which no stage before it gives: what jobs are \
             submitted with is replaced on every way there"
        );
        let hint = "`params: merge` keeps what was there before";
        findings.stage(index, "required_params", Problem::new(message).hint(hint));
    }
}

/// Circles that a job could go round for ever: no route of theirs has a bound, and no person stands
/// in the way.
fn check_loops(pipeline: &Pipeline, catalog: &dyn Catalog, findings: &mut Findings) {
    let is_manual = |stage: &Stage| catalog.kind(&stage.kind) == Some(StageKind::Manual);
    let people: HashSet<&str> =
        pipeline.stages.iter().filter(|stage| is_manual(stage)).map(|s| s.id.as_str()).collect();
    let mut onward: HashMap<&str, Vec<(&str, usize)>> = HashMap::new();
    for (index, route) in pipeline.routes.iter().enumerate() {
        if route.at_most.is_none() && !people.contains(route.from.as_str()) {
            let to = route.to.stages().map(|stage| (stage.as_str(), index));
            onward.entry(route.from.as_str()).or_default().extend(to);
            // The job itself goes to where its children come together.
            if let Some(join) = pipeline.join_after(route) {
                onward.entry(route.from.as_str()).or_default().push((join.as_str(), index));
            }
        }
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for stage in &pipeline.stages {
        let mut path = Path { steps: Vec::new(), seen: &mut seen };
        if let Some(circle) = path.walk(stage.id.as_str(), &onward) {
            report_loop(&circle, findings);
        }
    }
}

/// The way to a stage: each stage on it, and the route that it was left by.
struct Path<'a, 'b> {
    steps: Vec<(&'a str, usize)>,
    seen: &'b mut HashSet<&'a str>,
}

impl<'a> Path<'a, '_> {
    /// The first circle that the stages behind this one lie on and that was not seen before.
    fn walk(
        &mut self,
        at: &'a str,
        onward: &HashMap<&'a str, Vec<(&'a str, usize)>>,
    ) -> Option<Vec<(&'a str, usize)>> {
        if let Some(start) = self.steps.iter().position(|(id, _)| *id == at) {
            return Some(self.steps[start..].to_vec());
        }
        if !self.seen.insert(at) {
            return None;
        }
        for (next, route) in onward.get(at).into_iter().flatten() {
            self.steps.push((at, *route));
            let circle = self.walk(next, onward);
            self.steps.pop();
            if circle.is_some() {
                return circle;
            }
        }
        None
    }
}

fn report_loop(circle: &[(&str, usize)], findings: &mut Findings) {
    let ids: Vec<_> = circle.iter().map(|(id, _)| format!("`{id}`")).collect();
    let message = format!("a job could go round for ever: {} → {}", ids.join(" → "), ids[0]);
    let problem = Problem::new(message)
        .hint("say how often one job may take a route of the circle: `at_most: 10`");
    let last = circle.last().map_or(0, |(_, index)| *index);
    findings.route(last, "to", problem);
}
