//! How long pages take over a long history on SQLite, while jobs run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use waystation::core::state::JobState;
use waystation::server::{self, Server};
use waystation::{App, Context, ErrorKind, Failure, JobId, OpenApp, Options};

use crate::engine::{self, CONCURRENCY};
use crate::figures::Figures;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The load while pages are looked at.
const JOBS_PER_SECOND: usize = 500;
const TICKS_PER_SECOND: usize = 50;
/// How often each page is looked at.
const LOOKS: usize = 40;
/// Jobs whose ids end like this fail: one of 256, more or less.
const FAILS: &str = "00";
/// How many jobs of the history are submitted before they are worked off.
const PORTION: usize = 100_000;

/// What was measured.
pub struct Report {
    /// Each page, and how long it took, in ms.
    pub pages: Vec<(String, Figures)>,
    /// How many jobs a second ended meanwhile.
    pub jobs_per_second: f64,
    /// How long the history took to make, in seconds.
    pub history_seconds: f64,
}

/// Makes a history of so many jobs, then looks at the pages while further jobs run.
pub fn measure(jobs: usize, store: &str) -> Result<Report> {
    engine::runtime()?.block_on(async {
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
        let (ended_before, looking) = (ended(&app).await?, Instant::now());
        let mut pages = Vec::new();
        for path in paths(&last) {
            let took = look(&format!("http://{address}{path}")).await?;
            pages.push((path, took));
        }
        let ended_meanwhile = ended(&app).await? - ended_before;
        let jobs_per_second = ended_meanwhile as f64 / looking.elapsed().as_secs_f64();
        stop.cancel();
        load.await??;
        serving.await??;
        engine.stop();
        engine.join().await?;
        Ok(Report { pages, jobs_per_second, history_seconds })
    })
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

/// The pages that people look at most, and the filters that are dearest.
fn paths(job_id: &JobId) -> Vec<String> {
    let failed = JobState::Failed;
    vec![
        "/".to_owned(),
        "/jobs".to_owned(),
        format!("/jobs?state={failed}"),
        "/jobs?state=running,queued".to_owned(),
        "/jobs?state=aborted".to_owned(),
        "/jobs?pipeline=bench&stage=second".to_owned(),
        "/jobs?text=img_123".to_owned(),
        "/jobs?text=no-such-text-anywhere".to_owned(),
        "/jobs?created_before=2001-01-01T00:00:00Z".to_owned(),
        format!("/jobs/{job_id}"),
        "/pipelines/bench".to_owned(),
        "/dead".to_owned(),
    ]
}

async fn look(url: &str) -> Result<Figures> {
    // Other crates' features leave the choice of a TLS library to us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut took = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let started = Instant::now();
        let response = client.get(url).send().await?.error_for_status()?;
        response.bytes().await?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figures::new(took))
}
