//! Pipeline files of ContentFlow: read as they are, or written in our form.
//!
//! A file is one of theirs when it has `executors`. Its tree is changed in place (`adapt`): types
//! and settings by a table (`types`), conditions into CEL (`condition`), edges into routes
//! (`edges`). What has no counterpart is a remark: a problem when the file is to be run, a comment
//! when it is written (`write`).

mod condition;
mod edges;
mod executor;
mod remark;
#[cfg(test)]
mod tests;
mod token;
mod types;
mod write;

use super::load::node::{Entry, Node, Value};
use super::load::read::{self, Unset};
use super::{Catalog, Problem, Problems};

pub use remark::Remark;

use remark::Remarks;
use types::Types;

/// A file in our form.
#[derive(Debug)]
pub struct Converted {
    /// The pipeline's name, where it has one.
    pub name: Option<String>,
    /// The file, with a comment for each remark.
    pub text: String,
    /// What is not as it was.
    pub remarks: Vec<Remark>,
}

impl Converted {
    /// Whether something has no counterpart here.
    pub fn has_gaps(&self) -> bool {
        self.remarks.iter().any(|remark| remark.is_gap)
    }
}

/// Writes a pipeline file in our form. Placeholders stay as they are. Of a file with several
/// pipelines, one must be named. The catalog knows which types there are here.
pub fn convert(
    origin: &str,
    text: &str,
    name: Option<&str>,
    catalog: &dyn Catalog,
) -> Result<Converted, Problems> {
    let mut problems = Vec::new();
    let nothing = |_: &str| None;
    let document = read::read(text, &nothing, Unset::Verbatim, &mut problems);
    let pipeline = document.and_then(|document| one_of(document, name, &mut problems));
    let refused = |mut list: Vec<Problem>| {
        list.sort_by_key(|problem| problem.position);
        Problems { origin: origin.to_owned(), list }
    };
    let Some(mut pipeline) = pipeline.filter(|_| problems.is_empty()) else {
        return Err(refused(problems));
    };
    let mut remarks = Remarks::default();
    let ours = |stage_type: &str| catalog.kind(stage_type).is_some();
    let types = Types { kept: &|_| false, ours: &ours };
    adapt_pipeline(&mut pipeline, &types, &mut remarks);
    let text = write::file(&mut pipeline, &mut remarks);
    let name = pipeline.get("name").and_then(Node::as_text).map(str::to_owned);
    Ok(Converted { name, text, remarks: remarks.list })
}

/// The pipeline that is meant.
fn one_of(document: Node, name: Option<&str>, problems: &mut Vec<Problem>) -> Option<Node> {
    let position = document.position;
    let mut refuse = |message: String| problems.push(Problem::new(message).at(position));
    let Value::Mapping(entries) = document.value else {
        refuse(format!("the file must hold a mapping, not {}", document.describe()));
        return None;
    };
    let wrapped = |key: &str| entries.iter().find(|entry| entry.key == key).cloned();
    let all = match (wrapped("pipelines"), wrapped("pipeline")) {
        (Some(Entry { value: Node { value: Value::List(all), .. }, .. }), _) => all,
        (_, Some(entry)) => vec![entry.value],
        (_, None) => vec![Node { position, value: Value::Mapping(entries) }],
    };
    let named = |node: &Node| node.get("name").and_then(Node::as_text).unwrap_or("?").to_owned();
    let names: Vec<String> = all.iter().map(named).collect();
    let mut found = all.into_iter().filter(|node| name.is_none_or(|name| named(node) == name));
    match (found.next(), found.next()) {
        (Some(one), None) if one.entries().is_some() => Some(one),
        (Some(_), None) => {
            refuse("the pipeline is no mapping".to_owned());
            None
        }
        (None, _) => {
            let name = name.unwrap_or_default();
            refuse(format!("there is no pipeline `{name}` (there are: {})", names.join(", ")));
            None
        }
        (Some(_), Some(_)) => {
            refuse(format!("the file has several pipelines: name one of {}", names.join(", ")));
            None
        }
    }
}

/// Makes a file of theirs one that is read here; others stay as they are. Types that are `known`
/// keep their names and settings.
pub(super) fn adapt(
    document: &mut Node,
    known: &dyn Fn(&str) -> bool,
    problems: &mut Vec<Problem>,
) {
    if let Some(Value::List(all)) = document.get_mut("pipelines").map(|node| &mut node.value)
        && all.len() == 1
    {
        *document = all.remove(0);
    }
    let pipeline = match document.get("pipeline") {
        Some(_) => document.get_mut("pipeline"),
        None => Some(document),
    };
    let mut remarks = Remarks::default();
    if let Some(pipeline) = pipeline {
        // Whoever reads the stages says which types there are.
        let types = Types { kept: known, ours: &|_| true };
        adapt_pipeline(pipeline, &types, &mut remarks);
    }
    problems.extend(remarks.list.into_iter().filter(|remark| remark.is_gap).map(Remark::problem));
}

fn adapt_pipeline(pipeline: &mut Node, types: &Types<'_>, remarks: &mut Remarks) {
    if pipeline.get("executors").is_none() {
        return;
    }
    if let Some(Value::List(executors)) = pipeline.get_mut("executors").map(|node| &mut node.value)
    {
        for executor in executors.iter_mut() {
            executor::adapt(executor, types, remarks);
        }
    }
    edges::adapt(pipeline, remarks);
}
