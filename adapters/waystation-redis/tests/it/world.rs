//! A corner of a server for one test.

use std::sync::Arc;
use std::time::Duration;

use waystation_core::clock::SystemClock;
use waystation_core::contract::Contract;
use waystation_core::port::{Purpose, Queue, Receive};
use waystation_core::settlement::{Delivery, NewJob, Settled, Settlement};
use waystation_redis::{Options, Redis};
use waystation_testing::conformance::bounded;
use waystation_testing::sample::{self, Sample};

/// Where a server that tests may use is.
const VARIABLE: &str = "WAYSTATION_TEST_REDIS";
/// A wait that nothing should make use of.
pub const LONG: Duration = Duration::from_secs(30);

/// Names of keys that no other test has.
pub struct Corner {
    /// What opens it.
    pub url: String,
    /// What its keys begin with.
    pub prefix: String,
    server: String,
}

impl Corner {
    /// On the server that tests may use.
    pub fn new() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} names no server: `cargo xtask services up redis` starts one")
        });
        Self::on(&server, "any")
    }

    /// On this server, which must be so durable.
    pub fn on(server: &str, durability: &str) -> Self {
        let prefix = format!("test-{:016x}:", fastrand::u64(..));
        let url = format!("{server}?prefix={prefix}&durability={durability}&lease=1");
        Self { url, prefix, server: server.to_owned() }
    }

    /// One process that uses it.
    pub async fn open(&self) -> Redis {
        let options = Options::parse(&self.url).expect("a good URL");
        let opened = bounded(Redis::open(options, Arc::new(SystemClock))).await;
        opened.expect("the server answers")
    }

    /// Until so many connections of the server are blocked, each by somebody who waits.
    pub async fn until_waiting(&self, count: u64) {
        let waiting = async {
            loop {
                let clients: String = self.ask(&["INFO", "clients"]).await;
                let blocked =
                    clients.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
                if blocked.is_some_and(|blocked| blocked.trim().parse() == Ok(count)) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        bounded(waiting).await;
    }

    /// Asks the server itself.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.server.as_str()).expect("a good URL");
        let mut connection =
            client.get_multiplexed_async_connection().await.expect("the server answers");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.expect("the server does it")
    }
}

impl Drop for Corner {
    /// Leaves nothing behind, if the server is still there.
    fn drop(&mut self) {
        let forget = || -> redis::RedisResult<()> {
            let client = redis::Client::open(self.server.as_str())?;
            let mut connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
            let pattern = format!("{}*", self.prefix);
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection)?;
            for key in keys {
                redis::cmd("UNLINK").arg(key).query::<()>(&mut connection)?;
            }
            Ok(())
        };
        let _ = forget();
    }
}

/// A request for so many of the stage's queue.
pub fn request(max: usize, wait: Duration, lease: Duration) -> Receive {
    Receive {
        queue: sample::queue(sample::STAGE),
        max,
        wait,
        lease,
        purpose: Purpose::Work,
        together: 1,
    }
}

/// Takes what is there, for a long time.
pub async fn take(redis: &Redis, max: usize) -> Vec<Delivery> {
    let received = bounded(redis.receive(request(max, Duration::ZERO, LONG))).await;
    received.expect("received")
}

/// Waits for exactly one.
pub async fn take_one(redis: &Redis) -> Delivery {
    let received = bounded(redis.receive(request(1, LONG, LONG))).await.expect("received");
    let [delivery] = <[_; 1]>::try_from(received).expect("one delivery");
    delivery
}

/// The jobs that were delivered.
pub fn ids(deliveries: &[Delivery]) -> Vec<String> {
    let id = |one: &Delivery| Contract::parse(&one.body).expect("a contract").job_id.to_string();
    deliveries.iter().map(id).collect()
}

/// Submits jobs together.
pub async fn submit(redis: &Redis, jobs: impl IntoIterator<Item = Sample>) {
    let jobs: Vec<NewJob> = jobs.into_iter().map(Sample::build).collect();
    bounded(redis.submit(jobs, None)).await.expect("submitted");
}

/// Settles one.
pub async fn settle(redis: &Redis, settlement: Settlement) -> Settled {
    let settled = bounded(redis.settle([settlement].into())).await.expect("settled");
    settled[0]
}
