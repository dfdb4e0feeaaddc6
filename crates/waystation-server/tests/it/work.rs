//! The worker protocol: long polls, heartbeats, fencing, and a worker in Python.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use waystation_core::state::JobState;

use crate::world::{WAIT_MAX, World};

fn wanted(wait_seconds: u32) -> Value {
    json!({ "worker": "ocr-1", "pipeline": "far", "wait_seconds": wait_seconds })
}

async fn claim(world: &World) -> Value {
    let claimed = world.post("/api/v1/work/claim", wanted(10)).await.is(200).body;
    claimed["claims"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_claimed_told_of_and_done() {
    let world = World::open().await.serving("far").await;
    let (claimed, job_id) = tokio::join!(claim(&world), world.submit("far", json!({ "n": 4 })));
    assert_eq!(claimed["job_id"], job_id);
    assert_eq!((&claimed["stage"], &claimed["params"]), (&json!("away"), &json!({ "n": 4 })));
    let name = &claimed["claim"];
    let progress = json!({ "claim": name, "percent": 40, "message": "half" });
    world.post("/api/v1/work/progress", progress).await.is(204);
    let log = json!({ "claim": name, "lines": [{ "line": "begins" }] });
    world.post("/api/v1/work/log", log).await.is(204);
    let beat = world.post("/api/v1/work/heartbeat", json!({ "claims": [name, "nonsense"] })).await;
    let states = beat.is(200).body;
    assert_eq!(states["claims"][0]["state"], "held");
    assert_eq!(states["claims"][1]["state"], "lost");
    let log = json!([{ "line": "ends", "level": "warn" }]);
    let done = json!({ "claim": name, "output": { "twice": 8 }, "log": log });
    let answer = world.post("/api/v1/work/complete", done.clone()).await.is(200).body;
    assert_eq!((&answer["job_id"], &answer["stage"]), (&json!(job_id), &json!("after")));
    world.post("/api/v1/work/complete", done).await.is(200);
    let other = json!({ "claim": name, "output": { "twice": 9 } });
    world.post("/api/v1/work/complete", other).await.problem(409, "lease_lost");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(job.params["twice"], 8);
    let log = world.get(&format!("/api/v1/jobs/{job_id}/log?stage=away")).await.is(200).body;
    let lines: Vec<_> = log.as_array().unwrap().iter().map(|one| one["line"].clone()).collect();
    assert_eq!(json!(lines), json!(["begins", "ends"]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_claim_ends_nothing() {
    let world = World::open().await;
    let job_id = world.submit("far", json!({ "n": 1 })).await;
    let mut short = wanted(10);
    short["lease_seconds"] = json!(1);
    let first = world.post("/api/v1/work/claim", short).await.is(200).body["claims"][0].clone();
    // Nobody says that it goes on, so that it comes up again.
    let second = claim(&world).await;
    assert_eq!((&second["job_id"], &second["deliveries"]), (&json!(job_id), &json!(2)));
    let late = json!({ "claim": first["claim"], "output": { "twice": 1 } });
    world.post("/api/v1/work/complete", late).await.problem(409, "lease_lost");
    let good = json!({ "claim": second["claim"], "output": { "twice": 2 } });
    world.post("/api/v1/work/complete", good).await.is(200);
    let job = world.get(&format!("/api/v1/jobs/{job_id}")).await.is(200).body;
    assert_eq!(job["params"]["twice"], 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_tried_again_as_the_stage_says_and_aborts_are_heard() {
    let world = World::open().await;
    let job_id = world.submit("far", json!({ "n": 1 })).await;
    let first = claim(&world).await;
    let failed = json!({ "claim": first["claim"], "message": "busy" });
    let answer = world.post("/api/v1/work/fail", failed).await.is(200).body;
    assert_ne!(answer["state"], "failed", "another attempt is due");
    let second = claim(&world).await;
    assert_eq!(second["attempt"], 2);
    world.post("/api/v1/work/hand-back", json!({ "claim": second["claim"] })).await.is(200);
    let third = claim(&world).await;
    assert_eq!(third["attempt"], 2, "handing back counts nothing");
    let abort = format!("/api/v1/jobs/{job_id}/abort");
    assert_eq!(world.post(&abort, json!({})).await.is(200).body["outcome"], "requested");
    let beat = world.post("/api/v1/work/heartbeat", json!({ "claims": [third["claim"]] })).await;
    assert_eq!(beat.is(200).body["claims"][0]["state"], "abort_requested");
    let done = json!({ "claim": third["claim"], "output": { "twice": 2 } });
    let answer = world.post("/api/v1/work/complete", done).await.is(200).body;
    assert_eq!(answer["state"], "aborted");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_away_while_waiting_has_claimed_nothing() {
    let world = World::open().await;
    let address = world.url.strip_prefix("http://").unwrap();
    let body = wanted(20).to_string();
    let ask = format!(
        "POST /api/v1/work/claim HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut gone = tokio::net::TcpStream::connect(address).await.unwrap();
    gone.write_all(ask.as_bytes()).await.unwrap();
    gone.shutdown().await.unwrap();
    // The server closes its side when it has stopped to wait.
    let mut answer = Vec::new();
    gone.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"", "nothing was there to be claimed");
    let job_id = world.submit("far", json!({ "n": 1 })).await;
    let began = Instant::now();
    let claimed = claim(&world).await;
    assert_eq!(claimed["job_id"], job_id);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_mean_nothing_are_refused() {
    let world = World::open().await;
    let path = "/api/v1/work/claim";
    for (change, status, code) in [
        (json!({ "wait_seconds": 31 }), 422, "invalid"),
        (json!({ "wait_seconds": -1 }), 422, "invalid"),
        (json!({ "max": 0 }), 422, "invalid"),
        (json!({ "lease_seconds": 0.5 }), 422, "invalid"),
        (json!({ "stages": ["after"] }), 422, "invalid"),
        (json!({ "worker": "" }), 422, "invalid"),
        (json!({ "pipeline": "none" }), 404, "not_found"),
        (json!({ "more": 1 }), 422, "invalid"),
    ] {
        let mut body = wanted(0);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        world.post(path, body).await.problem(status, code);
    }
    assert_eq!(world.post(path, wanted(0)).await.is(200).body, json!({ "claims": [] }));
    let kind = json!({ "claim": "x", "message": "x", "kind": "odd" });
    world.post("/api/v1/work/fail", kind).await.problem(422, "invalid");
    let percent = json!({ "claim": "x", "percent": 101 });
    world.post("/api/v1/work/progress", percent).await.problem(422, "invalid");
    world.post("/api/v1/work/heartbeat", json!({ "claims": [] })).await.problem(422, "invalid");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_in_python_does_the_work() {
    let (world, tokens) = World::guarded().await;
    let world = world.serving("far").await;
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides");
    let program = "\
import waystation_worker as w
def double(job):
    if job.params['n'] < 0:
        raise w.Failed('n is negative', retryable=False)
    job.progress(50, 'half')
    job.log('doubling')
    return {'twice': job.params['n'] * 2}
w.Worker(URL, 'far', double, token=TOKEN, name='py', wait_seconds=1).run()
";
    let token = &tokens[&waystation_server::access::Role::Operator];
    let program = program.replace("URL", &format!("'{}'", world.url));
    let program = program.replace("TOKEN", &format!("'{token}'"));
    let mut python = tokio::process::Command::new("python3")
        .args(["-c", &program])
        .env("PYTHONPATH", guides)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    let good = world.submit("far", json!({ "n": 21 })).await;
    let bad = world.submit("far", json!({ "n": -1 })).await;
    let job = world.reach(&good, JobState::Completed).await;
    assert_eq!(job.params["twice"], 42);
    let job = world.reach(&bad, JobState::Failed).await;
    assert_eq!(job.failure.unwrap().message, "n is negative");
    python.start_kill().unwrap();
    tokio::time::timeout(WAIT_MAX, python.wait()).await.expect("it ends").unwrap();
    world.end().await;
}
