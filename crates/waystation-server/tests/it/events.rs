//! The feed: read on from where one was, and wait for more.

use std::time::Instant;

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_on_misses_nothing() {
    let world = World::open().await;
    world.submit("scans", json!({ "page": 1 })).await;
    let now = world.get("/api/v1/events").await.is(200).body;
    assert_eq!(now["events"], json!([]));
    let all = world.get("/api/v1/events?after=0").await.is(200).body;
    assert_eq!(
        (&all["events"][0]["kind"], &all["events"][0]["pipeline"]),
        (&json!("created"), &json!("scans"))
    );
    assert_eq!(all["next"], now["next"]);
    let path = format!("/api/v1/events?after={}&wait_seconds=20", now["next"]);
    let began = Instant::now();
    let (waited, job_id) =
        tokio::join!(world.get(&path), world.submit("scans", json!({ "page": 2 })));
    assert_eq!(waited.is(200).body["events"][0]["job_id"], job_id);
    assert!(began.elapsed().as_secs() < 10, "a signal ends the wait");
    let page = world.get("/api/v1/events?after=0&limit=1").await.is(200).body;
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    world.get("/api/v1/events?wait_seconds=31").await.problem(422, "invalid");
    world.end().await;
}
