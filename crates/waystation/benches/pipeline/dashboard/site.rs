//! A history on SQLite, a server over it, and an engine that is kept busy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use waystation::server::{self, Server};
use waystation::{App, Context, ErrorKind, Failure, Handle, JobId, OpenApp, Options};

use super::Result;
use crate::engine::{self, CONCURRENCY};

/// The load while pages are looked at.
const JOBS_PER_SECOND: usize = 500;
const TICKS_PER_SECOND: usize = 50;
/// Jobs whose ids end like this fail: one of 256, more or less.
const FAILS: &str = "00";
/// How many jobs of the history are submitted before they are worked off.
const PORTION: usize = 100_000;

/// A server over a history, while further jobs run.
pub struct Site {
    /// Where it answers.
    pub address: SocketAddr,
    /// The last job of the history.
    pub last: JobId,
    /// How long the history took to make, in seconds.
    pub history_seconds: f64,
    app: Arc<OpenApp>,
    engine: Handle,
    serving: JoinHandle<std::io::Result<()>>,
    load: JoinHandle<std::result::Result<(), String>>,
    stop: CancellationToken,
    busy_since: Instant,
    ended_before: u64,
}

impl Site {
    /// Makes a history of so many jobs, then serves it while further jobs run.
    pub async fn open(jobs: usize, store: &str) -> Result<Self> {
        let app = app(store).open().await?;
        let started = Instant::now();
        let last = make_history(&app, jobs).await?;
        let history_seconds = started.elapsed().as_secs_f64();
        let stop = CancellationToken::new();
        let options =
            server::Options { address: ([127, 0, 0, 1], 0).into(), ..server::Options::default() };
        let server = Server::bind(app.client().clone(), options).await?;
        let address = server.address()?;
        let serving = tokio::spawn(server.run(stop.clone()));
        let engine = app.start(Options::default()).await?;
        let app = Arc::new(app);
        let load = tokio::spawn(load(Arc::clone(&app), stop.clone()));
        let (ended_before, busy_since) = (ended(&app).await?, Instant::now());
        Ok(Self {
            address,
            last,
            history_seconds,
            app,
            engine,
            serving,
            load,
            stop,
            busy_since,
            ended_before,
        })
    }

    /// Ends it; gives how many jobs a second ended since it was opened.
    pub async fn close(self) -> Result<f64> {
        let ended_meanwhile = ended(&self.app).await? - self.ended_before;
        let jobs_per_second = ended_meanwhile as f64 / self.busy_since.elapsed().as_secs_f64();
        self.stop.cancel();
        self.load.await??;
        self.serving.await??;
        self.engine.stop();
        self.engine.join().await?;
        Ok(jobs_per_second)
    }
}

fn app(store: &str) -> App {
    let work = |context: Context, _: Value| async move {
        if context.job_id.as_str().ends_with(FAILS) {
            return Err(Failure::new(ErrorKind::Error, "this one always fails"));
        }
        Ok(json!({ "found": "something" }))
    };
    let settings = json!({ "retry": { "max_retries": 0 }, "concurrency": CONCURRENCY });
    App::new("bench")
        .store(store)
        .settings(json!({ "id": "first", "type": "pass", "concurrency": CONCURRENCY }))
        .stage_with("second", work, settings)
        .settings(json!({ "id": "third", "type": "pass", "concurrency": CONCURRENCY }))
}

/// Gives the last job.
async fn make_history(app: &OpenApp, jobs: usize) -> Result<JobId> {
    let mut left = jobs;
    while left > 0 {
        let portion = left.min(PORTION);
        engine::submit(app, portion).await?;
        app.run_until_idle().await?;
        left -= portion;
    }
    let newest = waystation::core::job::JobFilter { limit: 1, ..Default::default() };
    let page = app.client().backend().store.jobs(newest).await?;
    Ok(page.jobs.first().ok_or("no history was made")?.job_id.clone())
}

/// Submits jobs at an even pace.
async fn load(app: Arc<OpenApp>, stop: CancellationToken) -> std::result::Result<(), String> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / TICKS_PER_SECOND as u32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let submitted = engine::submit(&app, JOBS_PER_SECOND / TICKS_PER_SECOND).await;
        submitted.map_err(|error| error.to_string())?;
    }
}

async fn ended(app: &OpenApp) -> Result<u64> {
    let counts = app.client().backend().store.counts(None).await?;
    let ended = counts.iter().filter(|count| count.state.is_terminal());
    Ok(ended.map(|count| count.jobs).sum())
}
