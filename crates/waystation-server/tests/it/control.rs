//! Pauses, queues, workers and sources.

use serde_json::{Value, json};
use waystation_core::state::JobState;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paused_waits_until_it_is_resumed() {
    let world = World::open().await.serving("scans").await;
    let why = json!({ "reason": "new lamp" });
    let pause = world.post("/api/v1/pipelines/scans/stages/read/pause", why).await.is(200).body;
    assert_eq!((&pause["target"], &pause["by"]), (&json!("stage/scans/read"), &json!("local")));
    let job_id = world.submit("scans", json!({ "page": 1 })).await;
    let queue = world.get("/api/v1/queues/scans.read").await.is(200).body;
    assert_eq!(queue["pauses"][0]["reason"], "new lamp");
    assert_eq!(queue["ready"], 1);
    assert!(queue["oldest_age_ms"].is_u64());
    let job = world.get(&format!("/api/v1/jobs/{job_id}")).await.is(200).body;
    let words = job["why"][0]["words"].as_str().unwrap();
    assert!(words.contains("paused by local") && words.contains("new lamp"), "{words}");
    let resumed = world.post("/api/v1/pipelines/scans/stages/read/resume", json!({})).await;
    assert_eq!(resumed.is(200).body, json!({ "was_paused": true }));
    world.reach(&job_id, JobState::Waiting).await;
    let resumed = world.post("/api/v1/pipelines/scans/stages/read/resume", json!({})).await;
    assert_eq!(resumed.is(200).body, json!({ "was_paused": false }));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drained_pipelines_take_no_new_jobs() {
    let world = World::open().await;
    world.post("/api/v1/pipelines/scans/drain", json!({})).await.is(200);
    let body = json!({ "pipeline": "scans", "params": { "page": 1 } });
    let told = world.post("/api/v1/jobs", body).await.problem(409, "draining");
    assert!(told.contains("local drains it"), "{told}");
    world.post("/api/v1/queues/scans.read/pause", json!({})).await.is(200);
    let pauses = world.get("/api/v1/pauses").await.is(200).body;
    let modes: Vec<_> = pauses.as_array().unwrap().iter().map(|one| one["mode"].clone()).collect();
    assert_eq!(json!(modes), json!(["drain", "pause"]));
    let shown = world.get("/api/v1/pipelines/scans").await.is(200).body;
    assert_eq!(shown["pauses"][0]["mode"], "drain");
    world.post("/api/v1/pipelines/scans/resume", json!({})).await.is(200);
    world.post("/api/v1/queues/scans.read/resume", json!({})).await.is(200);
    world.submit("scans", json!({ "page": 1 })).await;
    world.post("/api/v1/pipelines/none/pause", json!({})).await.problem(404, "not_found");
    let stage = "/api/v1/pipelines/scans/stages/none/pause";
    world.post(stage, json!({})).await.problem(404, "not_found");
    let queue = format!("/api/v1/queues/{}/pause", "x".repeat(250));
    world.post(&queue, json!({})).await.problem(422, "invalid");
    let long = json!({ "reason": "x".repeat(1_001) });
    world.post("/api/v1/pipelines/scans/pause", long).await.problem(422, "invalid");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_tell_who_reads_them_and_workers_what_they_serve() {
    let world = World::open().await.serving("scans").await;
    let job_id = world.submit("scans", json!({ "page": 1, "do": "wait" })).await;
    world.reach(&job_id, JobState::Running).await;
    let queues = world.get("/api/v1/queues").await.is(200).body;
    let queues = queues.as_array().unwrap();
    let find = |name: &str| queues.iter().find(|one| one["queue"] == name).unwrap();
    let reader = json!([{ "pipeline": "scans", "stage": "read" }]);
    assert_eq!(find("scans.read")["stages"], reader);
    assert_eq!(find("far.away")["workers"], 0);
    world.get("/api/v1/queues/none").await.problem(404, "not_found");
    let workers = world.get("/api/v1/workers").await.is(200).body;
    let engine = &workers[0];
    assert_eq!((&engine["kind"], &engine["draining"]), (&json!("engine"), &json!(false)));
    let serves = engine["serves"].as_array().unwrap();
    assert!(serves.iter().any(|one| one["queue"] == "scans.read"), "{engine:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_tell_where_they_stand() {
    let world = World::open().await.serving("found").await;
    let backend = world.client.backend();
    let looking = async {
        while backend.store.checkpoint("found/find").await.unwrap().is_none()
            || world.client.workers().await.unwrap().is_empty()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::world::WAIT_MAX, looking).await.expect("it discovers");
    let sources = world.get("/api/v1/sources").await.is(200).body;
    let source = &sources[0];
    assert_eq!((&source["pipeline"], &source["stage"]), (&json!("found"), &json!("find")));
    assert_eq!(source["interval_seconds"], 60.0);
    assert_eq!(source["checkpoint"], json!({ "seen": 7 }));
    assert_eq!(source["pauses"], json!([]));
    assert!(matches!(&source["workers"], Value::Array(workers) if workers.len() == 1));
    assert_eq!(source["schedule"], "every 60 s");
    let status = world.get("/status").await.is(200).body;
    assert_eq!(status["source_workers"]["active"], 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_look_when_they_are_asked_and_their_crawls_are_listed() {
    let world = World::open().await.serving("found").await;
    let crawls = "/api/v1/sources/found/find/crawls";
    let until = async |count: usize| {
        let looking = async {
            loop {
                let listed = world.get(crawls).await.is(200).body["crawls"].clone();
                let all = listed.as_array().unwrap().clone();
                if all.len() == count && all[0]["state"] == "completed" {
                    return all;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::world::WAIT_MAX, looking).await.expect("it looks")
    };
    let first = until(1).await.remove(0);
    assert_eq!((&first["found"], &first["to"]), (&json!(0), &json!({ "seen": 7 })));
    let crawl = "/api/v1/sources/found/find/crawl";
    let again = json!({ "from_beginning": true });
    let asked = world.post(crawl, again).await.is(202).body;
    assert_eq!(asked["from_beginning"], true);
    let second = until(2).await.remove(0);
    assert!(second["from"].is_null(), "it began at the beginning: {second:#}");
    assert!(second["by"].is_string(), "{second:#}");
    let page = world.get(&format!("{crawls}?limit=1")).await.is(200).body;
    let next = page["next"].as_str().unwrap();
    let older = world.get(&format!("{crawls}?limit=1&before={next}")).await.is(200).body;
    assert_eq!(older["crawls"][0]["id"], first["id"]);
    let both = json!({ "from_beginning": true, "from": 1 });
    world.post(crawl, both).await.problem(422, "invalid");
    world.post("/api/v1/sources/found/none/crawl", json!({})).await.problem(404, "not_found");
    world.get("/api/v1/sources/none/find").await.problem(404, "not_found");
    world.end().await;
}
