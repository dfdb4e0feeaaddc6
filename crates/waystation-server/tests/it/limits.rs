//! What is too much is refused, in words.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use waystation_server::{Limits, Options};

use crate::world::{World, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_headers_and_methods_have_their_limits() {
    let limits = Limits { body_bytes_max: 1_000, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() }).await;
    let body = json!({ "pipeline": "scans", "params": { "page": "x".repeat(2_000) } });
    world.post("/api/v1/jobs", body).await.problem(413, "too_large");
    let long = world.request(Method::GET, "/api/v1/jobs").header("x-long", "x".repeat(20_000));
    send(long).await.problem(431, "headers_too_large");
    let told = world.get("/api/v1/nothing").await.problem(404, "not_found");
    assert_eq!(told, "there is nothing at this path");
    let put = send(world.request(Method::PUT, "/api/v1/jobs")).await;
    assert!(put.headers.contains_key("allow"));
    put.problem(405, "method_not_allowed");
    let zero = world.get("/api/v1/jobs/a%00b").await;
    zero.problem(400, "bad_request");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_take_too_long_end() {
    let limits = Limits { request_time_max: Duration::ZERO, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() }).await;
    let path = "/api/v1/events?after=0&wait_seconds=1";
    world.get(path).await.is(200);
    let slow = world.request(Method::PUT, "/api/v1/pipelines/scans");
    let slow = slow.header("content-type", "application/json");
    // The body never comes whole, so that nothing can be answered.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(stream(receiver));
    send(slow.body(body)).await.problem(503, "timed_out");
    drop(sender);
    world.end().await;
}

fn stream(
    mut receiver: tokio::sync::mpsc::Receiver<Result<Vec<u8>, std::io::Error>>,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_headers_that_browsers_heed() {
    let world = World::open().await;
    for path in ["/api/v1/jobs", "/api/v1/nothing", "/health/live"] {
        let headers = world.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() }).await;
    let address = world.url.strip_prefix("http://").unwrap().to_owned();
    let ask = format!("GET /health/live HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let first = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut second = tokio::net::TcpStream::connect(&address).await.unwrap();
    second.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut answer));
    assert!(early.await.is_err(), "the first one has the only place");
    drop(first);
    let later = tokio::time::timeout(crate::world::WAIT_MAX, second.read_exact(&mut answer)).await;
    later.expect("its turn comes").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_closed_and_waiting_ones_are_not() {
    use tokio::io::AsyncReadExt;
    let limits = Limits { idle_time_max: Duration::from_millis(1_500), ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() }).await;
    let address = world.url.strip_prefix("http://").unwrap().to_owned();
    let mut silent = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut end = Vec::new();
    let closed = tokio::time::timeout(crate::world::WAIT_MAX, silent.read_to_end(&mut end));
    let _ = closed.await.expect("nobody said anything");
    world.get("/api/v1/events?after=0&wait_seconds=1").await.is(200);
    world.end().await;
}
