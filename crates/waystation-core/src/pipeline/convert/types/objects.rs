//! Finding and fetching objects.

use serde_json::json;

use super::is_nothing;
use crate::pipeline::convert::executor::Executor;
use crate::pipeline::load::node::{Entry, Node, Value};

/// `azure_blob_input_discovery`: a job for each object, in place of a task for each batch.
pub fn discovery(executor: &mut Executor<'_>) {
    executor.becomes("objects");
    if let Some(container) = executor.take("blob_container_name") {
        let url = match container.value {
            Value::Text(name) => Value::Text(format!("az://{name}")),
            Value::Open(name) => Value::Open(format!("az://{name}")),
            other => other,
        };
        executor.set("url", Node { value: url, ..container });
    }
    let mut options = Vec::new();
    for (theirs, ours) in [
        ("blob_storage_account", "azure_storage_account_name"),
        ("blob_storage_account_key", "azure_storage_account_key"),
    ] {
        options.extend(executor.take(theirs).map(|value| Entry::new(ours, value)));
    }
    if let Some(first) = options.first() {
        let position = first.position;
        executor.set("options", Node { position, value: Value::Mapping(options) });
    }
    executor.ignore(&["blob_storage_credential_type", "include_metadata"]);
    executor.expect("discover_mode", &[json!("files")]);
    if let Some(endings) = executor.take("file_extensions") {
        let value = match endings.as_text().filter(|_| !is_nothing(&endings.value)) {
            Some(text) => {
                let ending = |text: &str| text.trim().trim_start_matches('.').to_owned();
                let items = text.split(',').map(|item| Node::text(endings.position, ending(item)));
                Value::List(items.collect())
            }
            None => endings.value.clone(),
        };
        if !is_nothing(&value) {
            executor.set("extensions", Node { value, ..endings });
        }
    }
    for (theirs, ours) in [
        ("max_depth", "max_depth"),
        ("max_results", "max_results"),
        ("min_size_bytes", "min_bytes"),
        ("max_size_bytes", "max_bytes"),
        ("prefix", "prefix"),
        ("modified_after", "modified_after"),
        ("modified_before", "modified_before"),
    ] {
        if let Some(value) = executor.take(theirs).filter(|node| !is_nothing(&node.value)) {
            executor.set(ours, in_utc(ours, value));
        }
    }
    if let Some(order) = executor.take("sort_by") {
        let is_time = order.as_text() == Some("last_modified");
        let order = if is_time { Node::text(order.position, "modified") } else { order };
        executor.set("sort_by", order);
    }
    executor.keep(&[
        "url",
        "options",
        "extensions",
        "max_depth",
        "max_results",
        "min_bytes",
        "max_bytes",
        "prefix",
        "modified_after",
        "modified_before",
        "sort_by",
        "sort_ascending",
        "polling_interval_seconds",
    ]);
}

/// A moment without a zone is one of UTC there.
fn in_utc(name: &str, node: Node) -> Node {
    match &node.value {
        Value::Text(text) if name.starts_with("modified") && text.len() == 19 => {
            Node::text(node.position, format!("{text}Z"))
        }
        _ => node,
    }
}

/// `content_retriever`: stages read documents from where they lie.
pub fn retriever(executor: &mut Executor<'_>) {
    executor.becomes("pass");
    executor.ignore(&["temp_folder", "use_temp_file_for_content"]);
    executor.expect("include_content_bytes_as_field", &[json!(false)]);
    executor.ignore(&[
        "blob_storage_account_credential_type",
        "blob_storage_credential_type",
        "blob_storage_account_key",
    ]);
    executor.keep(&[]);
    executor.note("stages read a document from where the param `path` says, or from its blob");
}
