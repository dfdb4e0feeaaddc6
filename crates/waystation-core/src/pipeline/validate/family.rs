//! What can be wrong with fan-outs and joins. Every route leads from a stage to a stage here.

use std::collections::HashSet;

use super::Findings;
use crate::id::StageId;
use crate::pipeline::{
    CHILDREN_MAX, Catalog, Executor, FanOut, NoJoin, Over, Pipeline, Problem, Route, StageKind,
    Target, Wait,
};

pub(super) fn check(pipeline: &Pipeline, catalog: &dyn Catalog, findings: &mut Findings) {
    for (index, route) in pipeline.routes.iter().enumerate() {
        if let Target::FanOut(fan_out) = &route.to {
            let (key, problem) = match check_fan_out(pipeline, catalog, route, fan_out) {
                Ok(()) => continue,
                Err(found) => found,
            };
            findings.route(index, key, problem);
        }
    }
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let Some(join) = &stage.join else { continue };
        let id = &stage.id;
        if let Some(kind @ (StageKind::Manual | StageKind::Source | StageKind::Foreign)) =
            catalog.kind(&stage.kind)
        {
            let what = match kind {
                StageKind::Manual => "a person does",
                StageKind::Source => "finds items",
                _ => "a foreign program does",
            };
            let problem = Problem::new(format!("stage `{id}` is a join, but {what} its work"))
                .hint("put a stage of type `pass` with the `join` before it");
            findings.stage(index, "join", problem);
        }
        if matches!(catalog.build(stage), Ok(Executor::Pipeline(_))) {
            let message = format!("stage `{id}` is a join, but another pipeline does its work");
            let problem =
                Problem::new(message).hint("put a stage of type `pass` with the `join` before it");
            findings.stage(index, "join", problem);
        }
        let mut fan_outs = pipeline.gathered_at(id).peekable();
        if fan_outs.peek().is_none() {
            let problem = Problem::new(format!(
                "the join `{id}` can never fire: no fan-out makes children that come together there"
            ));
            let hint = "a route makes children by a list in `to`, or by `each`";
            findings.stage(index, "join", problem.hint(hint));
            continue;
        }
        let most = fan_outs.map(children_max).max().unwrap_or(0);
        if let Wait::AtLeast(number) = join.wait
            && number as usize > most
        {
            let problem = Problem::new(format!(
                "the join `{id}` can never fire: it waits for {number} children of {most} at most"
            ));
            findings.stage(index, "join", problem);
        }
    }
}

fn children_max(route: &Route) -> usize {
    match &route.to {
        Target::FanOut(FanOut { over: Over::Branches(stages), .. }) => stages.len(),
        _ => CHILDREN_MAX,
    }
}

/// What is wrong with a fan-out, and the key of the route that says it best.
fn check_fan_out(
    pipeline: &Pipeline,
    catalog: &dyn Catalog,
    route: &Route,
    fan_out: &FanOut,
) -> Result<(), (&'static str, Problem)> {
    let from = &route.from;
    let kind = pipeline.stage(from).and_then(|stage| catalog.kind(&stage.kind));
    if kind == Some(StageKind::Source) {
        let problem = Problem::new(format!("the source stage `{from}` cannot make children"))
            .hint("route it to a stage of type `pass`, and fan out there");
        return Err(("to", problem));
    }
    if kind == Some(StageKind::Foreign) {
        let problem = Problem::new(format!("the foreign stage `{from}` cannot make children"))
            .hint("it forwards by itself: route it to a stage of type `pass`, and fan out there");
        return Err(("to", problem));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = fan_out.stages().find(|stage| !seen.insert(*stage)) {
        let message = format!("the fan-out from `{from}` names `{twice}` twice");
        return Err(("to", Problem::new(message)));
    }
    let join = match pipeline.join_of(fan_out) {
        Ok(None) => return Ok(()),
        Ok(Some(join)) => join,
        Err(NoJoin::Ambiguous(joins)) => {
            let joins: Vec<_> = joins.iter().map(|join| format!("`{join}`")).collect();
            let joins = joins.join(" or ");
            let message = format!(
                "it cannot be told where the children of `{from}` come together: at {joins}, and \
                 not all of them"
            );
            let hint = "name the stage: `join: …`";
            return Err(("to", Problem::new(message).hint(hint)));
        }
    };
    check_join(pipeline, route, fan_out, &join)?;
    match inner_with_same_join(pipeline, fan_out, &join) {
        None => Ok(()),
        Some(inner) => {
            let message = format!(
                "children of `{from}` and children of `{inner}`, which are made of them, come \
                 together at the same join `{join}`"
            );
            let problem = Problem::new(message).hint("give each fan-out a join of its own");
            Err(("to", problem))
        }
    }
}

/// The stage where a child of this fan-out is fanned out again, to the same join.
fn inner_with_same_join<'a>(
    pipeline: &'a Pipeline,
    fan_out: &'a FanOut,
    join: &StageId,
) -> Option<&'a StageId> {
    let mut open: Vec<&StageId> = fan_out.stages().collect();
    let mut seen: HashSet<&StageId> = open.iter().copied().collect();
    while let Some(at) = open.pop() {
        if at == join {
            continue;
        }
        for inner in pipeline.routes.iter().filter(|inner| inner.from == *at) {
            if let Target::FanOut(again) = &inner.to
                && pipeline.join_of(again).ok().flatten().as_ref() == Some(join)
            {
                return Some(&inner.from);
            }
            open.extend(inner.to.stages().filter(|stage| seen.insert(*stage)));
        }
    }
    None
}

fn check_join(
    pipeline: &Pipeline,
    route: &Route,
    fan_out: &FanOut,
    join: &StageId,
) -> Result<(), (&'static str, Problem)> {
    let from = &route.from;
    let Some(stage) = pipeline.stage(join) else {
        let message = format!("the fan-out from `{from}` names the unknown join `{join}`");
        return Err(("join", Problem::new(message)));
    };
    if stage.join.is_none() {
        let message = format!("children of `{from}` are to come together at `{join}`, no join");
        let hint = format!("give stage `{join}` a `join: all`");
        return Err(("join", Problem::new(message).hint(hint)));
    }
    let lost = fan_out
        .stages()
        .find(|start| *start == join || !pipeline.reached_from(start).contains(join));
    if let Some(start) = lost {
        let message = if start == join {
            format!("the fan-out from `{from}` leads straight to its join `{join}`")
        } else {
            format!("no way leads from `{start}` to the join `{join}` of its fan-out")
        };
        return Err(("to", Problem::new(message)));
    }
    Ok(())
}
