//! The engine with everything on: states, events, leases, retries.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waystation::{
    App, Completion, Context, Failure, Handler, OpenApp, Options, Params, Submission,
};

use crate::figures::{Figures, processor_seconds};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const SUBMIT_BATCH: usize = 1_000;
/// How many attempts run at a time.
pub const CONCURRENCY: usize = 2_000;

/// One drain of a backlog.
pub struct Drain {
    /// Jobs that went through all stages.
    pub jobs_per_second: f64,
    /// Jobs that were submitted before, by batches.
    pub submits_per_second: f64,
    /// Processor time for a job, submit and drain.
    pub processor_us: f64,
}

fn app(store: &str, stages: usize) -> App {
    (0..stages).fold(App::new("bench").store(store), |app, stage| {
        let id = format!("stage-{stage}");
        app.settings(json!({ "id": id, "type": "pass", "concurrency": CONCURRENCY }))
    })
}

/// Submits jobs to a fresh store, then starts the engine and takes them through the stages.
pub fn drain(jobs: usize, stages: usize, store: &str) -> Result<Drain> {
    runtime()?.block_on(async {
        let app = app(store, stages).open().await?;
        drain_through(&app, jobs, plain).await
    })
}

/// Submits these jobs, then starts the engine and takes them through the stages.
pub async fn drain_through(
    app: &OpenApp,
    jobs: usize,
    submission: impl Fn(usize) -> Submission,
) -> Result<Drain> {
    let processor = processor_seconds();
    let started = Instant::now();
    submit_each(app, jobs, submission).await?;
    let submitted = started.elapsed();
    let started = Instant::now();
    app.run_until_idle().await?;
    let drained = started.elapsed();
    Ok(Drain {
        jobs_per_second: jobs as f64 / drained.as_secs_f64(),
        submits_per_second: jobs as f64 / submitted.as_secs_f64(),
        processor_us: (processor_seconds() - processor) * 1e6 / jobs as f64,
    })
}

/// Submits jobs by batches.
pub async fn submit(app: &OpenApp, jobs: usize) -> Result<()> {
    submit_each(app, jobs, plain).await
}

/// A job of 200 bytes of params.
pub fn plain(_: usize) -> Submission {
    let params = json!({ "image_id": "img_123", "filling": "x".repeat(150) });
    Submission { params: object(params), ..Submission::default() }
}

/// Submits such jobs by batches.
pub async fn submit_each(
    app: &OpenApp,
    jobs: usize,
    submission: impl Fn(usize) -> Submission,
) -> Result<()> {
    let client = app.client();
    let definition = client.registry().newest(&"bench".into()).await?;
    let mut done = 0;
    while done < jobs {
        let next = (done + SUBMIT_BATCH).min(jobs);
        client.submit(&definition, (done..next).map(&submission).collect()).await?;
        done = next;
    }
    Ok(())
}

/// Notes when it is called.
struct Stamp(Mutex<Option<tokio::sync::oneshot::Sender<Instant>>>);

#[async_trait::async_trait]
impl Handler for Stamp {
    async fn run(&self, _: Context, _: Params) -> std::result::Result<Completion, Failure> {
        let now = Instant::now();
        if let Some(sender) = self.0.lock().ok().and_then(|mut sender| sender.take()) {
            let _ = sender.send(now);
        }
        Ok(Completion::default())
    }
}

/// Submits jobs to an idle engine one by one; gives milliseconds from submit to handler.
pub fn latency(samples: usize, store: &str) -> Result<Figures> {
    runtime()?.block_on(async {
        let stamp = Arc::new(Stamp(Mutex::new(None)));
        let app = App::new("latency").store(store).handler("stamp", stamp.clone()).open().await?;
        let engine = app.start(Options::default()).await?;
        let mut waits = Vec::with_capacity(samples);
        for _ in 0..samples {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            if let Ok(mut slot) = stamp.0.lock() {
                *slot = Some(sender);
            }
            let submitted = Instant::now();
            app.submit(json!({ "image_id": "img_123" })).await?;
            waits.push((receiver.await? - submitted).as_secs_f64() * 1e3);
            // The engine is to be idle again, settled and waiting.
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        engine.stop();
        engine.join().await?;
        Ok(Figures::new(waits))
    })
}

/// The fields of an object.
pub fn object(value: Value) -> Params {
    match value {
        Value::Object(map) => map,
        _ => Params::new(),
    }
}

/// Two threads, as the engine is measured with.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
