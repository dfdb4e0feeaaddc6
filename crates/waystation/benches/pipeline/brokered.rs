//! The engine on RabbitMQ with a store beside it: workers on the broker, everything tracked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;
use waystation::{App, Completion, Context, Failure, Handler, Options, Params};

use crate::engine::{CONCURRENCY, runtime, submit};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One drain of a backlog that lies with the broker.
pub struct Drain {
    /// Jobs that went through all stages, until the last one was worked on.
    pub worked_per_second: f64,
    /// The same until the store shows all of them as ended.
    pub tracked_per_second: f64,
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

/// Submits jobs, has them carried to the broker, then takes them through the stages.
pub fn drain(jobs: usize, stages: usize, store: &str, queue: &str) -> Result<Drain> {
    runtime()?.block_on(async {
        let count =
            Arc::new(Count { jobs: AtomicUsize::new(0), wanted: jobs, reached: Notify::new() });
        let app =
            (0..stages - 1).fold(App::new("bench").store(store).queue(queue), |app, stage| {
                let id = format!("stage-{stage}");
                app.settings(json!({ "id": id, "type": "pass", "concurrency": CONCURRENCY }))
            });
        let app = app.handler_with("last", count.clone(), json!({ "concurrency": CONCURRENCY }));
        let app = app.open().await?;
        submit(&app, jobs).await?;
        // No stage is served here: only the couriers work.
        let carrying =
            app.start(Options { stages: Some(Vec::new()), ..Options::default() }).await?;
        let ledger = app.client().backend().books.as_ref().map(|books| books.ledger.clone());
        let ledger = ledger.ok_or("a broker has a ledger")?;
        loop {
            let depth = ledger.depth(&"bench.stage-0".into()).await?;
            if depth.ready + depth.leased == 0 {
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
            worked_per_second: jobs as f64 / worked.as_secs_f64(),
            tracked_per_second: jobs as f64 / tracked.as_secs_f64(),
        })
    })
}
