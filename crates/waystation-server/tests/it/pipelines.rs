//! Pipelines: told of without their secrets, and put anew.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, SCANS, World, send};

async fn put(world: &World, name: &str, source: &str) -> Answer {
    let request = world.request(Method::PUT, &format!("/api/v1/pipelines/{name}"));
    send(request.json(&json!({ "source": source }))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_shown_without_its_secrets() {
    let world = World::open().await;
    world.submit("scans", json!({ "page": 1 })).await;
    let list = world.get("/api/v1/pipelines").await.is(200).body;
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(json!(names), json!(["far", "found", "scans"]));
    assert_eq!(list[2]["stages"], json!(["read", "look", "file"]));
    assert_eq!(list[2]["jobs"], json!({ "queued": 1 }));
    let shown = world.get("/api/v1/pipelines/scans").await.is(200).body;
    assert_eq!((&shown["version"], &shown["live_versions"]), (&json!(1), &json!([1])));
    let settings = &shown["stages"][0]["work"]["settings"];
    let expected = json!({
        "url": "amqp://ann:***@host/x", "api_key": "***", "token": "${TOKEN}", "speed": 3,
    });
    assert_eq!(*settings, expected);
    let text = shown.to_string();
    assert!(!text.contains("abc") && !text.contains("the real one") && !text.contains(":pw@"));
    assert_eq!(shown["stages"][0]["queue"], "scans.read");
    assert_eq!(shown["stages"][1]["kind"], "manual");
    assert_eq!(shown["routes"][1]["when"], "ok == true");
    world.get("/api/v1/pipelines/none").await.problem(404, "not_found");
    world.get("/api/v1/pipelines/scans?version=9").await.problem(404, "not_found");
    world.get("/api/v1/pipelines/scans?version=x").await.problem(400, "bad_request");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_text_is_a_new_version() {
    let world = World::open().await;
    let same = put(&world, "scans", SCANS).await.is(200).body;
    assert_eq!(same, json!({ "name": "scans", "version": 1, "is_new": false }));
    let changed = SCANS.replace("Pages that somebody", "Sheets that somebody");
    let new = put(&world, "scans", &changed).await.is(201).body;
    assert_eq!(new, json!({ "name": "scans", "version": 2, "is_new": true }));
    let old = world.get("/api/v1/pipelines/scans?version=1").await.is(200).body;
    assert_eq!((&old["version"], &old["newest_version"]), (&json!(1), &json!(2)));
    let answer = put(&world, "scans", "name: scans\nstages: [{ id: a, type: none }, {}]").await;
    assert!(answer.body["problems"].as_array().unwrap().len() >= 2, "{:#}", answer.body);
    answer.problem(422, "invalid");
    let told = put(&world, "other", SCANS).await.problem(422, "invalid");
    assert!(told.contains("of pipeline `scans`, not of `other`"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_a_graph_a_picture_and_a_schema() {
    let world = World::open().await;
    let graph = world.get("/api/v1/pipelines/scans/graph").await.is(200).body;
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 3);
    let expected = json!({ "from": "read", "to": ["look"], "kind": "one" });
    assert_eq!(graph["edges"][0], expected);
    assert!(graph["mermaid"].as_str().unwrap().starts_with("flowchart"));
    let picture = world.get("/api/v1/pipelines/scans/graph.svg").await.is(200);
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    assert!(matches!(&picture.body, Value::String(svg) if svg.starts_with("<svg")));
    let schema = world.get("/api/v1/pipelines/scans/schema").await.is(200).body;
    assert_eq!(schema["entry_stage"], "read");
    assert_eq!(schema["stages"]["read"]["required"], json!(["page"]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_are_told_by_name_and_kind() {
    let world = World::open().await;
    let told = world.get("/api/v1/executors").await.is(200).body;
    assert_eq!(told[0], json!({ "type": "act", "kind": "worker" }));
    assert_eq!(told.as_array().unwrap().len(), 4);
    world.end().await;
}
