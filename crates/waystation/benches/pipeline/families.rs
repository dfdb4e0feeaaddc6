//! One job that becomes ten thousand and one again, on SQLite, while somebody looks at the list.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waystation::core::job::{Family, JobFilter};
use waystation::core::port::Store;
use waystation::{App, Context, JobId};

use crate::engine::{self, CONCURRENCY};
use crate::figures::{Figures, resident_mib};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A person at the list, who looks this often.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PAGE: usize = 50;

/// What one family took.
pub struct Run {
    /// From the submission to the end.
    pub seconds: f64,
    /// How long the list took to show while it ran, in ms: of parents, and with the children.
    pub looks: Figures,
    /// What the process held at most, in MiB, before and after.
    pub resident: (f64, f64),
}

/// Fans one job out into so many children with 200-byte params, each of one stage, and joins them.
pub fn run(children: usize, store: &str) -> Result<Run> {
    engine::runtime()?.block_on(async {
        let app = app(children, store).open().await?;
        let before = resident_mib();
        let started = Instant::now();
        let job_id = app.submit(json!({ "text": "x".repeat(180) })).await?;
        let done = Arc::new(AtomicBool::new(false));
        let books = Arc::clone(&app.client().backend().store);
        let looking = tokio::spawn(look(books, Arc::clone(&done)));
        app.run_until_idle().await?;
        let seconds = started.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        let looks = Figures::new(looking.await??);
        check(&app.job(&job_id).await?.params, children, &job_id)?;
        Ok(Run { seconds, looks, resident: (before, resident_mib()) })
    })
}

/// As many jobs through as many stages, without a family.
pub fn plain(jobs: usize, store: &str) -> Result<f64> {
    Ok(jobs as f64 / engine::drain(jobs, 1, store)?.jobs_per_second)
}

fn app(children: usize, store: &str) -> App {
    let cut = move |_: Context, _: Value| async move {
        Ok(json!({ "tiles": (0..children).collect::<Vec<_>>() }))
    };
    let sum = |_: Context, params: Value| async move {
        Ok(json!({ "counted": params["all"].as_array().map_or(0, Vec::len), "all": [] }))
    };
    App::new("families")
        .store(store)
        .stage("cut", cut)
        .settings(json!({ "id": "work", "type": "pass", "concurrency": CONCURRENCY }))
        .stage_with("sum", sum, json!({ "join": { "collect": { "all": "item" } } }))
        .route(json!({ "from": "cut", "to": "work", "each": "tiles" }))
        .route(json!({ "from": "work", "to": "sum" }))
}

fn check(params: &waystation::Params, children: usize, job_id: &JobId) -> Result<()> {
    match params.get("counted").and_then(Value::as_u64) {
        Some(counted) if counted as usize == children => Ok(()),
        counted => Err(format!("job {job_id} counted {counted:?} of {children}").into()),
    }
}

/// Looks at the list again and again; gives how long each look took, in ms.
async fn look(
    store: Arc<dyn Store>,
    done: Arc<AtomicBool>,
) -> std::result::Result<Vec<f64>, waystation::core::port::Error> {
    let mut took = Vec::new();
    while !done.load(Ordering::Relaxed) {
        for family in [Family::Parents, Family::All] {
            let started = Instant::now();
            let filter = JobFilter { family, limit: PAGE, ..JobFilter::default() };
            store.jobs(filter).await?;
            took.push(started.elapsed().as_secs_f64() * 1e3);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(took)
}
