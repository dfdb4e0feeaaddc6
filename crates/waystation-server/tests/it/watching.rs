//! Health, status and metrics.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::clock::{SystemClock, Timestamp};
use waystation_core::port::{self, Expected, Put, Record, RecordPage, Records};
use waystation_core::state::JobState;
use waystation_engine::Backend;
use waystation_memory::Memory;
use waystation_server::Options;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_status_tell_of_every_part() {
    let (world, _) = World::guarded().await;
    let world = world.serving("scans").await;
    let asked = |path: &str| crate::world::send(world.http.get(format!("{}{path}", world.url)));
    let health = asked("/health").await.is(200).body;
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["components"][0]["name"], "store");
    let names: Vec<_> =
        health["components"].as_array().unwrap().iter().map(|part| part["name"].clone()).collect();
    assert!(names.contains(&json!("queue/scans.read")), "{names:?}");
    assert_eq!(asked("/health/live").await.is(200).body, json!({ "status": "alive" }));
    let status = asked("/status").await.is(200).body;
    assert_eq!((&status["worker_name"], &status["running"]), (&json!("waystation"), &json!(true)));
    let workers = &status["processing_workers"];
    assert_eq!((&workers["configured"], &workers["active"]), (&json!(1), &json!(1)));
    assert_eq!(workers["workers"][0]["alive"], true);
    assert!(workers["workers"][0]["pid"].is_u64());
    let none = json!({ "configured": 0, "active": 0, "workers": [] });
    assert_eq!(status["source_workers"], none);
    world.end().await;
}

/// Records that cannot be had.
struct Gone;

fn gone<T>() -> Result<T, port::Error> {
    Err(port::Error::Unavailable { name: "store".into(), message: "it is gone".into() })
}

#[async_trait]
impl Records for Gone {
    async fn put_record(
        &self,
        _: &str,
        _: &str,
        _: &Value,
        _: Expected,
        _: Option<Timestamp>,
    ) -> Result<Put, port::Error> {
        gone()
    }

    async fn record(&self, _: &str, _: &str) -> Result<Option<Record>, port::Error> {
        gone()
    }

    async fn records(&self, _: &str, _: RecordPage) -> Result<Vec<Record>, port::Error> {
        gone()
    }

    async fn remove_record(&self, _: &str, _: &str, _: Expected) -> Result<bool, port::Error> {
        gone()
    }

    async fn clear_expired_records(&self) -> Result<usize, port::Error> {
        gone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_store_says_so_and_lives() {
    let clock = Arc::new(SystemClock);
    let mut backend = Backend::whole(Memory::new(clock.clone()), clock);
    backend.records = Arc::new(Gone);
    let world = World::over(backend, Options::default()).await;
    world.get("/health/live").await.is(200);
    let health = world.get("/health").await.is(503).body;
    assert_eq!(health["status"], "unhealthy");
    assert_eq!(health["components"][0]["reason"], "store is unavailable: it is gone");
    world.get("/api/v1/jobs").await.problem(503, "unavailable");
    world.end().await;
}

async fn metrics_of_some_jobs() -> String {
    let world = World::open().await.serving("scans").await;
    for (params, state) in [
        (json!({ "page": 1 }), JobState::Waiting),
        (json!({ "page": 1, "do": "fail" }), JobState::Failed),
        (json!({ "page": 1, "do": "try" }), JobState::Failed),
    ] {
        let job_id = world.submit("scans", params).await;
        world.reach(&job_id, state).await;
    }
    world.post("/api/v1/queues/scans.file/pause", json!({})).await.is(200);
    world.get("/health").await.is(200);
    let answer = world.get("/metrics").await.is(200);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    world.end().await;
    match answer.body {
        Value::String(text) => text,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_happened() {
    let text = metrics_of_some_jobs().await;
    for line in [
        "waystation_jobs_created_total{pipeline=\"scans\",stage=\"read\"} 3",
        "waystation_jobs{pipeline=\"scans\",stage=\"look\",state=\"waiting\"} 1",
        "waystation_jobs_ended_total{pipeline=\"scans\",stage=\"read\",outcome=\"failed\"} 2",
        "waystation_attempts_ended_total{pipeline=\"scans\",stage=\"read\",outcome=\"retried\"} 1",
        "waystation_attempts_started_total{pipeline=\"scans\",stage=\"read\"} 4",
        "waystation_queue_wait_seconds_count{pipeline=\"scans\",stage=\"read\"} 4",
        "waystation_paused{target=\"queue/scans.file\",mode=\"pause\"} 1",
        "waystation_workers{kind=\"engine\"} 1",
        "waystation_http_request_duration_seconds_count{operation=\"get_health\",status=\"200\"} 1",
        "waystation_store_latency_seconds_bucket{operation=\"write\",le=\"+Inf\"}",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(text.lines().any(|one| one.starts_with(line)), "{line}\n{text}");
    }
    let documented = include_str!("../../../../docs/metrics.md");
    for name in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let name = name.split(' ').next().unwrap();
        assert!(documented.contains(&format!("`{name}`")), "{name} is not in docs/metrics.md");
    }
}

/// The gate leaves this out where promtool is not installed, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs promtool (Debian: apt-get install prometheus)"]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    let text = metrics_of_some_jobs().await;
    let mut checking = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is on PATH");
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = checking.wait_with_output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
