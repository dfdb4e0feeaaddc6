//! What can be wrong with a pipeline as a whole, however it was made.
//!
//! The checks are pure and never stop at the first problem. Each finding says which part it is
//! about, so that the loader of pipeline files can add the place.

mod family;
mod graph;
mod route;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::{Catalog, Pipeline, Problem};

/// The most stages of a pipeline.
pub const STAGES_MAX: usize = 1000;
/// The most routes of a pipeline.
pub const ROUTES_MAX: usize = 5000;
/// The longest name of a pipeline or a stage, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// The part of a pipeline that a finding is about, and the key below it that says it best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The whole.
    Pipeline(Option<String>),
    /// The stage at this index.
    Stage(usize, Option<String>),
    /// The route at this index.
    Route(usize, Option<String>),
}

/// Something that is wrong, and with what.
#[derive(Debug)]
pub(super) struct Finding {
    /// With what.
    pub subject: Subject,
    /// What.
    pub problem: Problem,
}

/// Which parts are whole. What was only read in part has its problem told already; the checks
/// that depend on it would repeat that in other words.
#[derive(Debug)]
pub(super) struct Scope {
    /// The name.
    pub name: bool,
    /// The list of stages.
    pub stages: bool,
    /// The list of routes.
    pub routes: bool,
    /// The stages whose executors cannot be built, by index.
    pub unbuilt: HashSet<usize>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { name: true, stages: true, routes: true, unbuilt: HashSet::new() }
    }
}

impl Pipeline {
    /// Everything that is wrong with this pipeline; nothing when it can run.
    pub fn check(&self, catalog: &dyn Catalog) -> Vec<Problem> {
        findings(self, catalog, &Scope::default())
            .into_iter()
            .map(|finding| finding.problem)
            .collect()
    }
}

/// Everything that is wrong with those parts of a pipeline that are whole.
pub(super) fn findings(pipeline: &Pipeline, catalog: &dyn Catalog, scope: &Scope) -> Vec<Finding> {
    let mut findings = Findings::default();
    if scope.name {
        let name = pipeline.name.as_str();
        if let Some(problem) = check_name("the pipeline's name", name) {
            findings.add(Subject::Pipeline(Some("name".to_owned())), problem);
        }
    }
    if scope.stages && pipeline.stages.is_empty() {
        let problem = Problem::new("the pipeline has no stages");
        findings.add(Subject::Pipeline(Some("stages".to_owned())), problem);
        return findings.list;
    }
    if !within_limits(pipeline, &mut findings) {
        return findings.list;
    }
    stage::check(pipeline, catalog, scope, &mut findings);
    let sound = scope.stages && route::check(pipeline, catalog, &mut findings);
    if sound && scope.routes {
        graph::check(pipeline, catalog, &mut findings);
        family::check(pipeline, catalog, &mut findings);
    }
    findings.list
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, subject: Subject, problem: Problem) {
        self.list.push(Finding { subject, problem });
    }

    fn stage(&mut self, index: usize, key: &str, problem: Problem) {
        self.add(Subject::Stage(index, Some(key.to_owned())), problem);
    }

    fn route(&mut self, index: usize, key: &str, problem: Problem) {
        self.add(Subject::Route(index, Some(key.to_owned())), problem);
    }
}

fn within_limits(pipeline: &Pipeline, findings: &mut Findings) -> bool {
    let counts = [
        ("stages", pipeline.stages.len(), STAGES_MAX),
        ("routes", pipeline.routes.len(), ROUTES_MAX),
    ];
    let mut within = true;
    for (what, count, most) in counts {
        if count > most {
            let message = format!("the pipeline has {count} {what}, more than {most}");
            let subject = Subject::Pipeline(Some(what.to_owned()));
            findings.add(subject, Problem::new(message));
            within = false;
        }
    }
    within
}

/// Names become parts of queue names, `pipeline.stage`, on every kind of queue: so no dots, and
/// only letters that all of them take.
fn check_name(what: &str, name: &str) -> Option<Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() {
        return Some(Problem::new(format!("{what} is empty")));
    }
    if name.len() > NAME_BYTES_MAX {
        let message = format!("{what} has {} bytes, more than {NAME_BYTES_MAX}", name.len());
        return Some(Problem::new(message));
    }
    if name.chars().all(fits) {
        return None;
    }
    let better: String = name
        .split(|c: char| !fits(c))
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    let problem = Problem::new(format!(
        "{what} `{name}` may only hold letters from a to z, digits, `_` and `-`"
    ));
    Some(if better.is_empty() { problem } else { problem.hint(format!("for example `{better}`")) })
}
