//! Sources that are called: over the program's own server, as services call them.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::program::{Place, WAIT_MAX};
use crate::server::Served;

const PIPELINE: &str = r#"
name: docs
stages:
  - { id: push, type: webhook, settings: {
        secret: "${HOOK_SECRET}", header_params: { event: X-GitHub-Event }, max_bytes: 1000 } }
  - { id: told, type: webhook, settings: {
        secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, signature: standard } }
  - { id: told_long_ago, type: webhook, settings: {
        secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, signature: standard,
        tolerance_seconds: 10000000000 } }
  - { id: brought, type: webhook, settings: { id: /id, under: call } }
  - { id: look, type: manual, form: { ok: boolean } }
routes:
  - { from: push, to: look }
  - { from: told, to: look }
  - { from: told_long_ago, to: look }
  - { from: brought, to: look }
"#;
/// What GitHub shows its signature by.
const SECRET: &str = "It's a Secret to Everybody";

/// A server with these hooks, and what calls them.
struct World {
    served: Served,
    http: Client,
    runtime: Runtime,
}

/// What came of a call.
struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl World {
    fn new() -> Self {
        let place = Place::with_pipeline(PIPELINE).with("HOOK_SECRET", SECRET);
        let served = Served::new(&place);
        served.place_of("ada", "admin").run(&["pipelines", "put", "pipeline.yaml"]).exits(0);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().timeout(WAIT_MAX).build().expect("a client");
        let runtime = Runtime::new().expect("a runtime");
        Self { served, http, runtime }
    }

    fn call(&self, stage: &str, body: &str) -> RequestBuilder {
        self.of_type("application/json", stage, body)
    }

    fn of_type(&self, content_type: &str, stage: &str, body: &str) -> RequestBuilder {
        let url = format!("{}/api/v1/hooks/docs/{stage}", self.served.address());
        self.http.post(url).header("content-type", content_type).body(body.to_owned())
    }

    /// A call as GitHub makes it.
    fn push(&self, delivery: &str, body: &str, signature: &str) -> Answer {
        let call = self.call("push", body).header("X-GitHub-Delivery", delivery);
        let call = call.header("X-GitHub-Event", "push");
        self.answer(call.header("X-Hub-Signature-256", format!("sha256={signature}")))
    }

    /// The vector of Standard Webhooks, from the year 2021.
    fn told(&self, stage: &str) -> Answer {
        let call = self.call(stage, r#"{"test": 2432232314}"#);
        let call = call.header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let call = call.header("webhook-timestamp", "1614265330");
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        self.answer(call.header("webhook-signature", signature))
    }

    fn answer(&self, call: RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = call.send().await.expect("an answer");
            let status = response.status().as_u16();
            let retry_after = response.headers().get("retry-after");
            let retry_after = retry_after.map(|value| value.to_str().expect("a text").to_owned());
            let body = response.text().await.expect("a body");
            let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
            Answer { status, retry_after, body }
        })
    }
}

/// How many jobs there are.
fn jobs(place: &Place) -> usize {
    place.run(&["jobs", "list", "--json"]).exits(0).objects().len()
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    #[track_caller]
    fn problem(self, status: u16, code: &str) -> String {
        let body = self.is(status);
        assert_eq!(body["code"], code, "{body:#}");
        body["detail"].as_str().expect("words").to_owned()
    }
}

#[test]
fn signed_call_becomes_one_job_however_often_it_comes() {
    let world = World::new();
    let olga = world.served.place_of("olga", "operator");
    let body = r#"{"ref": "refs/heads/main"}"#;
    let good = "99024ba37a2b618a084812957197688cb60f8fd15506ebf8ec6d1bb1c844ecf8";
    let first = world.push("d1", body, good).is(201);
    let again = world.push("d1", body, good).is(200);
    let id = |body: &Value| body["jobs"][0]["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(id(&first), id(&again));
    assert_eq!(again["jobs"][0]["outcome"], "duplicate");
    let other = world.push("d2", body, good).is(201);
    assert_ne!(id(&first), id(&other));
    let job = olga.show(&id(&first));
    let expected = json!({ "ref": "refs/heads/main", "event": "push" });
    assert_eq!(job["job"]["params"], expected);
    assert_eq!(jobs(&olga), 2);
    let ada = world.served.place_of("eve", "admin");
    ada.run(&["audit"]).exits(0).says("call_hook").says("hook docs/push");
}

#[test]
fn calls_that_prove_nothing_are_refused() {
    let world = World::new();
    let olga = world.served.place_of("olga", "operator");
    let body = r#"{"ref": "refs/heads/main"}"#;
    let bad = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let refused = world.push("d1", body, bad).problem(401, "unauthenticated");
    assert_eq!(refused, "no signature in `X-Hub-Signature-256` is this call's");
    world.answer(world.call("push", body)).problem(401, "unauthenticated");
    let refused = world.told("told").problem(401, "unauthenticated");
    assert!(refused.contains("from our time, more than the 300 s allowed"), "{refused}");
    world.told("told_long_ago").is(201);
    world.told("told_long_ago").is(200);
    // A token opens no hook that wants a signature, and one without takes an operator's.
    let vic = world.served.token_of("vic", "viewer");
    let otto = world.served.token_of("otto", "operator");
    let viewer = |call: RequestBuilder| world.answer(call.bearer_auth(&vic));
    let operator = |call: RequestBuilder| world.answer(call.bearer_auth(&otto));
    operator(world.call("push", body)).problem(401, "unauthenticated");
    let brought = || world.call("brought", r#"{"id": 7}"#);
    world.answer(brought()).problem(401, "unauthenticated");
    viewer(brought()).problem(403, "forbidden");
    operator(brought()).is(201);
    operator(brought()).is(200);
    // Whether there is such a hook is for operators to know.
    world.answer(world.call("nothing", "{}")).problem(401, "unauthenticated");
    operator(world.call("nothing", "{}")).problem(404, "not_found");
    operator(world.call("look", "{}")).problem(404, "not_found");
    assert_eq!(jobs(&olga), 2);
}

#[test]
fn calls_that_cannot_be_read_are_told_why() {
    let world = World::new();
    let token = world.served.token_of("otto", "operator");
    let brought = |body: &str| world.answer(world.call("brought", body).bearer_auth(&token));
    brought("<html>").problem(400, "bad_request");
    brought("{}").problem(422, "invalid");
    brought("[]").problem(422, "invalid");
    brought(&format!("[{}]", vec!["1"; 501].join(","))).problem(413, "too_large");
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(1_000));
    let refused = world.push("d1", &large, "00").problem(413, "too_large");
    assert!(refused.contains("more than the 1000 that the stage takes"), "{refused}");
    let text = world.of_type("text/plain", "brought", "{}").bearer_auth(&token);
    world.answer(text).problem(415, "unsupported_media_type");
    // One that is wrong keeps all from becoming jobs; otherwise each becomes one.
    brought(r#"[{"id": 1}, {"no": 2}]"#).problem(422, "invalid");
    let three = brought(r#"[{"id": 1}, {"id": 2}, {"id": 1}]"#).is(201);
    let told: Vec<_> = three["jobs"].as_array().expect("jobs").iter().collect();
    assert_eq!(told[0]["job_id"], told[2]["job_id"]);
    assert_eq!(jobs(&world.served.place_of("olga", "operator")), 2);
}

#[test]
fn hook_is_shown_paused_and_never_looks() {
    let world = World::new();
    let olga = world.served.place_of("olga", "operator");
    let shown = olga.run(&["sources", "show", "docs/push"]).exits(0);
    shown.says("POST /api/v1/hooks/docs/push").says("when called");
    olga.run(&["sources"]).exits(0).says("docs/brought");
    olga.run(&["sources", "crawl", "docs/push"]).exits(2).says("never looks");
    let shown = olga.run(&["pipelines", "show", "docs"]).exits(0);
    assert!(!shown.stdout.contains("whsec_Mf"), "{shown:#?}");

    let token = world.served.token_of("otto", "operator");
    let mut number = 0;
    let mut brought = || {
        number += 1;
        world
            .answer(world.call("brought", &json!({ "id": number }).to_string()).bearer_auth(&token))
    };
    brought().is(201);
    olga.run(&["pause", "docs/brought", "--reason", "the lamp"]).exits(0);
    let began = Instant::now();
    // What is paused is known a second later.
    let paused = loop {
        let answer = brought();
        if answer.status != 201 || began.elapsed() > Duration::from_secs(20) {
            break answer;
        }
    };
    assert_eq!(paused.retry_after.as_deref(), Some("60"));
    assert!(paused.problem(503, "paused").contains("(the lamp)"));
    olga.run(&["resume", "docs/brought"]).exits(0);
    let began = Instant::now();
    while brought().status != 201 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is resumed");
    }
}

#[test]
fn settings_of_hooks_that_mean_nothing_are_told() {
    for (settings, words) in [
        ("signature: stripe", "setting `signature` says nothing without a `secret`"),
        ("id: /id, id_header: X-Id", "settings `id` and `id_header` say the same"),
        ("secret: \"\"", "setting `secret` must be"),
        ("secret: whsec_%, signature: standard", "base64 must follow `whsec_`"),
        ("polling_interval_seconds: 5", "unknown setting `polling_interval_seconds`"),
    ] {
        let text = format!(
            "name: p\nstages:\n  - {{ id: a, type: webhook, settings: {{ {settings} }} }}\n  \
             - {{ id: b, type: pass }}\n"
        );
        Place::with_pipeline(&text)
            .run(&["pipelines", "check", "pipeline.yaml"])
            .exits(2)
            .says(words);
    }
    let scheduled = "name: p\nstages:\n  - { id: a, type: webhook, schedule: on_demand }\n  \
                     - { id: b, type: pass }\n";
    let place = Place::with_pipeline(scheduled);
    place.run(&["pipelines", "check", "pipeline.yaml"]).exits(2).says("never looks");
}
