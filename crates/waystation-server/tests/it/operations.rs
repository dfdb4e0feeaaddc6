//! Bulk operations go on in the server.

use serde_json::{Value, json};
use waystation_core::state::JobState;

use crate::world::{WAIT_MAX, World};

/// Waits until an operation has ended.
async fn ended(world: &World, id: &str) -> Value {
    let mut signals = world.client.backend().bus.subscribe();
    let looking = async {
        loop {
            let operation = world.get(&format!("/api/v1/operations/{id}")).await.is(200).body;
            if operation["state"] != "running" {
                return operation;
            }
            signals.next().await.expect("the bus lives");
        }
    };
    tokio::time::timeout(WAIT_MAX, looking).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_failed_is_tried_again() {
    let world = World::open().await.serving("scans").await;
    let mut failed = Vec::new();
    for page in 0..5 {
        failed.push(world.submit("scans", json!({ "page": page, "do": "fail" })).await);
    }
    for job_id in &failed {
        world.reach(job_id, JobState::Failed).await;
    }
    let request = json!({
        "act": "retry", "selection": { "pipeline": "scans", "states": ["failed"] },
        "reason": "a new lamp",
    });
    let count = world.post("/api/v1/operations/dry-run", request.clone()).await.is(200).body;
    assert_eq!(count, json!({ "jobs": 5, "complete": true }));
    let begun = world.post("/api/v1/operations", request).await.is(201).body;
    let id = begun["id"].as_str().unwrap();
    let operation = ended(&world, id).await;
    assert_eq!((&operation["state"], &operation["done"]), (&json!("done"), &json!(5)));
    assert_eq!((&operation["by"], &operation["act"]), (&json!("local"), &json!("retry")));
    let list = world.get("/api/v1/operations").await.is(200).body;
    assert_eq!(list["operations"][0]["id"], id);
    let cancel = format!("/api/v1/operations/{id}/cancel");
    world.post(&cancel, json!({})).await.problem(409, "conflict");
    let audit = world.get("/api/v1/audit").await.is(200).body;
    assert_eq!(audit["entries"][1]["action"], "start_operation");
    assert_eq!(audit["entries"][1]["detail"]["id"], id);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_mean_nothing_are_refused() {
    let world = World::open().await;
    let path = "/api/v1/operations";
    for body in [
        json!({ "act": "abort", "selection": { "states": ["completed"] }, "reason": "x" }),
        json!({ "act": "retry", "selection": { "states": ["lost"] }, "reason": "x" }),
        json!({ "act": "abort", "from": "read", "reason": "x" }),
        json!({ "act": "abort", "selection": { "colour": "red" }, "reason": "x" }),
        json!({ "act": "explode" }),
        json!({ "act": "abort" }),
    ] {
        world.post(path, body).await.problem(422, "invalid");
    }
    world.get("/api/v1/operations/none").await.problem(404, "not_found");
    world.post("/api/v1/operations/none/cancel", json!({})).await.problem(404, "not_found");
    assert_eq!(world.get(path).await.is(200).body, json!({ "operations": [] }));
    world.end().await;
}
