//! A server over memory, and an engine with handlers of all tempers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use waystation_core::Params;
use waystation_core::clock::SystemClock;
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::JobId;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::settlement::Submitted;
use waystation_engine::{Backend, Client, Engine, Handle, Options, Registry, Submission};
use waystation_memory::Memory;
use waystation_server::{Options as ServerOptions, Server};

use crate::picture;

/// Pages that people look at: one in three is not found by the machine.
const SCANS: &str = "
pipeline:
  name: scans
  description: Straightens photographed pages; people check them.
  stages:
    - { id: intake, type: intake }
    - { id: rectify, type: rectify, concurrency: 2, required_params: [path] }
    - { id: validate, type: manual, form: { ok: boolean, note: string? } }
    - { id: correct, type: manual, form: { corners: array } }
    - { id: publish, type: quick }
  routes:
    - { from: intake, to: rectify }
    - { from: rectify, to: validate, on: ok }
    - { from: rectify, to: correct, on: ko }
    - { from: validate, to: publish, when: 'ok == true' }
    - { from: validate, to: correct, when: 'ok == false' }
    - { from: correct, to: publish }
    - { from: publish, to: done }
";
/// A flood of small jobs, some of which fail or are retried.
const ORDERS: &str = "
pipeline:
  name: orders
  description: Checks and books orders.
  stages:
    - { id: check, type: quick }
    - { id: book, type: moody, retry: { max_retries: 2, backoff: fixed, delay_seconds: 1.5 } }
    - { id: notify, type: quick }
  routes:
    - { from: check, to: book }
    - { from: book, to: notify }
    - { from: notify, to: done }
";
/// Runs that take minutes and tell how far they are.
const LONG: &str = "
pipeline:
  name: long
  stages:
    - { id: simulate, type: slow, concurrency: 1 }
    - { id: report, type: quick }
  routes:
    - { from: simulate, to: report }
    - { from: report, to: done }
";

/// A server with its engines.
pub struct World {
    /// Where it answers.
    pub address: SocketAddr,
    /// Asks things of the same backend.
    pub client: Client,
    stop: CancellationToken,
    _engines: Vec<Handle>,
    folder: PathBuf,
}

impl World {
    /// Starts it on this port, or on any for 0.
    pub async fn start(port: u16) -> Self {
        let clock = Arc::new(SystemClock);
        let backend = Backend::whole(Memory::new(clock.clone()), clock);
        let folder =
            std::env::temp_dir().join(format!("waystation-showcase-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        let catalog = Arc::new(Tempers::new(folder.clone()));
        let registry = Registry::new(Arc::clone(&backend.store), catalog, Arc::new(|_| None));
        let client = Client::new(backend.clone(), registry.clone());
        let mut engines = Vec::new();
        for source in [SCANS, ORDERS, LONG] {
            let definition = registry.install("showcase", source).await.expect("a good pipeline");
            let (backend, registry) = (backend.clone(), registry.clone());
            let engine = Engine::start(backend, registry, definition, Options::default()).await;
            engines.push(engine.expect("started"));
        }
        let options = ServerOptions {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            preview_folders: vec![folder.clone()],
            ..ServerOptions::default()
        };
        let server = Server::bind(client.clone(), options).await.expect("an address");
        let address = server.address().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self { address, client, stop, _engines: engines, folder }
    }

    /// Submits a job.
    pub async fn submit(&self, pipeline: &str, params: Value) -> JobId {
        let graph = self.client.registry().graph_of(&pipeline.into(), None).await;
        let graph = graph.expect("a pipeline");
        let Value::Object(params) = params else { panic!("params are an object") };
        let submission = Submission { params, ..Submission::default() };
        match self.client.submit(&graph, vec![submission]).await.expect("submitted").remove(0) {
            Submitted::Created(job_id) => job_id,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        // The system clears its temporary folder otherwise.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Handlers by the types of stages.
struct Tempers(BTreeMap<&'static str, Arc<dyn Handler>>);

impl Tempers {
    fn new(folder: PathBuf) -> Self {
        let intake: Arc<dyn Handler> = Arc::new(Intake { folder, count: AtomicU64::new(0) });
        let rectify: Arc<dyn Handler> = Arc::new(Rectify(AtomicU64::new(0)));
        let others: [(_, Arc<dyn Handler>); 3] =
            [("quick", Arc::new(Quick)), ("moody", Arc::new(Moody)), ("slow", Arc::new(Slow))];
        Self([("intake", intake), ("rectify", rectify)].into_iter().chain(others).collect())
    }
}

impl Catalog for Tempers {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "manual" => Some(StageKind::Manual),
            other => self.0.get(other).map(|_| StageKind::Worker),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        match self.0.get(&*stage.kind) {
            Some(handler) => Ok(Executor::Worker(Arc::clone(handler))),
            None if stage.kind == "manual" => Ok(Executor::Manual),
            None => Err(vec![format!("unknown type `{}`", stage.kind)]),
        }
    }
}

fn output(value: Value) -> Params {
    match value {
        Value::Object(params) => params,
        other => panic!("{other} is no object"),
    }
}

/// Takes a picture.
struct Intake {
    folder: PathBuf,
    count: AtomicU64,
}

#[async_trait]
impl Handler for Intake {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("photo-{count}.bmp"));
        std::fs::write(&path, picture::photo(count as u32))?;
        context.log(Level::Info, &format!("took {}", path.display()));
        Ok(Completion::ok(output(json!({ "path": path }))))
    }
}

/// Finds the page's corners, but for each third picture.
struct Rectify(AtomicU64);

#[async_trait]
impl Handler for Rectify {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        for step in 1..=5 {
            context.progress(f64::from(step) * 20.0, "looks for edges");
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        if self.0.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            context.log(Level::Warn, "no outline has four corners");
            return Ok(Completion::labelled("ko", output(json!({ "reason": "no corners" }))));
        }
        context.log(Level::Info, "found four corners");
        Ok(Completion::ok(output(json!({ "corners": picture::CORNERS }))))
    }
}

/// Does little.
struct Quick;

#[async_trait]
impl Handler for Quick {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        tokio::time::sleep(Duration::from_millis(15)).await;
        Ok(Completion::ok(output(json!({ format!("{}_by", context.stage): "showcase" }))))
    }
}

/// Fails now and then: for good each seventeenth time, for now each fifth.
struct Moody;

#[async_trait]
impl Handler for Moody {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let order = params.get("order").and_then(Value::as_u64).unwrap_or_default();
        context.log(Level::Info, &format!("books order {order}"));
        tokio::time::sleep(Duration::from_millis(40 + order * 37 % 400)).await;
        let is_fixed = params.get("fixed") == Some(&json!(true));
        if order % 17 == 3 && !is_fixed {
            let why = format!("customer of order {order} has no account");
            let mut failure = Failure::new(ErrorKind::Permanent, why);
            failure.causes.push("ledger said: 404 not found".to_owned());
            return Err(failure);
        }
        if order % 5 == 4 && context.attempt == 1 {
            return Err(Failure::transient("the ledger is busy"));
        }
        Ok(Completion::ok(output(json!({ "booked": true, "total": order * 3 }))))
    }
}

/// Takes its time.
struct Slow;

#[async_trait]
impl Handler for Slow {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        for step in 1..=1_200 {
            context.progress(f64::from(step) / 12.0, &format!("step {step} of 1200"));
            if step % 10 == 0 {
                context.log(
                    Level::Info,
                    &format!("step {step}: residual {:.4}", 1.0 / f64::from(step)),
                );
            }
            tokio::select! {
                () = context.cancellation.cancelled() => {
                    return Err(Failure::new(ErrorKind::Aborted, "told to stop"));
                }
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
        }
        Ok(Completion::ok(output(json!({ "residual": 0.0008 }))))
    }
}
