//! How many hops a second a server takes: a thousand jobs in flight between two queues.
//!
//! `cargo run --release -p waystation-redis --example hops -- redis://127.0.0.1:6379 [jobs]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use waystation_core::clock::SystemClock;
use waystation_core::port::{Journal, POSTS_MAX, Purpose, Queue, Receive};
use waystation_core::settlement::Settlement;
use waystation_redis::{Options, Redis};
use waystation_testing::sample;

const IN_FLIGHT: usize = 1_000;
const LEASE: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let jobs: usize = arguments.next().map_or(Ok(50_000), |count| count.parse())?;
    for batch in [1, 100, 1_000] {
        let prefix = format!("hops-{}-{batch}:", std::process::id());
        let options = Options::parse(&format!("{url}?durability=any&prefix={prefix}"))?;
        let redis = Redis::open(options, Arc::new(SystemClock)).await?;
        // Fewer where each is settled alone, so that the runs last about equally long.
        let count = if batch == 1 { jobs / 5 } else { jobs };
        let start = Instant::now();
        fill(&redis, count).await?;
        println!("submit, 1000 a call: {:.0}/s", rate(count, start));
        let start = Instant::now();
        hop(&redis, count, batch).await?;
        println!("hops, {batch} a settlement: {:.0}/s", rate(count, start));
        let start = Instant::now();
        let posts = track(&redis).await?;
        println!("journal: {posts} posts, {:.0}/s", rate(posts, start));
        finish(&redis, count).await?;
        redis.close().await;
    }
    Ok(())
}

fn rate(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

async fn fill(redis: &Redis, count: usize) -> Result<(), Failure> {
    for first in (0..count).step_by(1_000) {
        let job = |number: usize| sample::job(&format!("job-{number}")).at("one").build();
        redis.submit((first..count.min(first + 1_000)).map(job).collect(), None).await?;
    }
    Ok(())
}

/// Receivers that settle so many at a time, together a thousand.
async fn hop(redis: &Redis, count: usize, batch: usize) -> Result<(), Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT / batch {
        let redis = redis.clone();
        tasks.spawn(async move {
            let mut done = 0;
            loop {
                let deliveries = redis.receive(request("one", batch)).await?;
                if deliveries.is_empty() {
                    return Ok::<_, waystation_core::port::Error>(done);
                }
                let hops: Vec<Settlement> =
                    deliveries.iter().map(|one| sample::end(one).forward_to("two")).collect();
                done += redis.settle(hops.into()).await?.len();
            }
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended??;
    }
    assert_eq!(done, count, "every job hopped once");
    Ok(())
}

async fn track(redis: &Redis) -> Result<usize, Failure> {
    let mut count = 0;
    loop {
        let posts = redis.read(POSTS_MAX, Duration::ZERO).await?;
        if posts.is_empty() {
            return Ok(count);
        }
        count += posts.len();
        let receipts: Vec<_> = posts.iter().map(|post| post.receipt).collect();
        redis.done(&receipts).await?;
    }
}

/// Leaves nothing behind.
async fn finish(redis: &Redis, count: usize) -> Result<(), Failure> {
    let mut done = 0;
    while done < count {
        let deliveries = redis.receive(request("two", 1_000)).await?;
        let ends: Vec<Settlement> =
            deliveries.iter().map(|one| sample::end(one).complete()).collect();
        done += redis.settle(ends.into()).await?.len();
    }
    track(redis).await?;
    Ok(())
}

fn request(stage: &str, max: usize) -> Receive {
    Receive {
        queue: sample::queue(stage),
        max,
        wait: Duration::ZERO,
        lease: LEASE,
        purpose: Purpose::Work,
        together: 1,
    }
}
