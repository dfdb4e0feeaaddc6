//! Followers of a server over memory.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use waystation_core::event::Level;
use waystation_core::port::Signal;

use super::stream::{Gone, Stream};
use super::topic::Topic;
use crate::options::Limits;
use crate::problem::Code;
use crate::world::World;

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

async fn follow(world: &World, topic: Topic, cursor: Option<u64>) -> Stream {
    let stream = Stream::open(&world.context, topic, cursor).await;
    stream.map_err(|problem| problem.detail).expect("let in")
}

async fn next(stream: &mut Stream) -> Value {
    let sent = tokio::time::timeout(WAIT_MAX, stream.next()).await.expect("in time");
    serde_json::from_str(&sent.expect("a message").text).expect("JSON")
}

/// The next message that says so.
async fn until(stream: &mut Stream, says: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = next(stream).await;
        if says(&message) {
            return message;
        }
    }
}

#[tokio::test]
async fn followers_are_told_how_it_stands_and_then_what_comes() {
    let world = World::new(Limits::default()).await;
    let mut stream = follow(&world, Topic::Pipeline("p".into()), None).await;
    let first = next(&mut stream).await;
    assert_eq!((&first["type"], &first["version"]), (&"snapshot".into(), &1.into()), "{first}");
    assert_eq!(first["topic"]["pipeline"], "p");
    world.submit().await;
    let told = until(&mut stream, |message| message["kinds"]["created"] == 1).await;
    assert_eq!((&told["type"], &told["kinds"]["waiting"]), (&"delta".into(), &1.into()), "{told}");
    assert_eq!(told["events"][0]["kind"], "waiting", "somebody may want to look: {told}");
    let counted = |message: &Value| message["counts"][0]["state"] == "waiting";
    if !counted(&told) {
        until(&mut stream, counted).await;
    }
}

#[tokio::test]
async fn who_comes_back_is_told_what_they_missed() {
    let world = World::new(Limits::default()).await;
    let mut stays = follow(&world, Topic::All, None).await;
    let first = next(&mut stays).await;
    let cursor: u64 = first["cursor"].as_str().and_then(|text| text.parse().ok()).expect("one");
    world.submit().await;
    until(&mut stays, |message| message["kinds"]["created"] == 1).await;
    let mut back = follow(&world, Topic::All, Some(cursor)).await;
    let missed = next(&mut back).await;
    assert_eq!((&missed["type"], &missed["kinds"]["created"]), (&"delta".into(), &1.into()));
    let mut lost = follow(&world, Topic::All, Some(cursor + 100)).await;
    assert_eq!(next(&mut lost).await["type"], "snapshot", "nobody was given this cursor");
}

#[tokio::test]
async fn a_job_is_followed_line_by_line() {
    let world = World::new(Limits::default()).await;
    let job_id = world.submit().await;
    let mut stream = follow(&world, Topic::Job(job_id.clone()), None).await;
    let first = next(&mut stream).await;
    assert_eq!(first["job"]["state"], "waiting", "{first}");
    assert_eq!(first["events"][0]["kind"], "created", "{first}");
    let (stage, level, line) = ("check".into(), Level::Info, "a line".to_owned());
    let bus = &world.context.backend().bus;
    bus.publish(Signal::Log { job_id: job_id.clone(), stage, level, line });
    let told = until(&mut stream, |message| message["log"].is_array()).await;
    assert_eq!(told["log"][0]["line"], "a line");
    world.context.client().abort(&job_id, "enough").await.expect("aborted");
    let told = until(&mut stream, |message| message["kinds"]["aborted"] == 1).await;
    assert_eq!(told["events"][0]["detail"]["reason"], "enough", "{told}");
}

#[tokio::test]
async fn no_more_follow_than_may() {
    let world = World::new(Limits { subscribers_max: 1, ..Limits::default() }).await;
    let first = follow(&world, Topic::All, None).await;
    let refused = Stream::open(&world.context, Topic::All, None).await;
    assert_eq!(refused.err().map(|problem| problem.code), Some(Code::TooMany));
    drop(first);
    follow(&world, Topic::All, None).await;
}

#[tokio::test]
async fn the_end_of_the_server_lets_everybody_go() {
    let world = World::new(Limits::default()).await;
    let url = format!("ws://{}/api/v1/live?all=1", world.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("connected");
    let first = socket.next().await.expect("a message").expect("readable");
    assert!(first.into_text().expect("a text").contains("\"type\":\"snapshot\""));
    let url = format!("http://{}/api/v1/live/sse?all=1", world.address);
    // Other crates' features leave the choice of a TLS library to us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut events = reqwest::get(url).await.expect("connected");
    let first = events.chunk().await.expect("readable").expect("a message");
    let first = String::from_utf8_lossy(&first).into_owned();
    assert!(first.contains("data: {") || first.contains("data:{"), "{first}");
    assert!(first.contains("id:"), "{first}");
    world.stop.cancel();
    let gone = tokio::time::timeout(WAIT_MAX, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    });
    assert_eq!(gone.await.expect("in time"), Some(Gone::Closed.code()));
    let rest = tokio::time::timeout(WAIT_MAX, events.text()).await.expect("in time");
    assert!(rest.expect("an end").contains("event: gone"));
}

#[tokio::test]
async fn pages_of_other_sites_do_not_follow() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let world = World::new(Limits::default()).await;
    let mut request =
        format!("ws://{}/api/v1/live", world.address).into_client_request().expect("a request");
    let evil = "https://evil.example".parse().expect("a value");
    request.headers_mut().insert("origin", evil);
    let answer = tokio_tungstenite::connect_async(request).await.expect_err("refused");
    assert!(answer.to_string().contains("403"), "{answer}");
}
