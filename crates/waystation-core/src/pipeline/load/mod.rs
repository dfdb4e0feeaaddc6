//! Reads pipeline files: YAML, and JSON as a part of it.
//!
//! The text becomes a tree in which every value knows its place (`read`), the tree becomes the
//! model (`stage`, `route`), and the model is checked as one built in Rust would be. Whatever is
//! wrong is gathered on the way and told at once, in the order of the file.

mod condition;
mod fields;
mod graph;
mod join;
mod keyed;
mod leaves;
pub(super) mod node;
pub(super) mod read;
mod route;
pub(super) mod scalar;
mod schedule;
mod stage;
#[cfg(test)]
pub(in crate::pipeline) mod tests;

use std::collections::HashMap;

pub use leaves::{Leaf, leaves};

use fields::Fields;
use node::{Entry, Node, Value};
use read::Unset;

use super::convert;
use super::environment::Environment;
use super::nearest::nearest;
use super::validate::{self, Scope, Subject};
use super::{Catalog, Defaults, Pipeline, Position, Problem, Problems, Route, StageKind, Target};
use crate::id::StageId;
use crate::schedule::Schedule;

/// The longest pipeline file, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// How deep lists and mappings may be nested.
pub const DEPTH_MAX: usize = 64;
/// How much anchored values and their repetitions may hold together, in bytes.
pub const ALIAS_COST_MAX: usize = 4 * 1024 * 1024;
/// The longest timeout or wait: a year.
pub const SECONDS_MAX: u32 = 365 * 24 * 60 * 60;
/// The most retries or deliveries that a stage may ask for.
pub const COUNT_MAX: u32 = 10_000;

const KEYS: [&str; 8] = [
    "name",
    "description",
    "stages",
    "executors",
    "routes",
    "edges",
    "execution_sequence",
    "type_param",
];

impl Pipeline {
    /// Reads a pipeline file, or tells everything that is wrong with it.
    ///
    /// `origin` names the file in messages; `environment` gives the values of `${NAME}`.
    pub fn load(
        origin: &str,
        text: &str,
        environment: &Environment<'_>,
        catalog: &dyn Catalog,
    ) -> Result<Self, Problems> {
        Self::load_with(origin, text, environment, catalog, &Defaults::default())
    }

    /// The same, with these values for stages that do not say them.
    pub fn load_with(
        origin: &str,
        text: &str,
        environment: &Environment<'_>,
        catalog: &dyn Catalog,
        defaults: &Defaults,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let known = |stage_type: &str| catalog.kind(stage_type).is_some();
        let document = read::read(text, environment, Unset::Refused, &mut problems);
        let draft = document.and_then(|mut document| {
            convert::adapt(&mut document, &known, &mut problems);
            read_document(&document, &mut problems)
        });
        if let Some(draft) = &draft {
            let findings = validate::findings(&draft.pipeline, catalog, &draft.scope);
            let placed = findings
                .into_iter()
                .map(|finding| finding.problem.at(draft.places.find(&finding.subject)));
            problems.extend(placed);
        }
        problems.sort_by_key(|problem| problem.position);
        match draft {
            Some(draft) if problems.is_empty() => Ok(draft.finish(catalog, defaults)),
            _ => Err(Problems { origin: origin.to_owned(), list: problems }),
        }
    }
}

/// A pipeline as far as it could be read.
struct Draft {
    pipeline: Pipeline,
    places: Places,
    /// What is whole enough to be checked.
    scope: Scope,
}

/// Where the parts of a pipeline stand.
struct Places {
    pipeline: Place,
    stages: Vec<Place>,
    routes: Vec<Place>,
}

/// Where one part stands, and the values below it by their keys.
#[derive(Clone)]
struct Place {
    position: Position,
    keys: HashMap<String, Position>,
}

impl Place {
    fn of(node: &Node) -> Self {
        let mut place = Self::at(node.position);
        if let Value::Mapping(entries) = &node.value {
            place.add("", entries);
        }
        place
    }

    fn at(position: Position) -> Self {
        Self { position, keys: HashMap::new() }
    }

    fn add(&mut self, prefix: &str, entries: &[Entry]) {
        for entry in entries {
            let key = format!("{prefix}{}", entry.key);
            self.keys.insert(key, entry.value.position);
        }
    }

    fn find(&self, key: Option<&str>) -> Position {
        key.and_then(|key| self.keys.get(key).copied()).unwrap_or(self.position)
    }
}

impl Places {
    fn find(&self, subject: &Subject) -> Position {
        let (place, key) = match subject {
            Subject::Pipeline(key) => (Some(&self.pipeline), key),
            Subject::Stage(index, key) => (self.stages.get(*index), key),
            Subject::Route(index, key) => (self.routes.get(*index), key),
        };
        place.unwrap_or(&self.pipeline).find(key.as_deref())
    }
}

fn read_document(document: &Node, problems: &mut Vec<Problem>) -> Option<Draft> {
    let Value::Mapping(entries) = &document.value else {
        let message = format!("the file must hold a mapping, not {}", document.describe());
        problems.push(Problem::new(message).at(document.position));
        return None;
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key == "pipelines") {
        let problem = Problem::new("`pipelines`: a file holds one pipeline").hint(
            "give each pipeline a file of its own, under the key `pipeline`: `waystation pipelines \
             convert FILE --name NAME` does it",
        );
        problems.push(problem.at(entry.position));
        return None;
    }
    match entries.iter().find(|entry| entry.key == "pipeline") {
        Some(entry) => {
            Fields::open(document, "the file".to_owned(), &["pipeline"], problems);
            read_pipeline(&entry.value, problems)
        }
        None => read_pipeline(document, problems),
    }
}

fn read_pipeline(node: &Node, problems: &mut Vec<Problem>) -> Option<Draft> {
    let fields = Fields::open(node, "the pipeline".to_owned(), &KEYS, problems)?;
    let name = fields.required_text("name", problems);
    let description = fields.text("description", problems).map(str::to_owned);
    let mut draft = Draft {
        pipeline: Pipeline { description, ..Pipeline::new(name.unwrap_or_default(), Vec::new()) },
        places: Places { pipeline: Place::of(node), stages: Vec::new(), routes: Vec::new() },
        scope: Scope { name: name.is_some(), ..Scope::default() },
    };
    if let Some(name) = fields.text("type_param", problems) {
        draft.pipeline.type_param = name.to_owned();
    }
    if let Some(stages) = fields.either("stages", "executors", problems) {
        draft.read_stages(fields.list("stages", stages, problems), problems);
        draft.scope.stages &= matches!(stages.value, Value::List(_));
    }
    let routes = fields.either("routes", "edges", problems);
    let routes = routes.filter(|routes| !matches!(&routes.value, Value::List(l) if l.is_empty()));
    match (routes, fields.get("execution_sequence")) {
        (None, None) => draft.chain(),
        (None, Some(sequence)) => {
            let items = fields.list("execution_sequence", sequence, problems);
            draft.scope.routes &= matches!(sequence.value, Value::List(_));
            draft.read_sequence(items, problems);
        }
        (Some(routes), sequence) => {
            if let Some(sequence) = sequence {
                let message = "the pipeline has routes and an `execution_sequence`";
                let problem = Problem::new(message).hint("keep the one that is meant");
                problems.push(problem.at(sequence.position));
            }
            draft.scope.routes &= matches!(routes.value, Value::List(_));
            draft.read_routes(fields.list("routes", routes, problems), problems);
        }
    }
    Some(draft)
}

impl Draft {
    /// The pipeline, with what holds for stages that do not say it. People and sources make no
    /// attempts, and only sources look.
    fn finish(mut self, catalog: &dyn Catalog, defaults: &Defaults) -> Pipeline {
        for (stage, place) in self.pipeline.stages.iter_mut().zip(&self.places.stages) {
            let says = |key: &str| place.keys.contains_key(key);
            if catalog.kind(&stage.kind) == Some(StageKind::Source) {
                let looks = says("schedule") || says("settings.polling_interval_seconds");
                let looks = looks || catalog.is_hook(&stage.kind);
                let every = catalog.look_every(&stage.kind).or(defaults.look_every);
                if let Some(every) = every.filter(|_| !looks) {
                    stage.schedule = Some(Schedule::Every(every));
                }
                continue;
            }
            if let Some(count) = defaults.max_retries.filter(|_| !says("retry.max_retries")) {
                stage.retry.max_retries = count;
            }
            stage.timeout = stage.timeout.or(defaults.timeout);
        }
        self.pipeline
    }

    fn read_stages(&mut self, items: &[Node], problems: &mut Vec<Problem>) {
        for (index, item) in items.iter().enumerate() {
            let Some(draft) = stage::read(item, index, problems) else {
                self.scope.stages = false;
                continue;
            };
            if !draft.settings_read {
                self.scope.unbuilt.insert(self.pipeline.stages.len());
            }
            self.pipeline.stages.push(draft.stage);
            self.places.stages.push(draft.place);
        }
    }

    fn read_routes(&mut self, items: &[Node], problems: &mut Vec<Problem>) {
        for (index, item) in items.iter().enumerate() {
            let Some(drafts) = route::read(item, index, problems) else {
                self.scope.routes = false;
                continue;
            };
            for route::Draft { route, place, joins } in drafts {
                if joins {
                    self.join_at(&route.to);
                }
                self.pipeline.routes.push(route);
                self.places.routes.push(place);
            }
        }
    }

    /// An edge of type `join` makes a join of the stage that it leads to.
    fn join_at(&mut self, target: &Target) {
        for stage in self.pipeline.stages.iter_mut().filter(|stage| target.leads_to(&stage.id)) {
            stage.join.get_or_insert_default();
        }
    }

    /// Routes from each stage of a sequence to the next.
    fn read_sequence(&mut self, items: &[Node], problems: &mut Vec<Problem>) {
        let mut ids: Vec<&str> = Vec::new();
        for item in items {
            let known = || self.pipeline.stages.iter().map(|stage| stage.id.as_str());
            let problem = match &item.value {
                Value::Text(id) if ids.contains(&id.as_str()) => {
                    Problem::new(format!("stage `{id}` stands twice in `execution_sequence`"))
                        .hint("write `routes` to come back to a stage")
                }
                Value::Text(id) if !self.scope.stages || known().any(|stage| stage == id) => {
                    ids.push(id);
                    continue;
                }
                Value::Text(id) => {
                    let problem = Problem::new(format!(
                        "`execution_sequence` names the unknown stage `{id}`"
                    ));
                    match nearest(id, known()) {
                        Some(name) => problem.hint(format!("did you mean `{name}`?")),
                        None => problem,
                    }
                }
                Value::Broken => {
                    self.scope.routes = false;
                    continue;
                }
                _ => Problem::new(format!(
                    "`execution_sequence` must list names of stages, not {}",
                    item.describe()
                )),
            };
            problems.push(problem.at(item.position));
            self.scope.routes = false;
        }
        let place = items.first().map_or(self.places.pipeline.position, |item| item.position);
        for pair in ids.windows(2) {
            self.pipeline.routes.push(Route::new(pair[0], pair[1]));
            self.places.routes.push(Place::at(place));
        }
    }

    /// Routes from each stage to the next, in the order that they were declared.
    fn chain(&mut self) {
        let ids: Vec<StageId> = self.pipeline.stages.iter().map(|stage| stage.id.clone()).collect();
        for (index, pair) in ids.windows(2).enumerate() {
            let route = Route::new(pair[0].clone(), pair[1].clone());
            self.pipeline.routes.push(route);
            let place = Place::at(self.places.stages[index + 1].position);
            self.places.routes.push(place);
        }
    }
}
