//! The engine on RabbitMQ with a store beside it: workers on the broker, everything tracked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;
use waystation::{App, Completion, Context, Failure, Handler, Options, Params, Submission};

use crate::engine::{CONCURRENCY, plain, runtime, submit_each};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One drain of a backlog that lies with the broker, in jobs per second.
pub struct Drain {
    /// Jobs that the store took.
    pub submitted: f64,
    /// Jobs that went through all stages, until the last one was worked on.
    pub worked: f64,
    /// The same until the store shows all of them as ended.
    pub tracked: f64,
}

/// Counts the jobs that come to it.
struct Count {
    jobs: AtomicUsize,
    wanted: usize,
    reached: Notify,
}

#[async_trait::async_trait]
impl Handler for Count {
    async fn run(&self, _: Context, _: Params) -> std::result::Result<Completion, Failure> {
        if self.jobs.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.reached.notify_one();
        }
        Ok(Completion::default())
    }
}

/// Takes jobs through so many stages without keys.
pub fn drain(jobs: usize, stages: usize, store: &str, queue: &str) -> Result<Drain> {
    let stage = |stage| json!({ "id": format!("stage-{stage}"), "type": "pass" });
    let stages: Vec<_> = (0..stages - 1).map(stage).collect();
    drain_through(jobs, (&stages, &json!({})), plain, store, queue)
}

/// Submits jobs, has them carried to the broker, then takes them through these stages and a last
/// one that counts them.
pub fn drain_through(
    jobs: usize,
    (stages, last): (&[Value], &Value),
    submission: impl Fn(usize) -> Submission,
    store: &str,
    queue: &str,
) -> Result<Drain> {
    let wide = |stage: &Value| {
        let mut stage = stage.clone();
        stage["concurrency"] = json!(CONCURRENCY);
        stage
    };
    runtime()?.block_on(async {
        let count =
            Arc::new(Count { jobs: AtomicUsize::new(0), wanted: jobs, reached: Notify::new() });
        let app = App::new("bench").store(store).queue(queue);
        let app = stages.iter().fold(app, |app, stage| app.settings(wide(stage)));
        let app = app.handler_with("last", count.clone(), wide(last)).open().await?;
        let started = Instant::now();
        submit_each(&app, jobs, submission).await?;
        let submitted = started.elapsed();
        // No stage is served here: only the couriers work.
        let carrying =
            app.start(Options { stages: Some(Vec::new()), ..Options::default() }).await?;
        let ledger = app.client().backend().books.as_ref().map(|books| books.ledger.clone());
        let ledger = ledger.ok_or("a broker has a ledger")?;
        let first = if stages.is_empty() { "bench.last" } else { "bench.stage-0" };
        loop {
            let depth = ledger.depth(&first.into()).await?;
            if depth.ready + depth.leased + depth.behind == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        carrying.stop();
        carrying.join().await?;
        let started = Instant::now();
        let engine = app.start(Options::default()).await?;
        count.reached.notified().await;
        let worked = started.elapsed();
        engine.until_idle().await?;
        let tracked = started.elapsed();
        engine.stop();
        engine.join().await?;
        Ok(Drain {
            submitted: jobs as f64 / submitted.as_secs_f64(),
            worked: jobs as f64 / worked.as_secs_f64(),
            tracked: jobs as f64 / tracked.as_secs_f64(),
        })
    })
}
