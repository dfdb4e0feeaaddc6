//! A place to try one stage on: builds it from settings and runs it as the engine would.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::event::Level;
use waystation_core::failure::Failure;
use waystation_core::handler::{Blobs, Completion, Context, Handler, Reporter, Steps};
use waystation_core::id::JobId;
use waystation_core::pipeline::{Catalog, Executor, Stage};
use waystation_core::port::BlobStore;
use waystation_core::source::{Fault, Item, Source};
use waystation_executors::Executors;

/// Keeps what is logged.
#[derive(Default)]
pub struct Log(pub Mutex<Vec<(Level, String)>>);

impl Reporter for Log {
    fn progress(&self, _percent: f64, _message: &str) {}

    fn log(&self, level: Level, line: &str) {
        self.0.lock().expect("not poisoned").push((level, line.to_owned()));
    }
}

/// One attempt's surroundings.
pub struct Bench {
    pub log: Arc<Log>,
    pub cancellation: CancellationToken,
    pub blobs: Option<Arc<dyn BlobStore>>,
}

impl Bench {
    pub fn new() -> Self {
        Self { log: Arc::default(), cancellation: CancellationToken::new(), blobs: None }
    }

    pub async fn run(&self, handler: &dyn Handler, params: Value) -> Result<Completion, Failure> {
        let params = object(params);
        let contract = Contract::new(JobId::from("job-1"), params.clone());
        let context = Context {
            job_id: contract.job_id.clone(),
            pipeline: "test".into(),
            stage: "stage".into(),
            visit: 1,
            attempt: 1,
            deadline: None,
            cancellation: self.cancellation.clone(),
            contract: contract.to_bytes().into(),
            reporter: self.log.clone(),
            steps: Arc::new(Steps::unkept()),
            blobs: Blobs::new(self.blobs.clone(), contract.job_id.clone(), "stage".into(), 1),
            traceparent: None,
        };
        handler.run(context, params).await
    }

    pub fn lines(&self) -> Vec<(Level, String)> {
        self.log.0.lock().expect("not poisoned").clone()
    }
}

pub fn object(value: Value) -> Params {
    match value {
        Value::Object(map) => map,
        other => panic!("an object, not {other}"),
    }
}

pub fn build(kind: &str, settings: Value) -> Result<Executor, Vec<String>> {
    let stage = Stage { settings: object(settings), ..Stage::new("stage", kind) };
    Executors::standard().build(&stage)
}

pub fn worker(kind: &str, settings: Value) -> Arc<dyn Handler> {
    match build(kind, settings) {
        Ok(Executor::Worker(handler)) => handler,
        Ok(_) => panic!("`{kind}` is no worker"),
        Err(problems) => panic!("{problems:?}"),
    }
}

pub fn source(kind: &str, settings: Value) -> Arc<dyn Source> {
    match build(kind, settings) {
        Ok(Executor::Source(source)) => source,
        Ok(_) => panic!("`{kind}` is no source"),
        Err(problems) => panic!("{problems:?}"),
    }
}

/// Asks a source and keeps its checkpoints, as the engine does.
pub struct Crawler {
    source: Arc<dyn Source>,
    pub checkpoint: Option<Value>,
}

impl Crawler {
    pub fn new(kind: &str, settings: Value) -> Self {
        Self { source: source(kind, settings), checkpoint: None }
    }

    /// What one look finds, and what could not be read.
    pub async fn look(&mut self) -> Result<(Vec<Item>, Vec<Fault>), Failure> {
        let (mut items, mut faults) = (Vec::new(), Vec::new());
        loop {
            let found = self.source.discover(self.checkpoint.clone()).await?;
            items.extend(found.items);
            faults.extend(found.faults);
            self.checkpoint = found.checkpoint.or(self.checkpoint.take());
            if !found.more {
                return Ok((items, faults));
            }
        }
    }

    /// The values of a param of what one look finds.
    pub async fn values(&mut self, param: &str) -> Vec<Value> {
        let (items, _) = self.look().await.expect("discovered");
        items.into_iter().map(|item| item.params[param].clone()).collect()
    }

    /// The names of what one look finds.
    pub async fn names(&mut self) -> Vec<String> {
        let names = self.values("name").await;
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    }
}

/// Runs a stage once with these params.
pub async fn once(kind: &str, settings: Value, params: Value) -> Result<Value, Failure> {
    let completion = Bench::new().run(&*worker(kind, settings), params).await?;
    Ok(json!(completion.output))
}
