//! Every act is written down, with who and what.

use reqwest::Method;
use serde_json::{Value, json};
use waystation_core::state::JobState;
use waystation_server::access::Role;

use crate::document::{Operation, operations};
use crate::world::{World, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_acts_is_written_down() {
    let (world, tokens) = World::guarded().await;
    let mut expected = Vec::new();
    for Operation { method, path, said } in operations(&world).await {
        let id = said["operationId"].as_str().unwrap().to_owned();
        if method == Method::GET {
            continue;
        }
        // Refused, so that nothing comes of it.
        let path = path.replace('{', "x").replace('}', "");
        let request = world.http.request(method, format!("{}{path}", world.url));
        send(request.bearer_auth(&tokens[&Role::Viewer])).await;
        expected.push((id, path));
    }
    let audit = world.get("/api/v1/audit?limit=1000").await.is(200).body;
    let told: Vec<(String, String)> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|one| {
            assert_eq!((&one["by"], &one["role"]), (&json!("viewer"), &json!("viewer")));
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            (text("action"), text("target"))
        })
        .collect();
    assert_eq!(told, expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_tell_what_was_asked_and_what_came_of_it() {
    let world = World::open().await.serving("scans").await;
    let job_id = world.submit("scans", json!({ "page": 1, "do": "fail" })).await;
    world.reach(&job_id, JobState::Failed).await;
    let retry = json!({ "params": { "page": 2, "do": "fail" } });
    world.post(&format!("/api/v1/jobs/{job_id}/retry"), retry).await.is(200);
    world.reach(&job_id, JobState::Failed).await;
    world
        .post("/api/v1/jobs/none/abort", json!({ "reason": "old" }))
        .await
        .problem(404, "not_found");
    let audit = world.get("/api/v1/audit").await.is(200).body;
    let entries = audit["entries"].as_array().unwrap();
    let short = |entry: &Value| json!([entry["action"], entry["target"], entry["outcome"]]);
    assert_eq!(
        short(&entries[0]),
        json!(["abort_job", "/api/v1/jobs/none/abort", "404 Not Found"])
    );
    let target = format!("/api/v1/jobs/{job_id}/retry");
    assert_eq!(short(&entries[1]), json!(["retry_job", target, "done"]));
    assert_eq!(entries[1]["detail"], json!({ "from": null, "edited": true }));
    assert_eq!(entries.len(), 2, "submitting is told by the job's own events");
    let events = world.get(&format!("/api/v1/jobs/{job_id}/events")).await.is(200).body;
    assert_eq!(events[0]["detail"], json!({ "by": "local" }));
    let page = world.get("/api/v1/audit?limit=1").await.is(200).body;
    let next = page["next"].as_str().unwrap();
    let older = world.get(&format!("/api/v1/audit?limit=1&before={next}")).await.is(200).body;
    assert_eq!(older["entries"][0], entries[1]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_requests_are_not_written_down() {
    let (world, _) = World::guarded().await;
    world.post("/api/v1/tokens", json!({ "name": "bob", "role": "viewer" })).await.is(201);
    let source = "name: kept\nstages: [{ id: a, type: act, settings: { api_key: hidden } }]";
    let put =
        world.request(Method::PUT, "/api/v1/pipelines/kept").json(&json!({ "source": source }));
    send(put).await.is(201);
    let audit = world.get("/api/v1/audit").await.is(200).body;
    assert_eq!(audit["entries"][0]["detail"], json!({ "version": 1, "is_new": true }));
    assert!(!audit.to_string().contains("hidden") && !audit.to_string().contains("wst_"));
    world.end().await;
}
