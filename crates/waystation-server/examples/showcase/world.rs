//! A server over memory, and engines with handlers of all tempers.

#[path = "tempers.rs"]
pub mod tempers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::settlement::Submitted;
use waystation_engine::{Backend, Client, Engine, Handle, Options, Registry, Submission};
use waystation_memory::Memory;
use waystation_server::{Options as ServerOptions, Server};

use self::tempers::Tempers;

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
    engines: Vec<Handle>,
    folder: PathBuf,
}

impl World {
    /// Starts it with three pipelines, on this port, or on any for 0.
    pub async fn start(port: u16) -> Self {
        let mut world = Self::open(port).await;
        for source in [SCANS, ORDERS, LONG] {
            world.add(source).await;
        }
        world
    }

    /// Starts it without any pipeline.
    pub async fn open(port: u16) -> Self {
        let clock = Arc::new(SystemClock);
        let backend = Backend::whole(Memory::new(clock.clone()), clock);
        let folder =
            std::env::temp_dir().join(format!("waystation-showcase-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        let catalog = Arc::new(Tempers::new(folder.clone()));
        let registry = Registry::new(Arc::clone(&backend.store), catalog, Arc::new(|_| None));
        let client = Client::new(backend, registry);
        let options = ServerOptions {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            preview_folders: vec![folder.clone()],
            ..ServerOptions::default()
        };
        let server = Server::bind(client.clone(), options).await.expect("an address");
        let address = server.address().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self { address, client, stop, engines: Vec::new(), folder }
    }

    /// Installs a pipeline, and starts an engine that works at it.
    pub async fn add(&mut self, source: &str) {
        let (backend, registry) = (self.client.backend().clone(), self.client.registry().clone());
        let definition = registry.install("showcase", source).await.expect("a good pipeline");
        let engine = Engine::start(backend, registry, definition, Options::default()).await;
        self.engines.push(engine.expect("started"));
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
        self.engines.clear();
        // The system clears its temporary folder otherwise.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
