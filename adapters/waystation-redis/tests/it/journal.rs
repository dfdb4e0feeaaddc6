use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use waystation_core::port::{Journal, Post};
use waystation_redis::Redis;
use waystation_testing::conformance::bounded;
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, LONG, submit};

async fn read(redis: &Redis, max: usize, wait: Duration) -> Vec<Post> {
    bounded(redis.read(max, wait)).await.expect("read")
}

fn jobs(posts: &[Post]) -> Vec<String> {
    let events = posts.iter().map(|post| serde_json::from_slice::<Vec<Value>>(&post.body));
    let id = |event: Value| event["job_id"].as_str().unwrap_or_default().to_owned();
    events.flat_map(|events| events.expect("a list").into_iter().map(id)).collect()
}

fn receipts(posts: &[Post]) -> Vec<u64> {
    posts.iter().map(|post| post.receipt).collect()
}

async fn submit_each(redis: &Redis, ids: &[&str]) {
    for id in ids {
        submit(redis, [sample::job(id)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_come_in_order_to_one_reader_and_the_next_follows_where_it_was_cut_off() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let (first, second) = (corner.open().await, corner.open().await);
    submit_each(&first, &["a", "b", "c", "d"]).await;
    let posts = read(&first, 3, Duration::ZERO).await;
    assert_eq!(jobs(&posts), ["a", "b", "c"]);
    assert!(read(&second, 9, Duration::from_millis(1_500)).await.is_empty());
    first.done(&receipts(&posts[..1])).await.expect("done");

    // Its connections are cut and it does not come back; nor does it say goodbye.
    corner.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    drop(first);
    let mut followed = Vec::new();
    while followed.len() < 3 {
        // Its own connections are cut too.
        followed
            .extend(second.read(9, LONG).await.map_or_else(|_| Vec::new(), |posts| jobs(&posts)));
    }
    assert_eq!(followed, ["b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_reader_follows_at_once_when_the_first_one_closes() {
    let corner = Corner::new();
    let (first, second) = (corner.open().await, corner.open().await);
    submit_each(&first, &["a"]).await;
    let posts = read(&first, 9, Duration::ZERO).await;
    first.close().await;
    let lock: Option<String> =
        corner.ask(&["GET", &format!("{}job_events:reader", corner.prefix)]).await;
    assert_eq!(lock, None);
    assert_eq!(jobs(&read(&second, 9, LONG).await), ["a"]);
    first.done(&receipts(&posts)).await.expect("what it holds no more is passed over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_woken_and_a_read_that_is_dropped_loses_nothing() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let redis = corner.open().await;
    for round in 0..20 {
        let id = round.to_string();
        submit_each(&redis, &[&id]).await;
        let reading = redis.read(9, LONG);
        let posts = match tokio::time::timeout(Duration::from_micros(100 * round), reading).await {
            Ok(posts) => posts.expect("read"),
            Err(_) => read(&redis, 9, LONG).await,
        };
        assert_eq!(jobs(&posts), [id]);
        redis.done(&receipts(&posts)).await.expect("done");
    }
    let waiting = tokio::spawn({
        let redis = redis.clone();
        async move { read(&redis, 9, LONG).await }
    });
    corner.until_waiting(1).await;
    submit_each(&redis, &["last"]).await;
    assert_eq!(jobs(&bounded(waiting).await.expect("no panic")), ["last"]);
}

#[tokio::test]
async fn a_post_that_cannot_be_read_is_kept_aside() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let key = format!("{}job_events", corner.prefix);
    corner.ask::<String>(&["XADD", &key, "*", "body", "nonsense"]).await;
    let posts = read(&redis, 9, Duration::ZERO).await;
    redis.refuse(posts[0].receipt, "not JSON").await.expect("refused");
    let dead: Vec<(String, Vec<String>)> =
        corner.ask(&["XRANGE", &format!("{key}:dead"), "-", "+"]).await;
    assert_eq!(dead[0].1, ["reason", "not JSON", "body", "nonsense"]);
    assert_eq!(corner.ask::<u64>(&["XLEN", &key]).await, 0);
    assert!(read(&redis, 9, Duration::ZERO).await.is_empty());
}

#[tokio::test]
async fn a_part_of_a_post_is_kept_aside_by_itself() {
    let corner = Corner::new();
    let (redis, other) = (corner.open().await, corner.open().await);
    submit(&redis, ["a", "b"].map(sample::job)).await;
    let posts = read(&redis, 9, Duration::ZERO).await;
    let key = format!("{}job_events", corner.prefix);
    redis.set_aside(b"{\"stage\":\"nowhere\"}", "stray").await.expect("kept");
    // Who does not read has nothing to keep: whoever reads says it.
    other.set_aside(b"{}", "not mine").await.expect("passed over");
    let dead: Vec<(String, Vec<String>)> =
        corner.ask(&["XRANGE", &format!("{key}:dead"), "-", "+"]).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1, ["reason", "stray", "body", "{\"stage\":\"nowhere\"}"]);
    assert_eq!(corner.ask::<u64>(&["XLEN", &key]).await, 1);
    redis.done(&receipts(&posts)).await.expect("done");
    assert_eq!(corner.ask::<u64>(&["XLEN", &key]).await, 0);
}

#[tokio::test]
async fn events_are_announced_one_by_one_once_they_are_done() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let server = std::env::var("WAYSTATION_TEST_REDIS").expect("named, as above");
    let client = redis::Client::open(server).expect("a good URL");
    let mut listener = client.get_async_pubsub().await.expect("the server answers");
    listener.subscribe(format!("{}job_events", corner.prefix)).await.expect("subscribed");
    submit(&redis, ["a", "b"].map(sample::job)).await;
    let posts = read(&redis, 9, Duration::ZERO).await;
    assert_eq!(posts.len(), 1);
    redis.done(&receipts(&posts)).await.expect("done");
    let mut messages = listener.into_on_message();
    for id in ["a", "b"] {
        let message = bounded(messages.next()).await.expect("announced");
        let event: Value = serde_json::from_slice(message.get_payload_bytes()).expect("JSON");
        assert_eq!((&event["event"], &event["job_id"]), (&"created".into(), &id.into()));
    }
}
