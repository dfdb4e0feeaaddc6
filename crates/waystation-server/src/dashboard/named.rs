//! What forms of pages do, by the names that the API has for the same: one word for one act.

use serde_json::Value;

/// The API's name of what a form of this path did, as its handler told it.
pub fn action(path: &str, detail: &Value) -> Option<String> {
    let told = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = match (path, told("act")) {
        ("/jobs/{job_id}/abort", _) | ("/jobs", "abort") => "abort_job",
        ("/jobs/{job_id}/retry", _) | ("/jobs", "retry") => "retry_job",
        ("/jobs/{job_id}/drop", _) | ("/jobs", "drop") => "drop_dead_letter",
        ("/inbox/{task_id}", _) => "answer_task",
        ("/inbox/{task_id}/hold", "claim") => "claim_task",
        ("/inbox/{task_id}/hold", "release") => "release_task",
        ("/operations", _) => "start_operation",
        ("/operations/{id}/cancel", _) => "cancel_operation",
        ("/sources/{pipeline}/{stage}/crawl", _) => "crawl_source",
        ("/tokens", _) => "add_token",
        ("/tokens/{name}/remove", _) => "remove_token",
        ("/pauses", act @ ("pause" | "drain" | "resume")) => {
            let (kind, _) = told("target").split_once('/')?;
            return Some(format!("{act}_{kind}"));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn acts_of_pages_are_called_as_the_api_calls_them() {
        let document = crate::routes::openapi().to_json().expect("JSON");
        for (path, detail) in [
            ("/jobs/{job_id}/abort", json!(null)),
            ("/jobs", json!({"act": "retry"})),
            ("/jobs/{job_id}/drop", json!(null)),
            ("/inbox/{task_id}", json!(null)),
            ("/inbox/{task_id}/hold", json!({"act": "claim"})),
            ("/inbox/{task_id}/hold", json!({"act": "release"})),
            ("/operations", json!({"act": "abort"})),
            ("/operations/{id}/cancel", json!(null)),
            ("/sources/{pipeline}/{stage}/crawl", json!(null)),
            ("/tokens", json!(null)),
            ("/tokens/{name}/remove", json!(null)),
            ("/pauses", json!({"act": "drain", "target": "pipeline/p"})),
            ("/pauses", json!({"act": "resume", "target": "queue/p.s"})),
            ("/pauses", json!({"act": "pause", "target": "stage/p/s"})),
        ] {
            let name = action(path, &detail).expect(path);
            assert!(document.contains(&format!("\"operationId\":\"{name}\"")), "{name}");
        }
        assert_eq!(action("/pauses", &json!(null)), None, "it was refused before it was read");
    }
}
