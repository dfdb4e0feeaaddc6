//! The inbox: tasks are held by one person and answered once.

use serde_json::json;
use waystation_core::state::JobState;
use waystation_server::access::Role;

use crate::world::{World, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_answered_once_however_often_the_answer_comes() {
    let world = World::open().await.serving("scans").await;
    let (job_id, task_id) = world.task(json!({ "page": 1 })).await;
    let task = world.get(&format!("/api/v1/inbox/{task_id}")).await.is(200).body;
    assert_eq!(task["params"], json!({ "page": 1, "seen": "read" }));
    assert_eq!(task["form"][1], json!({ "name": "note", "type": "string", "optional": true }));
    assert_eq!(task["schema"]["required"], json!(["ok"]));
    let path = format!("/api/v1/inbox/{task_id}/answer");
    let told =
        world.post(&path, json!({ "answer": { "ok": "yes" } })).await.problem(422, "invalid");
    assert!(told.contains("`ok` must be boolean"), "{told}");
    let answer = json!({ "answer": { "ok": true, "note": "sharp" } });
    let first = world.post(&path, answer.clone()).await.is(200).body;
    assert_eq!(first, json!({ "job_id": job_id, "repeated": false }));
    let again = world.post(&path, answer).await.is(200).body;
    assert_eq!(again, json!({ "job_id": job_id, "repeated": true }));
    world.post(&path, json!({ "answer": { "ok": false } })).await.problem(409, "conflict");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(
        json!(job.params),
        json!({ "page": 1, "seen": "file", "ok": true, "note": "sharp" })
    );
    let none = world.post("/api/v1/inbox/999/answer", json!({ "answer": {} })).await;
    none.problem(404, "not_found");
    world.get("/api/v1/inbox/999").await.problem(404, "not_found");
    world.get("/api/v1/inbox/seven").await.problem(400, "bad_request");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_held_by_one_person() {
    let (world, tokens) = World::guarded().await;
    let world = world.serving("scans").await;
    let (_, task_id) = world.task(json!({ "page": 1 })).await;
    let other = |act: &str, body: serde_json::Value| {
        let request = world.http.post(format!("{}/api/v1/inbox/{task_id}/{act}", world.url));
        send(request.bearer_auth(&tokens[&Role::Operator]).json(&body))
    };
    let mine = |act: &str| format!("/api/v1/inbox/{task_id}/{act}");
    let task = other("claim", json!({ "lasts_seconds": 60 })).await.is(200).body;
    assert_eq!(task["holder"], "operator");
    assert!(task["claimed_until"].is_string());
    world.post(&mine("claim"), json!({})).await.problem(409, "conflict");
    world.post(&mine("release"), json!({})).await.problem(409, "conflict");
    let answer = json!({ "answer": { "ok": true } });
    let told = world.post(&mine("answer"), answer.clone()).await.problem(409, "conflict");
    assert!(told.contains("held by operator"), "{told}");
    assert_eq!(other("release", json!({})).await.is(200).body.get("holder"), None);
    let task = world.post(&mine("assign"), json!({ "to": "admin" })).await.is(200).body;
    assert_eq!(task["holder"], "admin");
    other("answer", answer.clone()).await.problem(409, "conflict");
    world.post(&mine("assign"), json!({ "to": "" })).await.problem(422, "invalid");
    world.post(&mine("claim"), json!({ "lasts_seconds": 0 })).await.problem(422, "invalid");
    world.post(&mine("answer"), answer).await.is(200);
    world.post("/api/v1/inbox/999/claim", json!({})).await.problem(404, "not_found");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inbox_is_listed_by_whose_and_when() {
    let world = World::open().await.serving("scans").await;
    let (first_job, first) = world.task(json!({ "page": 1 })).await;
    let (_, second) = world.task(json!({ "page": 2 })).await;
    world.post(&format!("/api/v1/inbox/{first}/claim"), json!({})).await.is(200);
    let due = json!({ "due_at": "2001-01-01T00:00:00Z" });
    let task = world.post(&format!("/api/v1/inbox/{second}/due"), due).await.is(200).body;
    assert_eq!(task["is_overdue"], true);
    for (query, expected) in [
        ("", vec![first, second]),
        ("holder=me", vec![first]),
        ("holder=nobody", vec![second]),
        ("holder=me_or_nobody", vec![first, second]),
        ("holder=name:bob", vec![]),
        ("due_before=2002-01-01T00:00:00Z", vec![second]),
        ("stage=look&pipeline=scans", vec![first, second]),
        ("pipeline=far", vec![]),
        (&format!("job_id={first_job}"), vec![first]),
        (&format!("after={first}"), vec![second]),
    ] {
        let page = world.get(&format!("/api/v1/inbox?{query}")).await.is(200).body;
        let tasks = page["tasks"].as_array().unwrap().iter();
        let ids: Vec<_> = tasks.map(|task| task["task_id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    world.get("/api/v1/inbox?holder=somebody").await.problem(422, "invalid");
    let page = world.get("/api/v1/inbox?limit=1").await.is(200).body;
    assert_eq!(page["next"], first);
    let undue = json!({ "due_at": null });
    let task = world.post(&format!("/api/v1/inbox/{second}/due"), undue).await.is(200).body;
    assert_eq!((task.get("due_at"), &task["is_overdue"]), (None, &json!(false)));
    world.end().await;
}
