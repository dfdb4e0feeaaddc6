//! What can be wrong with the graph as a whole. Every route leads from a stage to a stage here.

use std::collections::{HashMap, HashSet};

use super::{Findings, Subject};
use crate::pipeline::{Catalog, Pipeline, Problem, Stage, StageKind, Target};

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
    check_endless(pipeline, findings);
}

fn check_reachable(pipeline: &Pipeline, roots: &[&Stage], findings: &mut Findings) {
    let mut targets: HashMap<&str, Vec<&str>> = HashMap::new();
    for route in &pipeline.routes {
        if let Target::Stage(to) = &route.to {
            targets.entry(route.from.as_str()).or_default().push(to.as_str());
        }
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

/// Cycles that a job can never leave: at each of their stages the one route onward is taken
/// whatever the outcome. A single labelled or conditional route makes a cycle a choice.
fn check_endless(pipeline: &Pipeline, findings: &mut Findings) {
    let mut free: HashSet<&str> = HashSet::new();
    let mut onward: HashMap<&str, (usize, &str)> = HashMap::new();
    for (index, route) in pipeline.routes.iter().enumerate() {
        let from = route.from.as_str();
        let plain = route.on.is_none() && route.when.is_none();
        match &route.to {
            Target::Stage(to) if plain => {
                onward.entry(from).or_insert((index, to.as_str()));
            }
            // It comes too late: the plain route before it takes every job.
            Target::Done if plain && onward.contains_key(from) => {}
            _ => _ = free.insert(from),
        }
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for stage in &pipeline.stages {
        let mut path: Vec<(&str, usize)> = Vec::new();
        let mut at = stage.id.as_str();
        while !free.contains(at) {
            let Some((index, next)) = onward.get(at) else { break };
            if let Some(start) = path.iter().position(|(id, _)| *id == at) {
                report_cycle(&path[start..], findings);
                break;
            }
            if !seen.insert(at) {
                break;
            }
            path.push((at, *index));
            at = next;
        }
    }
}

fn report_cycle(cycle: &[(&str, usize)], findings: &mut Findings) {
    let ids: Vec<_> = cycle.iter().map(|(id, _)| format!("`{id}`")).collect();
    let message = format!("a job would go round for ever: {} → {}", ids.join(" → "), ids[0]);
    let problem = Problem::new(message).hint("let a route with `on` or `when` lead out of it");
    let last = cycle.last().map_or(0, |(_, index)| *index);
    findings.route(last, "to", problem);
}
