//! Jobs: submitted once, found again, ended and repeated.

use reqwest::Method;
use serde_json::{Value, json};
use waystation_core::contract::Contract;
use waystation_core::state::JobState;
use waystation_core::trace::Traceparent;

use crate::world::{Answer, World, send};

async fn submit_with_key(world: &World, key: &str, body: &Value) -> Answer {
    let request = world.request(Method::POST, "/api/v1/jobs").header("idempotency-key", key);
    send(request.json(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_submissions_are_one() {
    let world = World::open().await;
    let body = json!({ "pipeline": "scans", "params": { "page": 1 } });
    let first = submit_with_key(&world, "a", &body).await.is(201);
    let job_id = first.body["jobs"][0]["job_id"].as_str().unwrap();
    assert_eq!(first.headers["location"], format!("/api/v1/jobs/{job_id}"));
    let again = submit_with_key(&world, "a", &body).await.is(200);
    assert_eq!(again.body, json!({ "jobs": [{ "job_id": job_id, "outcome": "duplicate" }] }));
    let other = json!({ "pipeline": "scans", "params": { "page": 2 } });
    submit_with_key(&world, "a", &other).await.problem(409, "conflict");
    submit_with_key(&world, "b", &body).await.is(201);
    submit_with_key(&world, "", &body).await.problem(400, "bad_request");
    let many = json!({ "jobs": [body, other] });
    let first = submit_with_key(&world, "c", &many).await.is(201).body;
    let again = submit_with_key(&world, "c", &many).await.is(200).body;
    for index in 0..2 {
        assert_eq!(first["jobs"][index]["job_id"], again["jobs"][index]["job_id"]);
    }
    let all = world.get("/api/v1/jobs").await.is(200).body;
    assert_eq!(all["jobs"].as_array().unwrap().len(), 4);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dedupe_keys_and_ids_decide_what_is_new() {
    let world = World::open().await;
    let job = |policy: Value| {
        let mut job = json!({ "pipeline": "scans", "params": { "page": 1 }, "dedupe_key": "k" });
        if !policy.is_null() {
            job["on_duplicate"] = policy;
        }
        job
    };
    let first = world.post("/api/v1/jobs", job(Value::Null)).await.is(201).body;
    let first = first["jobs"][0]["job_id"].clone();
    let second = world.post("/api/v1/jobs", job(Value::Null)).await.is(200).body;
    assert_eq!(second["jobs"][0], json!({ "job_id": first, "outcome": "duplicate" }));
    world.post("/api/v1/jobs", job(json!("reject"))).await.problem(409, "conflict");
    let many =
        json!({ "jobs": [job(json!("reject")), { "pipeline": "scans", "params": { "page": 2 } }] });
    let mixed = world.post("/api/v1/jobs", many).await.is(201).body;
    assert_eq!(mixed["jobs"][0], json!({ "job_id": first, "outcome": "rejected" }));
    assert_eq!(mixed["jobs"][1]["outcome"], "created");
    let third = world.post("/api/v1/jobs", job(json!("replace"))).await.is(201).body;
    assert_eq!(third["jobs"][0]["outcome"], "replaced");
    assert_eq!(third["jobs"][0]["replaced"], first);
    let named = json!({ "pipeline": "scans", "job_id": "mine", "params": { "page": 1 } });
    world.post("/api/v1/jobs", named.clone()).await.is(201);
    world.post("/api/v1/jobs", named).await.is(200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_submissions_are_told_what_is_wrong() {
    let world = World::open().await;
    for (body, status, code, part) in [
        (json!({}), 422, "invalid", "missing field `pipeline`"),
        (json!({ "pipeline": "scans", "parms": {} }), 422, "invalid", "unknown field `parms`"),
        (json!({ "pipeline": "none" }), 404, "not_found", "`none` is unknown"),
        (json!({ "pipeline": "a\u{0}b" }), 422, "invalid", "name of a pipeline"),
        (json!({ "pipeline": "scans" }), 422, "invalid", "`page`"),
        (json!({ "jobs": [] }), 422, "invalid", "no jobs"),
        (
            json!({ "jobs": [{ "pipeline": "a" }, { "pipeline": "b" }] }),
            422,
            "invalid",
            "one pipeline",
        ),
        (
            json!({ "pipeline": "scans", "params": { "page": 1 }, "entry_stage": "x" }),
            422,
            "invalid",
            "`x`",
        ),
        (
            json!({ "pipeline": "scans", "params": { "page": 1 }, "priority": "urgent" }),
            422,
            "invalid",
            "",
        ),
        (
            json!({ "pipeline": "scans", "params": { "page": 1 }, "deadline": "soon" }),
            422,
            "invalid",
            "soon",
        ),
        (json!({ "pipeline": "scans", "on_duplicate": "reject" }), 422, "invalid", "dedupe_key"),
        (
            json!({ "pipeline": "scans", "job_id": "", "params": { "page": 1 } }),
            422,
            "invalid",
            "job id",
        ),
        (json!({ "pipeline": "scans", "pipeline_version": 9 }), 404, "not_found", "no version 9"),
        (json!([1]), 422, "invalid", ""),
    ] {
        let told = world.post("/api/v1/jobs", body.clone()).await.problem(status, code);
        assert!(told.contains(part), "{body}: {told}");
    }
    let text = world.request(Method::POST, "/api/v1/jobs").body("{");
    send(text).await.problem(415, "unsupported_media_type");
    let broken = world.request(Method::POST, "/api/v1/jobs").body("{");
    send(broken.header("content-type", "application/json")).await.problem(400, "bad_request");
    let many: Vec<_> = (0..1_001).map(|_| json!({ "pipeline": "scans" })).collect();
    world.post("/api/v1/jobs", json!({ "jobs": many })).await.problem(413, "too_large");
    assert_eq!(world.get("/api/v1/jobs").await.is(200).body, json!({ "jobs": [] }));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_found_by_filters_and_pages() {
    let world = World::open().await;
    let jobs: Vec<_> = (0..5)
        .map(|page| {
            let params = json!({ "page": page, "who": "Ann" });
            json!({ "pipeline": "scans", "job_id": format!("j{page}"), "params": params })
        })
        .collect();
    world.post("/api/v1/jobs", json!({ "jobs": jobs })).await.is(201);
    world.post("/api/v1/jobs", json!({ "pipeline": "far", "params": { "n": 1 } })).await.is(201);
    let mut seen = Vec::new();
    let mut path = "/api/v1/jobs?pipeline=scans&limit=2".to_owned();
    loop {
        let page = world.get(&path).await.is(200).body;
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/jobs?pipeline=scans&limit=2&before={next}");
    }
    assert_eq!(json!(seen), json!(["j4", "j3", "j2", "j1", "j0"]));
    for (query, count) in [
        ("state=queued", 6),
        ("state=queued,failed&pipeline=far", 1),
        ("state=failed", 0),
        ("stage=away", 1),
        ("text=ann", 5),
        ("text=j3", 1),
        ("created_from=2999-01-01T00:00:00Z", 0),
        ("created_before=2999-01-01T00:00:00Z", 6),
        ("parents_only=true", 6),
        ("children_of=j1", 0),
    ] {
        let page = world.get(&format!("/api/v1/jobs?{query}")).await.is(200).body;
        assert_eq!(page["jobs"].as_array().unwrap().len(), count, "{query}");
    }
    for (query, status, code) in [
        ("state=lost", 422, "invalid"),
        ("limit=0", 422, "invalid"),
        ("limit=1001", 422, "invalid"),
        ("limit=many", 400, "bad_request"),
        ("colour=red", 400, "bad_request"),
        ("created_from=soon", 400, "bad_request"),
    ] {
        world.get(&format!("/api/v1/jobs?{query}")).await.problem(status, code);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_tells_its_runs_its_log_and_why_it_waits() {
    let world = World::open().await.serving("scans").await;
    let (job_id, task_id) = world.task(json!({ "page": 7 })).await;
    let job = world.get(&format!("/api/v1/jobs/{job_id}")).await.is(200).body;
    assert_eq!((&job["state"], &job["stage"]), (&json!("waiting"), &json!("look")));
    assert_eq!(job["params"], json!({ "page": 7, "seen": "read" }));
    let words = job["why"][0]["words"].as_str().unwrap();
    assert!(words.contains("waits for a person at stage `look`"), "{words}");
    assert_eq!(job["why"][0]["detail"]["task_id"], task_id);
    assert!(job["why"][0]["detail"]["since"].is_string(), "moments are texts");
    let runs = job["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["stage"], &runs[0]["outcome"]), (&json!("read"), &json!("completed")));
    assert_eq!(runs[0]["attempts"][0]["outcome"], "completed");
    let log = world.get(&format!("/api/v1/jobs/{job_id}/log")).await.is(200).body;
    assert_eq!(log.as_array().unwrap().len(), 2);
    let log = world.get(&format!("/api/v1/jobs/{job_id}/log?level=warn")).await.is(200).body;
    assert_eq!(log[0]["line"], "goes on");
    let log = world.get(&format!("/api/v1/jobs/{job_id}/log?last=1&stage=read")).await.is(200).body;
    assert_eq!((log.as_array().unwrap().len(), &log[0]["level"]), (1, &json!("warn")));
    world.get(&format!("/api/v1/jobs/{job_id}/log?level=loud")).await.problem(422, "invalid");
    let whole = world.get(&format!("/api/v1/jobs/{job_id}/params")).await.is(200).body;
    assert_eq!(whole["params"], job["params"]);
    for path in ["", "/events", "/log", "/params"] {
        world.get(&format!("/api/v1/jobs/none{path}")).await.problem(404, "not_found");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_aborted_once_and_for_all() {
    let world = World::open().await.serving("scans").await;
    let (job_id, _) = world.task(json!({ "page": 1 })).await;
    let path = format!("/api/v1/jobs/{job_id}/abort");
    let answer = world.post(&path, json!({ "reason": "wrong page" })).await.is(200).body;
    assert_eq!(answer, json!({ "job_id": job_id, "outcome": "aborted" }));
    world.post(&path, json!({})).await.is(200);
    let job = world.get(&format!("/api/v1/jobs/{job_id}")).await.is(200).body;
    let words = job["why"][0]["words"].as_str().unwrap();
    assert!(words.contains("wrong page (by local)"), "{words}");
    let running = world.submit("scans", json!({ "page": 1, "do": "wait" })).await;
    world.reach(&running, JobState::Running).await;
    let path = format!("/api/v1/jobs/{running}/abort");
    assert_eq!(world.post(&path, json!({})).await.is(200).body["outcome"], "requested");
    world.reach(&running, JobState::Aborted).await;
    let (ended, task_id) = world.task(json!({ "page": 1 })).await;
    let answer = json!({ "answer": { "ok": false } });
    world.post(&format!("/api/v1/inbox/{task_id}/answer"), answer).await.is(200);
    world.reach(&ended, JobState::Completed).await;
    let path = format!("/api/v1/jobs/{ended}/abort");
    world.post(&path, json!({})).await.problem(409, "conflict");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_jobs_are_tried_again_with_other_params_or_dropped() {
    let world = World::open().await.serving("scans").await;
    let job_id = world.submit("scans", json!({ "page": 1, "do": "fail" })).await;
    world.reach(&job_id, JobState::Failed).await;
    let letters = world.get("/api/v1/dead-letters?stage=read").await.is(200).body;
    let failure = &letters["dead_letters"][0]["failure"];
    assert_eq!(
        (&failure["kind"], &failure["message"]),
        (&json!("permanent"), &json!("the page is blank"))
    );
    let retry = format!("/api/v1/jobs/{job_id}/retry");
    world.post(&retry, json!({ "from": "nowhere" })).await.problem(422, "invalid");
    world.post(&retry, json!({ "params": { "do": "fail" } })).await.problem(422, "invalid");
    world.post(&retry, json!({ "params": { "page": 2 } })).await.is(200);
    let job = world.reach(&job_id, JobState::Waiting).await;
    assert_eq!(json!(job.params), json!({ "page": 2, "seen": "read" }));
    world.post(&retry, json!({})).await.problem(409, "conflict");
    let events = world.get(&format!("/api/v1/jobs/{job_id}/events")).await.is(200).body;
    let requeued = events.as_array().unwrap().iter().find(|one| one["kind"] == "requeued").unwrap();
    assert_eq!(requeued["detail"]["by"], "local");
    let dropped = world.submit("scans", json!({ "page": 1, "do": "fail" })).await;
    world.reach(&dropped, JobState::Failed).await;
    world.delete(&format!("/api/v1/dead-letters/{dropped}")).await.is(204);
    world.delete(&format!("/api/v1/dead-letters/{dropped}")).await.problem(409, "conflict");
    world.delete("/api/v1/dead-letters/none").await.problem(404, "not_found");
    world.post("/api/v1/jobs/none/retry", json!({})).await.problem(404, "not_found");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_belong_to_the_trace_of_their_request() {
    let world = World::open().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = json!({ "pipeline": "scans", "params": { "page": 1 } });
    for (header, carried) in [(trace, Some(trace)), ("no trace", None)] {
        let request = world.request(Method::POST, "/api/v1/jobs").header("traceparent", header);
        let submitted = send(request.json(&body)).await.is(201).body;
        let job_id = submitted["jobs"][0]["job_id"].as_str().unwrap().into();
        let job = world.client.backend().store.job(&job_id).await.unwrap().unwrap();
        let traceparent = Contract::parse(&job.body).unwrap().traceparent();
        assert_eq!(traceparent.as_ref().map(Traceparent::as_str), carried);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_lane_is_told_with_when_to_come_again() {
    let world = World::open().await;
    let source = "{ name: narrow, stages: [{ id: a, type: away, queue: n }] }";
    let source = source.replace("queue: n", "queue: n, lane_limit: 1, key: n");
    let source = source.replace("type: away", "type: remote");
    let put = world.request(Method::PUT, "/api/v1/pipelines/narrow");
    send(put.json(&json!({ "source": source }))).await.is(201);
    let job = json!({ "pipeline": "narrow", "params": { "n": 1 } });
    world.post("/api/v1/jobs", job.clone()).await.is(201);
    let full = world.post("/api/v1/jobs", job.clone()).await;
    assert_eq!(full.headers["retry-after"], "1");
    full.problem(429, "full");
    let mut high = job;
    high["priority"] = json!("high");
    world.post("/api/v1/jobs", high).await.is(201);
    let told = world.get("/api/v1/pipelines/narrow").await.is(200).body;
    let stage = &told["stages"][0];
    assert_eq!((&stage["key"], &stage["lane_limit"]), (&json!("n"), &json!(1)));
    let queue = world.get("/api/v1/queues/n").await.is(200).body;
    assert_eq!((&queue["ready"], &queue["behind"]), (&json!(1), &json!(1)));
    world.end().await;
}
