//! Reads no more of a pipeline file than says where its jobs go.

use super::node::{Entry, Node, Value};
use super::read::{self, Unset};
use super::read_document;
use crate::pipeline::convert;
use crate::pipeline::{Environment, Pipeline, Problems};

/// What only those who run a stage need to know of it.
const WORKERS_KEYS: [&str; 8] = [
    "settings",
    "retry",
    "timeout_seconds",
    "concurrency",
    "max_deliveries",
    "output_params",
    "when",
    "on_failure",
];

impl Pipeline {
    /// Reads where jobs go, of a pipeline that was checked when it was kept. What only those who
    /// run its stages need to know is left at its default, as settings, retries and timeouts, so
    /// that no value of theirs need be at hand.
    ///
    /// A `${NAME}` without a value and a default stays in the name of a queue as it is written.
    /// Anywhere else it is a problem: it would say where jobs go.
    pub fn load_graph(
        origin: &str,
        text: &str,
        environment: &Environment<'_>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let draft =
            read::read(text, environment, Unset::Kept, &mut problems).and_then(|mut document| {
                // What is wrong with it was told when the pipeline was kept.
                convert::adapt(&mut document, &|_| false, &mut Vec::new());
                prune(&mut document);
                read_document(&document, &mut problems)
            });
        problems.sort_by_key(|problem| problem.position);
        match draft {
            Some(draft) if problems.is_empty() => Ok(draft.pipeline),
            _ => Err(Problems { origin: origin.to_owned(), list: problems }),
        }
    }
}

/// Takes away what does not say where jobs go.
fn prune(document: &mut Node) {
    let Value::Mapping(entries) = &mut document.value else { return };
    match entries.iter_mut().find(|entry| entry.key == "pipeline") {
        Some(entry) => prune_pipeline(&mut entry.value),
        None => prune_pipeline(document),
    }
}

fn prune_pipeline(pipeline: &mut Node) {
    let Value::Mapping(entries) = &mut pipeline.value else { return };
    entries.retain(|entry| entry.key != "description");
    for entry in entries.iter_mut().filter(|entry| is_stages(entry)) {
        if let Value::List(stages) = &mut entry.value.value {
            stages.iter_mut().for_each(prune_stage);
        }
    }
}

fn is_stages(entry: &Entry) -> bool {
    matches!(entry.key.as_str(), "stages" | "executors")
}

fn prune_stage(stage: &mut Node) {
    let Value::Mapping(entries) = &mut stage.value else { return };
    entries.retain(|entry| !WORKERS_KEYS.contains(&entry.key.as_str()));
    for queue in entries.iter_mut().filter(|entry| entry.key == "queue") {
        if let Value::Open(text) = &mut queue.value.value {
            queue.value.value = Value::Text(std::mem::take(text));
        }
    }
}
