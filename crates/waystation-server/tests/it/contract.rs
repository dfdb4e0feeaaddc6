//! The document held against the server by schemathesis, which asks it everything that the document
//! allows and much that it does not.

use std::env;
use std::fs;
use std::process::Stdio;

use serde_json::json;
use waystation_core::blob::BlobKey;
use waystation_core::state::JobState;

use crate::world::World;

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance";

/// A server with something of everything.
async fn lived_in() -> World {
    let world = World::open().await.serving("scans").await.serving("far").await;
    world.task(json!({ "page": 1 })).await;
    let (_, claimed) = world.task(json!({ "page": 2 })).await;
    world.post(&format!("/api/v1/inbox/{claimed}/claim"), json!({})).await.is(200);
    let failed = world.submit("scans", json!({ "page": 3, "do": "fail" })).await;
    world.reach(&failed, JobState::Failed).await;
    let named = json!({ "pipeline": "far", "job_id": "j1", "params": { "n": 1 } });
    world.post("/api/v1/jobs", named).await.is(201);
    world.post("/api/v1/queues/scans.file/pause", json!({})).await.is(200);
    let operation = json!({ "act": "retry", "reason": "a new lamp" });
    world.post("/api/v1/operations", operation).await.is(201);
    let blobs = world.client.backend().blobs.clone().unwrap();
    blobs.put(&BlobKey::parse("a.png").unwrap(), vec![1]).await.unwrap();
    world
}

/// Names of what there is, so that not every answer is that there is no such thing.
const NAMES: &str = r#"
[parameters]
"path.job_id" = "j1"
"path.task_id" = 1
"path.name" = "scans"
"path.stage" = "read"
"path.queue" = "scans.read"
"path.key" = "a.png"
"#;

/// The gate leaves this out where schemathesis is not installed, and says so.
/// `WAYSTATION_TEST_SCHEMATHESIS` may say where it is, `WAYSTATION_TEST_EXAMPLES` how much it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs schemathesis (PyPI)"]
async fn schemathesis_finds_no_answer_that_is_not_documented() {
    let world = lived_in().await;
    check(&world, "any.toml", "").await;
    check(&world, "known.toml", NAMES).await;
    world.end().await;
}

async fn check(world: &World, file: &str, config: &str) {
    let program = env::var("WAYSTATION_TEST_SCHEMATHESIS");
    let examples = env::var("WAYSTATION_TEST_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    let folder = env!("CARGO_TARGET_TMPDIR");
    fs::write(format!("{folder}/{file}"), config).unwrap();
    let ran = tokio::process::Command::new(program.as_deref().unwrap_or("schemathesis"))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .args(["--config-file", file, "run"])
        .arg(format!("{}/api/openapi.json", world.url))
        .args(["--checks", CHECKS, "--max-examples", &examples, "--seed", "7"])
        // It would take the openness away on which the rest stands.
        .args(["--exclude-operation-id", "add_token"])
        // These answers never end.
        .args(["--exclude-tag", "live"])
        .args(["--request-timeout", "60", "--suppress-health-check", "all"])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("schemathesis is on PATH, or WAYSTATION_TEST_SCHEMATHESIS says where it is");
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
