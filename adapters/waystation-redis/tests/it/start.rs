use std::sync::Arc;

use waystation_core::clock::SystemClock;
use waystation_core::port::Severity;
use waystation_core::port::{Error, Queue};
use waystation_redis::{Options, Redis, inspect};
use waystation_testing::conformance::bounded;
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, settle, take, take_one};

async fn refusal(url: &str) -> Error {
    let options = Options::parse(url).expect("a good URL");
    match bounded(Box::pin(Redis::open(options, Arc::new(SystemClock)))).await {
        Ok(_) => panic!("{url} is taken"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_forget_are_refused_by_name() {
    let forgetful = Server::with(&["--appendonly", "no"]);
    let error = refusal(&forgetful.url()).await;
    assert!(!error.retryable());
    let message = error.to_string();
    assert!(message.contains("appendonly is no"), "{message}");
    assert!(message.contains("durability=any"), "{message}");
    let taken = Corner::on(&forgetful.url(), "any").open().await;
    assert!(!taken.capabilities().durable);

    let evicting = Server::with(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"]);
    let message = refusal(&evicting.url()).await.to_string();
    assert!(message.contains("maxmemory-policy is allkeys-lru"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capability_tells_whether_what_was_acknowledged_is_on_disk() {
    let durable = Server::durable();
    assert!(Corner::on(&durable.url(), "everysec").open().await.capabilities().durable);
    let second = Server::with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    assert!(!Corner::on(&second.url(), "everysec").open().await.capabilities().durable);
    let message = refusal(&format!("{}?durability=always", second.url())).await.to_string();
    assert!(message.contains("appendfsync is everysec"), "{message}");
    let options = Options::parse(&durable.url()).expect("a good URL");
    let findings = inspect(&options).await.expect("inspected");
    assert!(findings.iter().all(|found| found.severity == Severity::Fine), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_refused_with_the_name_of_their_primary() {
    let primary = Server::durable();
    let of = format!("127.0.0.1 {}", primary.port());
    let replica = Server::with(&["--appendonly", "yes", "--replicaof", &of]);
    let error = bounded(async {
        loop {
            // It may load its primary's data first.
            match refusal(&replica.url()).await {
                error if error.retryable() => tokio::task::yield_now().await,
                error => return error,
            }
        }
    });
    let message = error.await.to_string();
    assert!(message.contains("role is replica"), "{message}");
    assert!(message.contains(&format!("use its primary, 127.0.0.1:{}", primary.port())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_without_it() {
    let server = Server::with(&["--appendonly", "yes", "--requirepass", "right"]);
    let place = server.url().replace("redis://", "");
    for who in ["", ":wrongsecret@", "nobody:wrongsecret@"] {
        let error = refusal(&format!("redis://{who}{place}")).await;
        assert!(!error.retryable(), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("user or password is wrong"), "{message}");
        assert!(!message.contains("wrongsecret"), "{message}");
    }
    Corner::on(&format!("redis://:right@{place}"), "any").open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_told() {
    let server = Server::durable();
    let error = refusal(&format!("{}/99", server.url())).await;
    assert!(!error.retryable(), "{error:?}");
    assert!(error.to_string().contains("no database of this number"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_may_be_there_later() {
    let mut server = Server::durable();
    server.kill();
    assert!(refusal(&server.url()).await.retryable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_so_and_what_is_in_it_still_ends() {
    let server = Server::with(&["--appendonly", "yes"]);
    let corner = Corner::on(&server.url(), "any");
    let redis = corner.open().await;
    let job = |number: usize| sample::job(&number.to_string()).build();
    redis.submit((0..10).map(job).collect(), None).await.expect("submitted");
    corner.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let full = redis.submit(vec![job(99)], None).await.expect_err("there is no room");
    assert!(matches!(full, Error::Full { .. }) && full.retryable(), "{full:?}");
    let first = take_one(&redis).await;
    let lease = std::time::Duration::from_secs(30);
    redis.extend(vec![first.lease.clone()], lease).await.expect("extended");
    settle(&redis, sample::end(&first).complete()).await;
    for delivery in take(&redis, 99).await {
        settle(&redis, sample::end(&delivery).complete()).await;
    }
    assert!(take(&redis, 99).await.is_empty());
}
