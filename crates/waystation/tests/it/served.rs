//! A server over each queue and store that we claim to run on, and an engine apart from it: what
//! the server shows and does is the same, wherever the messages lie.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation::server::{self, Server};
use waystation::{App, Context, ErrorKind, Failure, Handle, OpenApp, Options};
use waystation_testing::faults::Proxy;

use crate::pairs::{Pair, on_pairs};

/// Nothing takes longer than this.
const WAIT_MAX: Duration = Duration::from_secs(40);

on_pairs!([sqlite, postgres] {
    jobs_are_followed_from_their_submission_to_their_end,
    server_alone_has_work_for_remote_workers,
});
on_pairs!([redis_with_sqlite, rabbitmq_with_postgres] {
    jobs_are_followed_from_their_submission_to_their_end,
    server_alone_has_work_for_remote_workers,
    broker_that_is_gone_is_told_of,
});

/// What the test lets the stage do.
struct Control {
    /// An attempt ends for each permit.
    may_end: Semaphore,
    /// Whether bad jobs fail.
    is_broken: AtomicBool,
}

/// A server, and an app that works apart from it.
struct World<'a> {
    pair: &'a Pair,
    control: Arc<Control>,
    working: OpenApp,
    http: reqwest::Client,
    address: String,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

async fn jobs_are_followed_from_their_submission_to_their_end(pair: &Pair) {
    let world = World::new(pair, None).await;
    let jobs = world.jobs_that_lie_are_told_of().await;
    let engine = world.paused_ones_wait_and_then_run(&jobs).await;
    world.failed_one_is_tried_again_with_all_others().await;
    world.people_answer_and_abort().await;
    world.remote_workers_work_side_by_side().await;
    world.drained_pipeline_takes_nothing().await;
    engine.stop();
    engine.join().await.expect("it ends well");
    world.end().await;
}

/// No engine runs anywhere.
async fn server_alone_has_work_for_remote_workers(pair: &Pair) {
    let world = World::new(pair, None).await;
    let job = world.submit_far().await;
    let claim = world.claim("one").await;
    let done = json!({ "claim": claim, "output": { "read": true } });
    world.post("/api/v1/work/complete", done).await;
    let path = format!("/api/v1/jobs/{job}");
    let told = world.until(&path, |job| job["state"] == "completed").await;
    assert_eq!(told["params"], json!({ "read": true }), "{told}");
    world.end().await;
}

/// What it has is shown as the journal told of it last, and that it is gone is told.
async fn broker_that_is_gone_is_told_of(pair: &Pair) {
    let (url, broker) = pair.broker();
    let proxy = Proxy::to(broker).await.expect("a free port");
    let proxied = url.replace(&broker.to_string(), &proxy.address().to_string());
    let world = World::new(pair, Some(&proxied)).await;
    let nobody = Options { stages: Some(Vec::new()), ..Options::default() };
    let carrying = world.working.start(nobody).await.expect("it starts");
    world.submit_far().await;
    world.carried("served.far").await;
    proxy.refuse();
    proxy.cut();
    let broker_is = |verdict: &'static str| {
        move |told: &Value| {
            let mut parts = list(told, "components").iter();
            parts.any(|part| part["name"] == "broker" && part["status"] == verdict)
        }
    };
    let health = world.until("/health", broker_is("unhealthy")).await;
    assert_eq!(health["status"], "unhealthy", "{health}");
    let queue = world.get("/api/v1/queues/served.far").await;
    assert_eq!(queue["ready"], 1, "{queue}");
    proxy.heal();
    world.until("/health", broker_is("healthy")).await;
    carrying.stop();
    carrying.join().await.expect("it ends");
    world.end().await;
}

impl<'a> World<'a> {
    /// The server may reach the broker by another URL.
    async fn new(pair: &'a Pair, queue: Option<&str>) -> Self {
        let control = Control { may_end: Semaphore::new(0), is_broken: AtomicBool::new(true) };
        let control = Arc::new(control);
        let served = app(pair, &control);
        let served = match queue {
            Some(url) => served.queue(url),
            None => served,
        };
        let served = served.open().await.expect("it opens");
        let working = app(pair, &control).open().await.expect("it opens");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = server::Options { address, ..server::Options::default() };
        let server = Server::bind(served.client().clone(), options).await.expect("it is bound");
        let address = format!("http://{}", server.address().expect("it has an address"));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run(stop.clone()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        Self { pair, control, working, http, address, stop, serving }
    }

    /// Nobody works yet; with a broker, they lie there.
    async fn jobs_that_lie_are_told_of(&self) -> Vec<String> {
        // Only what carries jobs to a broker runs here.
        let nobody = Options { stages: Some(Vec::new()), ..Options::default() };
        let carrying = self.working.start(nobody).await.expect("it starts");
        let job = |is_bad| json!({ "pipeline": "served", "params": { "bad": is_bad } });
        let jobs = json!({ "jobs": [job(false), job(true), job(false)] });
        let submitted = self.post("/api/v1/jobs", jobs).await;
        let jobs = submitted["jobs"].as_array().expect("a list").iter();
        let jobs: Vec<_> =
            jobs.map(|job| job["job_id"].as_str().expect("an id").to_owned()).collect();
        self.carried("served.work").await;
        carrying.stop();
        carrying.join().await.expect("it ends");

        let queue = self.get("/api/v1/queues/served.work").await;
        assert_eq!((&queue["ready"], &queue["in_flight"]), (&json!(3), &json!(0)), "{queue}");
        assert!(queue["oldest_at"].is_string(), "{queue}");
        let why = self.why(&jobs[0]).await;
        assert_eq!(why[0]["why"], "unserved", "{why:?}");
        let waits = if self.pair.has_broker() { "away" } else { "in_queue" };
        assert_eq!((&why[1]["why"], &why[1]["ready"]), (&json!(waits), &json!(3)), "{why:?}");
        let health = self.until("/health", |told| {
            told["components"].as_array().into_iter().flatten().any(|part| {
                let reason = part["reason"].as_str().unwrap_or_default();
                part["name"] == "queue/served.work" && reason.starts_with("3 wait, the oldest for")
            })
        });
        let parts = health.await["components"].as_array().cloned().unwrap_or_default();
        let broker = parts.iter().find(|part| part["name"] == "broker");
        assert_eq!(broker.is_some(), self.pair.has_broker(), "{parts:?}");
        let metrics = self.http.get(format!("{}/metrics", self.address)).send().await;
        let metrics = metrics.expect("it answers").text().await.expect("a text");
        let line = "waystation_queue_messages{queue=\"served.work\",state=\"ready\"} 3\n";
        assert!(metrics.contains(line), "{metrics}");
        jobs
    }

    async fn paused_ones_wait_and_then_run(&self, jobs: &[String]) -> Handle {
        let stage = "/api/v1/pipelines/served/stages/work";
        self.post(&format!("{stage}/pause"), json!({ "reason": "too hot" })).await;
        let engine = self.working.start(Options::default()).await.expect("it starts");
        let queue = self.until("/api/v1/queues/served.work", |queue| queue["workers"] == 1).await;
        assert_eq!((&queue["ready"], &queue["in_flight"]), (&json!(3), &json!(0)), "{queue}");
        assert_eq!(queue["pauses"][0]["reason"], "too hot", "{queue}");
        let why = self.why(&jobs[0]).await;
        assert_eq!((&why[0]["why"], &why[0]["reason"]), (&json!("paused"), &json!("too hot")));

        self.post(&format!("{stage}/resume"), json!({})).await;
        self.until("/api/v1/queues/served.work", |queue| {
            queue["in_flight"] == 2 && queue["ready"] == 1
        })
        .await;
        let running = "/api/v1/jobs?pipeline=served&state=running";
        let running = self.until(running, |page| list(page, "jobs").len() == 2).await;
        let job = running["jobs"][0]["job_id"].as_str().expect("an id");
        assert_eq!(self.why(job).await[0]["why"], "running");
        self.control.may_end.add_permits(3);
        self.until("/api/v1/dead-letters", |page| list(page, "dead_letters").len() == 1).await;
        assert_eq!(self.why(&jobs[1]).await[0]["why"], "failed");
        engine
    }

    async fn failed_one_is_tried_again_with_all_others(&self) {
        self.control.is_broken.store(false, Ordering::SeqCst);
        self.control.may_end.add_permits(1);
        let selection = json!({ "pipeline": "served" });
        let request = json!({ "act": "retry", "selection": selection, "reason": "mended" });
        let operation = self.post("/api/v1/operations", request).await;
        let operation = format!("/api/v1/operations/{}", operation["id"].as_str().expect("an id"));
        let done = self.until(&operation, |told| told["ended_at"].is_string()).await;
        assert_eq!(done["done"], 1, "{done}");
        self.until("/api/v1/inbox", |page| list(page, "tasks").len() == 3).await;
        let letters = self.get("/api/v1/dead-letters").await;
        assert!(list(&letters, "dead_letters").is_empty(), "{letters}");
    }

    async fn people_answer_and_abort(&self) {
        let page = self.get("/api/v1/inbox").await;
        let tasks = list(&page, "tasks");
        let why = self.why(tasks[0]["job_id"].as_str().expect("an id")).await;
        assert_eq!(why[0]["why"], "at_inbox", "{why:?}");
        for task in &tasks[..2] {
            let answer = format!("/api/v1/inbox/{}/answer", task["task_id"]);
            self.post(&answer, json!({ "answer": { "fine": true } })).await;
        }
        let job = tasks[2]["job_id"].as_str().expect("an id");
        let abort = format!("/api/v1/jobs/{job}/abort");
        let aborted = self.post(&abort, json!({ "reason": "not wanted" })).await;
        assert_eq!(aborted["outcome"], "aborted", "{aborted}");
        assert_eq!(self.why(job).await[0]["why"], "aborted");
        let far = "/api/v1/queues/served.far";
        self.until(far, |queue| queue["ready"] == 2 && queue["oldest_at"].is_string()).await;
    }

    async fn remote_workers_work_side_by_side(&self) {
        let mut claims = Vec::new();
        for worker in ["one", "two"] {
            claims.push(self.claim(worker).await);
        }
        self.until("/api/v1/queues/served.far", |queue| queue["in_flight"] == 2).await;
        for claim in claims {
            let done = json!({ "claim": claim, "output": { "read": true } });
            let told = self.post("/api/v1/work/complete", done).await;
            assert_eq!(told["state"], "completed", "{told}");
        }
        let completed = "/api/v1/jobs?pipeline=served&state=completed";
        self.until(completed, |page| list(page, "jobs").len() == 2).await;
    }

    async fn drained_pipeline_takes_nothing(&self) {
        self.post("/api/v1/pipelines/served/drain", json!({ "reason": "enough" })).await;
        let job = json!({ "pipeline": "served", "params": {} });
        let (status, problem) = self.ask("/api/v1/jobs", job).await;
        let code = problem["code"].as_str();
        assert_eq!((status, code), (StatusCode::CONFLICT, Some("draining")), "{problem}");
        self.post("/api/v1/pipelines/served/resume", json!({})).await;
        self.until("/api/v1/queues", |queues| {
            let is_empty = |queue: &Value| queue["ready"] == 0 && queue["in_flight"] == 0;
            queues.as_array().is_some_and(|queues| queues.iter().all(is_empty))
        })
        .await;
        self.until("/health", |told| told["status"] == "healthy").await;
    }

    async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(WAIT_MAX, self.serving).await.expect("it ends in time");
        ended.expect("it does not break").expect("it ends well");
    }

    /// A job that begins with the remote stage.
    async fn submit_far(&self) -> String {
        let job = json!({ "pipeline": "served", "entry_stage": "far", "params": {} });
        let told = self.post("/api/v1/jobs", job).await;
        told["jobs"][0]["job_id"].as_str().expect("an id").to_owned()
    }

    async fn claim(&self, worker: &str) -> String {
        let wanted = json!({ "worker": worker, "pipeline": "served", "wait_seconds": 20 });
        let told = self.post("/api/v1/work/claim", wanted).await;
        let claim = told["claims"][0]["claim"].as_str().map(str::to_owned);
        claim.unwrap_or_else(|| panic!("{worker} gets one: {told}"))
    }

    /// Until nothing waits in the store for a courier.
    async fn carried(&self, queue: &str) {
        let Some(books) = &self.working.client().backend().books else { return };
        let carrying = async {
            loop {
                let depth = books.ledger.depth(&queue.into()).await.expect("depth");
                if depth.ready + depth.leased == 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WAIT_MAX, carrying).await.expect("carried in time");
    }

    /// The reasons of a job, as data.
    async fn why(&self, job: &str) -> Vec<Value> {
        let told = self.get(&format!("/api/v1/jobs/{job}")).await;
        list(&told, "why").iter().map(|reason| reason["detail"].clone()).collect()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.address)).send().await;
        answer.expect("it answers").json().await.expect("JSON")
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, told) = self.ask(path, body).await;
        assert!(status.is_success(), "{path}: {status} {told}");
        told
    }

    async fn ask(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let asked = self.http.post(format!("{}{path}", self.address)).json(&body);
        let answer = asked.send().await.expect("it answers");
        let status = answer.status();
        let text = answer.text().await.expect("a text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Asks until the answer is so.
    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let reaching = async {
            let mut signals = self.working.client().backend().bus.subscribe();
            loop {
                let told = self.get(path).await;
                if is_so(&told) {
                    return told;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), signals.next()).await;
            }
        };
        if let Ok(told) = tokio::time::timeout(WAIT_MAX, reaching).await {
            return told;
        }
        panic!("{path} does not tell it in time: {}", self.get(path).await)
    }
}

/// A stage of ours, one for people, and one for remote workers.
fn app(pair: &Pair, control: &Arc<Control>) -> App {
    let control = Arc::clone(control);
    let work = move |_: Context, params: Value| {
        let control = Arc::clone(&control);
        async move {
            control.may_end.acquire().await.expect("it is open").forget();
            if params["bad"] == true && control.is_broken.load(Ordering::SeqCst) {
                return Err(Failure::new(ErrorKind::Permanent, "it is broken"));
            }
            Ok(json!({ "worked": true }))
        }
    };
    pair.app("served")
        .stage_with("work", work, json!({ "concurrency": 2 }))
        .settings(json!({ "id": "check", "type": "manual", "form": { "fine": "boolean" } }))
        .settings(json!({ "id": "far", "type": "remote" }))
}

fn list<'a>(told: &'a Value, name: &str) -> &'a [Value] {
    told[name].as_array().map_or(&[], Vec::as_slice)
}
