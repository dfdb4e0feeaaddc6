//! What people do at the showcase: each brings a token, and gives it back in the end, so that the
//! dashboard is open again for whoever looks.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use waystation_core::job::{JobFilter, TaskFilter};
use waystation_core::state::JobState;

use crate::world::World;

/// How long anybody waits for an answer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Somebody with a token.
struct Person {
    client: Client,
    base: String,
    token: String,
}

/// Lets them come, do what they have to do, and go.
pub async fn come(world: &World) {
    // Other crates' features leave the choice of a TLS library to us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(redirect::Policy::none()).timeout(WAIT_MAX);
    let (client, base) = (client.build().expect("a client"), format!("http://{}", world.address));
    let nobody = Person { client, base, token: String::new() };
    let ada = nobody.let_in("ada", "admin").await;
    let grace = ada.let_in("grace", "operator").await;
    let vic = ada.let_in("vic", "viewer").await;
    vic.pause("pipeline/orders", "pause", "it is too loud").await;
    grace.pause("stage/letters/read", "pause", "the reader is being cleaned").await;
    ada.pause("pipeline/long", "drain", "the machine moves on Friday").await;
    grace.answers(world).await;
    grace.aborts(world).await;
    let failed = json!({ "pipeline": "orders", "states": ["failed"] });
    ada.operation("retry", &failed, "accounts were made").await;
    let twice = json!({ "pipeline": "scans", "text": "page 4" });
    ada.operation("abort", &twice, "photographed twice").await;
    for name in ["vic", "grace", "ada"] {
        let path = format!("/api/v1/tokens/{name}");
        ada.send(ada.request(Method::DELETE, &path)).await;
    }
}

impl Person {
    /// Makes a token for another one.
    async fn let_in(&self, name: &str, role: &str) -> Self {
        let wanted = json!({ "name": name, "role": role });
        let made = self.send(self.request(Method::POST, "/api/v1/tokens").json(&wanted)).await;
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let token = made["secret"].as_str().expect("a token").to_owned();
        Self { client: self.client.clone(), base: self.base.clone(), token }
    }

    async fn pause(&self, target: &str, act: &str, reason: &str) {
        let form = [("target", target), ("act", act), ("reason", reason), ("back", "/")];
        self.send(self.request(Method::POST, "/pauses").form(&form)).await;
    }

    /// Answers a task, and claims another one.
    async fn answers(&self, world: &World) {
        let stage = Some("validate".into());
        let wanted = TaskFilter { stage, ..TaskFilter::first(2) };
        let tasks = world.client.backend().store.tasks(wanted).await.expect("readable");
        let [first, second] = &*tasks else { return };
        let form = [("field.ok", "true"), ("field.note", "straight enough")];
        let path = format!("/inbox/{}", first.task_id);
        self.send(self.request(Method::POST, &path).form(&form)).await;
        let path = format!("/inbox/{}/hold", second.task_id);
        self.send(self.request(Method::POST, &path).form(&[("act", "claim")])).await;
    }

    async fn aborts(&self, world: &World) {
        let (pipeline, states) = (Some("long".into()), vec![JobState::Queued]);
        let wanted = JobFilter { pipeline, states, limit: 1, ..JobFilter::default() };
        let jobs = world.client.backend().store.jobs(wanted).await.expect("readable").jobs;
        for job in jobs {
            let path = format!("/jobs/{}/abort", job.job_id);
            let form = [("reason", "the same as the one before")];
            self.send(self.request(Method::POST, &path).form(&form)).await;
        }
    }

    async fn operation(&self, act: &str, selection: &Value, reason: &str) {
        let wanted = json!({ "act": act, "selection": selection, "reason": reason });
        self.send(self.request(Method::POST, "/api/v1/operations").json(&wanted)).await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn send(&self, request: RequestBuilder) -> String {
        let answer = request.send().await.expect("an answer");
        answer.text().await.expect("a text")
    }
}
