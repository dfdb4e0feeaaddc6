//! Programs that ask for work: claims, what comes of them, and what does not.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::{EventKind, Level};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Handler;
use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_engine::control::{Mode, Target, WorkerKind};
use waystation_engine::remote::{
    Answer, Claim, ClaimId, ClaimRequest, Completed, Error, Extension, Failed, Line, Options,
    Remote,
};
use waystation_testing::faults::{Call, FailsAtFirst};

use crate::world::{World, end};

const MIXED: &str = "
name: test
stages:
  - { id: a, type: x }
  - { id: far, type: remote, required_params: [n], output_params: [seen], max_deliveries: 2,
      retry: { max_retries: 1, backoff: none } }
  - { id: c, type: x }
";

fn fine() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

fn params(value: Value) -> Params {
    let Value::Object(params) = value else { panic!("params are an object") };
    params
}

async fn world() -> World {
    World::new(MIXED, [("x", fine())]).await
}

async fn serve(world: &World) -> Remote {
    Remote::start(world.client.clone(), Options::default()).await.expect("started")
}

fn asks(worker: &str) -> ClaimRequest {
    ClaimRequest {
        pipeline: "test".into(),
        stages: vec!["far".into()],
        max: 10,
        wait: Duration::from_secs(20),
        lease: None,
        worker: worker.to_owned(),
    }
}

async fn claim_one(remote: &Remote, worker: &str) -> Claim {
    let mut claims = remote.claim(asks(worker)).await.expect("answered");
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

fn seen(value: u32) -> Completed {
    Completed { output: params(json!({ "seen": value })), ..Completed::default() }
}

fn failed(message: &str) -> Failed {
    Failed {
        kind: None,
        message: message.to_owned(),
        retryable: None,
        retry_after_seconds: None,
        log: Vec::new(),
    }
}

async fn kinds_at(world: &World, job_id: &JobId, stage: &str) -> Vec<EventKind> {
    let events = world.client.backend().store.events(job_id).await.expect("read");
    events.iter().filter(|one| one.stage.as_str() == stage).map(|one| one.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_stage_stands_between_local_ones() {
    let world = world().await;
    let engine = world.start().await;
    let remote = serve(&world).await;
    let waiting = tokio::spawn({
        let remote = remote.clone();
        async move { claim_one(&remote, "w1").await }
    });
    let job_id = world.submit(json!({ "n": 7 })).await;
    let claim = waiting.await.expect("claimed");
    assert_eq!((&claim.job_id, claim.stage.as_str()), (&job_id, "far"));
    assert_eq!((claim.visit, claim.attempt, claim.deliveries, claim.version), (2, 1, 1, 1));
    assert_eq!(json!(claim.params), json!({ "n": 7 }));
    assert_eq!(claim.idempotency_key, format!("{job_id}/far/2"));
    assert_eq!(world.job(&job_id).await.state, JobState::Running);
    remote.progress(&claim.claim_id, 40.0, "half").await.expect("told");
    let line = |line: &str| Line { level: Level::Info, line: line.to_owned() };
    remote.log(&claim.claim_id, &[line("begun")]).await.expect("told");
    let extended = remote.extend(from_ref(&claim.claim_id), None).await.expect("answered");
    assert!(
        matches!(extended[0], Extension::Held { lease_until } if lease_until >= claim.lease_until)
    );
    let completed = Completed { log: vec![line("done")], ..seen(1) };
    let answer = remote.complete(&claim.claim_id, completed).await.expect("taken");
    assert_eq!((answer.state, answer.stage.as_str()), (JobState::Queued, "c"));
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "n": 7, "seen": 1 }));
    let log = world.client.backend().store.log(&job_id).await.expect("read");
    let lines: Vec<_> = log.iter().map(|one| (one.line.as_str(), one.stage.as_str())).collect();
    assert_eq!(lines, [("begun", "far"), ("done", "far")]);
    let events = world.client.backend().store.events(&job_id).await.expect("read");
    let began = events.iter().find(|one| one.kind == EventKind::Started && one.visit == 2);
    let began = json!(began.expect("it began").detail);
    assert_eq!(began["worker"], json!("w1"));
    remote.stop().await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_end_told_twice_is_answered_the_same_also_after_a_restart() {
    let world = world().await;
    let remote = serve(&world).await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    let id = &claim.claim_id;
    let first = remote.complete(id, seen(1)).await.expect("taken");
    let second = remote.complete(id, seen(1)).await.expect("the same");
    assert_eq!(first, second);
    let other = serve(&world).await;
    for server in [&remote, &other] {
        let third: Answer = server.complete(id, seen(1)).await.expect("the same");
        assert_eq!((third.state, &third.job_id), (JobState::Queued, &job_id));
        let otherwise = server.complete(id, seen(2)).await;
        assert!(matches!(otherwise, Err(Error::Lost)));
        assert!(matches!(server.fail(id, failed("no")).await, Err(Error::Lost)));
        assert!(matches!(server.hand_back(id).await, Err(Error::Lost)));
        assert!(matches!(server.progress(id, 1.0, "").await, Err(Error::Lost)));
        assert_eq!(server.extend(from_ref(id), None).await.expect("answered"), [Extension::Lost]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_outlives_the_server_that_gave_it() {
    let world = world().await;
    let remote = serve(&world).await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    drop(remote);
    let other = serve(&world).await;
    let extended = other.extend(from_ref(&claim.claim_id), None).await.expect("answered");
    assert!(matches!(extended[0], Extension::Held { .. }));
    other.progress(&claim.claim_id, 50.0, "half").await.expect("told");
    let answer = other.complete(&claim.claim_id, seen(1)).await.expect("taken");
    assert_eq!((answer.job_id, answer.stage.as_str()), (job_id.clone(), "c"));
    assert_eq!(json!(world.job(&job_id).await.params), json!({ "n": 7, "seen": 1 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_worker_is_refused_when_its_lease_was_lost() {
    let world = world().await;
    let remote = serve(&world).await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let short = ClaimRequest { lease: Some(Duration::from_secs(1)), ..asks("w1") };
    let late = remote.claim(short).await.expect("answered").remove(0);
    let claim = claim_one(&remote, "w2").await;
    assert_eq!((&claim.job_id, claim.attempt, claim.deliveries), (&job_id, 1, 2));
    assert_ne!(claim.claim_id, late.claim_id);
    let extended = remote.extend(from_ref(&late.claim_id), None).await.expect("answered");
    assert_eq!(extended, [Extension::Lost]);
    assert!(matches!(remote.complete(&late.claim_id, seen(1)).await, Err(Error::Lost)));
    remote.complete(&claim.claim_id, seen(1)).await.expect("taken");
    // Also where both say the same.
    assert!(matches!(remote.complete(&late.claim_id, seen(1)).await, Err(Error::Lost)));
    assert_eq!(world.job(&job_id).await.stage.as_str(), "c");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_hears_of_an_abort_when_it_extends() {
    let world = world().await;
    let remote = serve(&world).await;
    for told in ["completed", "handed back"] {
        let job_id = world.submit_at("far", json!({ "n": 7 })).await;
        let claim = claim_one(&remote, "w1").await;
        world.client.abort_as(&job_id, "not wanted", "ann").await.expect("asked");
        let extended = remote.extend(from_ref(&claim.claim_id), None).await.expect("answered");
        let reason = "not wanted (by ann)".to_owned();
        assert_eq!(extended, [Extension::AbortRequested { reason }]);
        let answer = match told {
            "completed" => remote.complete(&claim.claim_id, seen(1)).await,
            _ => remote.hand_back(&claim.claim_id).await,
        };
        assert_eq!(answer.expect("taken").state, JobState::Aborted, "{told}");
        let job = world.job(&job_id).await;
        assert_eq!(job.state, JobState::Aborted);
        assert_eq!(job.failure.expect("why").message, "not wanted (by ann)");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_tried_again_as_the_stage_says() {
    let world = world().await;
    let remote = serve(&world).await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    let answer = remote.fail(&claim.claim_id, failed("busy")).await.expect("taken");
    assert_eq!(answer.state, JobState::Retrying);
    assert_eq!(remote.fail(&claim.claim_id, failed("busy")).await.expect("the same"), answer);
    let claim = claim_one(&remote, "w1").await;
    assert_eq!((claim.attempt, claim.deliveries), (2, 1));
    let answer = remote.hand_back(&claim.claim_id).await.expect("taken");
    assert_eq!(answer.state, JobState::Queued);
    let claim = claim_one(&remote, "w1").await;
    assert_eq!((claim.attempt, claim.deliveries), (2, 1), "handing back counts nothing");
    let answer = remote.fail(&claim.claim_id, failed("busy still")).await.expect("taken");
    assert_eq!(answer.state, JobState::Failed);
    let failure = world.job(&job_id).await.failure.expect("why");
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Error, "busy still"));
    let permanent = world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    let bad = Failed { retryable: Some(false), ..failed("never") };
    let answer = remote.fail(&claim.claim_id, bad).await.expect("taken");
    assert_eq!((answer.state, answer.job_id), (JobState::Failed, permanent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_good_is_not_handed_out_and_poison_is_recognised() {
    let world = world().await;
    let remote = serve(&world).await;
    let lacking = world.submit(json!({})).await;
    let engine = world.start().await;
    world.until("it came there", async || world.job(&lacking).await.stage.as_str() == "far").await;
    let soon = ClaimRequest { wait: Duration::ZERO, ..asks("w1") };
    assert_eq!(remote.claim(soon.clone()).await.expect("answered"), []);
    let job = world.job(&lacking).await;
    assert_eq!(
        (job.state, job.failure.expect("why").kind),
        (JobState::Failed, ErrorKind::MissingParam)
    );
    let poison = world.submit_at("far", json!({ "n": 7 })).await;
    let short = ClaimRequest { lease: Some(Duration::from_secs(1)), ..asks("w1") };
    for deliveries in [1, 2] {
        let claims = remote.claim(short.clone()).await.expect("answered");
        assert_eq!(claims[0].deliveries, deliveries);
    }
    let last = ClaimRequest { wait: Duration::from_millis(1_500), ..short };
    assert_eq!(remote.claim(last).await.expect("answered"), []);
    let job = world.job(&poison).await;
    assert_eq!((job.state, job.failure.expect("why").kind), (JobState::Failed, ErrorKind::Poison));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_promise_is_a_failure_that_the_worker_is_told() {
    let world = world().await;
    let remote = serve(&world).await;
    world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    let answer = remote.complete(&claim.claim_id, Completed::default()).await.expect("taken");
    assert_eq!(answer.state, JobState::Failed);
    let instead = answer.instead.expect("it says why");
    assert!(instead.contains("other keys than its output_params: missing seen"), "{instead}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_whose_time_is_over_fails_though_its_lease_lasts() {
    let limited = "name: test\nstages: [{ id: far, type: remote, timeout_seconds: 0.2, \
                   retry: { max_retries: 0 } }]";
    let world = World::new(limited, [("x", fine())]).await;
    let options = Options { grace: Duration::from_millis(200), ..Options::default() };
    let remote = Remote::start(world.client.clone(), options).await.expect("started");
    let job_id = world.submit(json!({})).await;
    let claim = claim_one(&remote, "w1").await;
    assert!(claim.deadline.is_some_and(|deadline| deadline < claim.lease_until));
    let job = world.reach(&job_id, JobState::Failed).await;
    assert_eq!(job.failure.expect("why").message, "stage `far` took longer than 200ms");
    assert!(matches!(
        remote.complete(&claim.claim_id, Completed::default()).await,
        Err(Error::Lost)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_stage_gives_nothing_and_what_was_asked_in_vain_goes_back() {
    let world = world().await;
    let target = Target::parse("stage/test/far").expect("a target");
    world.client.pause(target.clone(), Mode::Pause, "ann", "x").await.expect("paused");
    let remote = serve(&world).await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let soon = ClaimRequest { wait: Duration::from_millis(50), ..asks("w1") };
    assert_eq!(remote.claim(soon).await.expect("answered"), []);
    let waiting = tokio::spawn({
        let remote = remote.clone();
        async move { claim_one(&remote, "w1").await }
    });
    world.client.resume(&target).await.expect("resumed");
    let claim = waiting.await.expect("claimed");
    assert_eq!(claim.job_id, job_id);
    remote.hand_back(&claim.claim_id).await.expect("taken");
    assert_eq!(kinds_at(&world, &job_id, "far").await.last(), Some(&EventKind::HandedBack));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_waits_for_any_more_is_left_for_the_next() {
    let world = world().await;
    let remote = serve(&world).await;
    let gone = tokio::spawn({
        let remote = remote.clone();
        async move { remote.claim(asks("gone")).await }
    });
    let asked = async || world.flaky.calls(Call::Receive) > 1;
    world.until("it waits for work", asked).await;
    gone.abort();
    let _ = gone.await;
    let job_id = world.submit_at("far", json!({ "n": 7 })).await;
    let claim = claim_one(&remote, "w1").await;
    assert_eq!((&claim.job_id, claim.deliveries), (&job_id, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_workers_are_told_of_and_explained() {
    let world = world().await;
    let remote = serve(&world).await;
    let first = world.submit_at("far", json!({ "n": 7 })).await;
    let words = async |job_id: &JobId| {
        let explained = world.client.why(job_id).await.expect("read").expect("known");
        explained.words.join(" | ")
    };
    let before = words(&first).await;
    assert!(before.starts_with("no remote worker asked for work of stage `far`"), "{before}");
    let claim = claim_one(&remote, "w1").await;
    let told = async || {
        let workers = world.client.workers().await.expect("read");
        workers.iter().any(|one| one.kind == WorkerKind::Remote && one.in_flight == 1)
    };
    world.until("the worker is told of", told).await;
    let second = world.submit_at("far", json!({ "n": 7 })).await;
    let running = words(&first).await;
    assert!(running.contains("attempt 1 at stage `far` runs on w1@"), "{running}");
    let waits = words(&second).await;
    assert!(waits.starts_with("waits its turn in queue `test.far` with 1 ready"), "{waits}");
    remote.complete(&claim.claim_id, seen(1)).await.expect("taken");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = world().await;
    let remote = serve(&world).await;
    let claim =
        async |request: ClaimRequest| remote.claim(request).await.expect_err("refused").to_string();
    let at = |stage: &str| ClaimRequest { stages: vec![stage.into()], ..asks("w1") };
    assert_eq!(
        claim(at("a")).await,
        "stage `a` of pipeline `test` is not of type remote (those that are: far)"
    );
    let none = ClaimRequest { pipeline: "none".into(), ..asks("w1") };
    assert!(claim(none).await.starts_with("pipeline `none` is unknown"));
    assert!(claim(asks("")).await.starts_with("`` is no worker's name"));
    let nothing = remote.complete(&ClaimId::new("abc"), Completed::default()).await;
    assert_eq!(nothing.expect_err("refused").to_string(), "`abc` is no claim");
    remote.stop().await;
    assert!(claim(asks("w1")).await.contains("is stopping"));
}
