//! A server over memory, with small handlers behind the stages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation_core::Params;
use waystation_core::blob::BlobKey;
use waystation_core::clock::SystemClock;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::JobId;
use waystation_core::job::JobRecord;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::port::{Access, BlobError, BlobStore};
use waystation_core::source::{Discovery, Source};
use waystation_core::state::JobState;
use waystation_engine::{self as engine, Backend, Client, Engine, Handle, Registry};
use waystation_memory::Memory;
use waystation_server::access::Role;
use waystation_server::{Options, Server};

/// No wait of a test is longer.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// A machine reads pages, a person looks at them, and they are filed.
pub const SCANS: &str = r#"
name: scans
description: Pages that somebody looks at.
stages:
  - { id: read, type: act, required_params: [page], retry: { max_retries: 1, backoff: none },
      settings: { url: "amqp://ann:pw@host/x", api_key: abc, token: "${TOKEN}", speed: 3 } }
  - { id: look, type: manual, form: { ok: boolean, note: string? } }
  - { id: file, type: act }
routes:
  - { from: read, to: look }
  - { from: look, to: file, when: "ok == true" }
  - { from: look, to: done, when: "ok == false" }
"#;
/// Stages that programs in other languages serve.
pub const FAR: &str = "
name: far
stages:
  - { id: away, type: remote, required_params: [n], output_params: [twice],
      retry: { max_retries: 1, backoff: none } }
  - { id: after, type: act }
";
/// A source that finds nothing.
const FOUND: &str = "
name: found
stages:
  - { id: find, type: finds, settings: { polling_interval_seconds: 60 } }
  - { id: use, type: act }
";

/// Does what the params say: `do: fail`, `do: wait`, or nothing at all.
struct Acts;

#[async_trait]
impl Handler for Acts {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        context.log(waystation_core::event::Level::Info, "begins");
        context.log(waystation_core::event::Level::Warn, "goes on");
        match params.get("do").and_then(Value::as_str) {
            Some("fail") => Err(Failure::new(ErrorKind::Permanent, "the page is blank")),
            Some("try") => Err(Failure::transient("busy")),
            Some("wait") => {
                context.cancellation.cancelled().await;
                Err(Failure::transient("stopped"))
            }
            _ => {
                let stage = context.stage.as_str();
                let output = json!({ "seen": stage });
                Ok(Completion::ok(output.as_object().unwrap().clone()))
            }
        }
    }
}

struct Finds;

#[async_trait]
impl Source for Finds {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        Ok(Discovery { checkpoint: Some(json!({ "seen": 7 })), ..Discovery::default() })
    }
}

struct Types;

impl Catalog for Types {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "act" => Some(StageKind::Worker),
            "manual" => Some(StageKind::Manual),
            "remote" => Some(StageKind::Remote),
            "finds" => Some(StageKind::Source),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        ["act", "finds", "manual", "remote"].map(str::to_owned).to_vec()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        match stage.kind.as_str() {
            "act" => Ok(Executor::Worker(Arc::new(Acts))),
            "manual" => Ok(Executor::Manual),
            "remote" => Ok(Executor::Remote),
            "finds" => Ok(Executor::Source(Arc::new(Finds))),
            other => Err(vec![format!("unknown type `{other}`")]),
        }
    }
}

/// Blobs in a map.
#[derive(Default)]
struct Blobs(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl BlobStore for Blobs {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), BlobError> {
        self.0.lock().unwrap().insert(key.to_string(), bytes);
        Ok(())
    }

    async fn get(&self, key: &BlobKey, bytes_max: u64) -> Result<Vec<u8>, BlobError> {
        let found = self.0.lock().unwrap().get(key.as_str()).cloned();
        let store = || "memory".to_owned();
        let bytes =
            found.ok_or_else(|| BlobError::NotFound { key: key.clone(), store: store() })?;
        let size = bytes.len() as u64;
        if size > bytes_max {
            return Err(BlobError::TooLarge { key: key.clone(), bytes: size, bytes_max });
        }
        Ok(bytes)
    }

    async fn upload(&self, _: &BlobKey, _: &Path) -> Result<u64, BlobError> {
        Err(BlobError::NotConfigured)
    }

    async fn download(&self, _: &BlobKey, _: &Path) -> Result<u64, BlobError> {
        Err(BlobError::NotConfigured)
    }

    async fn signed_url(&self, _: &BlobKey, _: Access, _: Duration) -> Result<String, BlobError> {
        Err(BlobError::Unsigned { store: "memory".into() })
    }
}

/// A server that answers on a port of its own.
pub struct World {
    pub client: Client,
    pub url: String,
    pub http: reqwest::Client,
    pub server: waystation_server::Context,
    token: Option<String>,
    engines: Vec<Handle>,
    stop: CancellationToken,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }

    /// The problem's words, which must be of this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> String {
        let answer = self.is(status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["code"], code, "{:#}", answer.body);
        answer.body["detail"].as_str().unwrap().to_owned()
    }
}

impl World {
    /// A server that is open, with the pipelines of this file.
    pub async fn open() -> Self {
        Self::with(Options::default()).await
    }

    /// One that was told this; its address is any.
    pub async fn with(options: Options) -> Self {
        let clock = Arc::new(SystemClock);
        let backend = Backend::whole(Memory::new(clock.clone()), clock);
        Self::over(backend.with_blobs(Arc::new(Blobs::default())), options).await
    }

    /// One over this backend.
    pub async fn over(backend: Backend, options: Options) -> Self {
        let registry = Registry::new(
            Arc::clone(&backend.store),
            Arc::new(Types),
            Arc::new(|name| (name == "TOKEN").then(|| "the real one".to_owned())),
        );
        for source in [SCANS, FAR, FOUND] {
            registry.install("test", source).await.unwrap();
        }
        let client = Client::new(backend, registry);
        let options = Options { address: ([127, 0, 0, 1], 0).into(), ..options };
        let server = Server::bind(client.clone(), options).await.unwrap();
        let (url, stop) =
            (format!("http://{}", server.address().unwrap()), CancellationToken::new());
        let context = server.context().clone();
        let served = Some(tokio::spawn(server.run(stop.clone())));
        // Other crates' features leave the choice of a TLS library to us.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(WAIT_MAX * 2)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let (token, engines) = (None, Vec::new());
        Self { client, url, http, server: context, token, engines, stop, served }
    }

    /// The same server with a token of each role; requests bring the admin's.
    pub async fn guarded() -> (Self, BTreeMap<Role, String>) {
        let mut world = Self::open().await;
        let mut tokens = BTreeMap::new();
        for role in Role::ALL {
            let made = world.server.access().add_token(role.as_str(), role, None).await.unwrap();
            tokens.insert(role, made.secret);
        }
        world.token = tokens.get(&Role::Admin).cloned();
        (world, tokens)
    }

    /// With an engine that serves this pipeline.
    pub async fn serving(mut self, pipeline: &str) -> Self {
        let (backend, registry) = (self.client.backend().clone(), self.client.registry().clone());
        let definition = registry.newest(&pipeline.into()).await.unwrap();
        let options = engine::Options {
            lease: Duration::from_millis(600),
            grace: Duration::from_millis(100),
            drain: Duration::from_millis(300),
            ..engine::Options::default()
        };
        let handle = Engine::start(backend, registry, definition, options).await.unwrap();
        self.engines.push(handle);
        self
    }

    /// A request with the world's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// Submits a job and gives its id.
    pub async fn submit(&self, pipeline: &str, params: Value) -> String {
        let body = json!({ "pipeline": pipeline, "params": params });
        let answer = self.post("/api/v1/jobs", body).await.is(201);
        answer.body["jobs"][0]["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a job is in this state.
    pub async fn reach(&self, job_id: &str, state: JobState) -> JobRecord {
        let mut signals = self.client.backend().bus.subscribe();
        let job_id = JobId::from(job_id);
        let waiting = async {
            loop {
                let job = self.client.backend().store.job(&job_id).await.unwrap().unwrap();
                if job.state == state {
                    return job;
                }
                signals.next().await.expect("the bus lives");
            }
        };
        let reached = tokio::time::timeout(WAIT_MAX, waiting).await;
        reached.unwrap_or_else(|_| panic!("job {job_id} is not {state}"))
    }

    /// A job whose task waits, and the task.
    pub async fn task(&self, params: Value) -> (String, i64) {
        let job_id = self.submit("scans", params).await;
        self.reach(&job_id, JobState::Waiting).await;
        let answer = self.get(&format!("/api/v1/jobs/{job_id}")).await.is(200);
        (job_id, answer.body["task_id"].as_i64().unwrap())
    }

    /// Ends the server and its engines.
    pub async fn end(mut self) {
        for engine in self.engines.drain(..) {
            engine.stop();
            tokio::time::timeout(WAIT_MAX, engine.join()).await.expect("it ends").unwrap();
        }
        self.stop.cancel();
        let served = self.served.take().unwrap();
        tokio::time::timeout(WAIT_MAX, served).await.expect("it ends").unwrap().unwrap();
    }
}

/// Sends a request and reads what comes back.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status, headers, body }
}
