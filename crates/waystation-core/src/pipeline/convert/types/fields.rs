//! Choosing and naming fields.

use serde_json::json;

use crate::pipeline::convert::executor::Executor;
use crate::pipeline::load::node::{Entry, Node, Value};

/// `field_mapper`: theirs names sources, ours names what comes of them.
pub fn mapper(executor: &mut Executor<'_>) {
    executor.becomes("fields.map");
    if let Some(mappings) = executor.take("mappings") {
        if let Some(pairs) = pairs(&mappings) {
            let entries = pairs.into_iter().map(|(source, target)| {
                let template = format!("{{{}}}", in_params(&source));
                Entry::new(&in_params(&target), Node::text(mappings.position, template))
            });
            let value = Value::Mapping(entries.collect());
            executor.set("fields", Node { position: mappings.position, value });
        } else {
            let message = "`mappings` must map names of fields to names".to_owned();
            executor.gap_at(&mappings, message);
        }
    }
    let position = executor.position();
    executor.set("optional", Node { position, value: Value::Boolean(true) });
    executor.expect("copy_mode", &[json!("copy")]);
    for name in ["object_mappings", "source_id_mappings"] {
        executor.expect(name, &[json!(""), json!("{}")]);
    }
    executor.expect("nested_delimiter", &[json!(".")]);
    executor.expect("overwrite_existing", &[json!(true)]);
    executor.ignore(&["create_nested", "template_fields", "list_handling", "join_separator"]);
    executor.ignore(&["merge_filter_empty"]);
    for name in ["merge_deduplicate", "fail_on_missing_source", "remove_empty_objects"] {
        executor.expect(name, &[json!(false)]);
    }
    executor.keep(&["fields", "optional"]);
}

/// Sources and targets, as a mapping or as the JSON text of one.
fn pairs(node: &Node) -> Option<Vec<(String, String)>> {
    let value = match node.as_text() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => node.to_json(),
    };
    let pairs = value.as_object()?.iter();
    pairs.map(|(from, to)| Some((from.clone(), to.as_str()?.to_owned()))).collect()
}

/// `field_selector`.
pub fn selector(executor: &mut Executor<'_>) {
    executor.becomes("fields.select");
    let position = executor.position();
    executor.say("params", Node::text(position, "replace"));
    let excludes = match executor.take("mode") {
        Some(mode) => mode.as_text() == Some("exclude"),
        None => false,
    };
    if let Some(fields) = executor.take("fields") {
        match names(&fields) {
            Some(names) if names.iter().any(|name| name.contains('*')) => {
                let message = "`fields` has a pattern, where names are due".to_owned();
                executor.gap_at(&fields, message);
            }
            Some(names) => {
                let text = |name: &String| Node::text(fields.position, in_params(name));
                let value = Value::List(names.iter().map(text).collect());
                let key = if excludes { "drop" } else { "keep" };
                executor.set(key, Node { position: fields.position, value });
            }
            None => executor.gap_at(&fields, "`fields` must list names of fields".to_owned()),
        }
    }
    let fails = executor.take("fail_on_missing_field");
    if !excludes && !fails.is_some_and(|node| matches!(node.value, Value::Boolean(true))) {
        executor.set("optional", Node { position, value: Value::Boolean(true) });
    }
    executor.expect("nested_delimiter", &[json!(".")]);
    executor.ignore(&["preserve_structure", "keep_id_fields"]);
    executor.note("what is not kept is gone from the params, what a source gave too");
    executor.ignore(&["condition_field", "condition_operator", "condition_value"]);
    for name in ["conditional_selection", "bulk_operations", "add_selection_metadata"] {
        executor.expect(name, &[json!(false)]);
    }
    executor.keep(&["keep", "drop", "optional"]);
}

/// Names in a list, or in the JSON text of one.
fn names(node: &Node) -> Option<Vec<String>> {
    let value = match node.as_text() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => node.to_json(),
    };
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What lies in the data of their content lies in the params.
fn in_params(field: &str) -> String {
    field.strip_prefix("data.").unwrap_or(field).to_owned()
}
