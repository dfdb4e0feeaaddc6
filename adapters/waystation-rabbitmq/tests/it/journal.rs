//! The journal: read in order, by one at a time, and announced to whoever listens.

use std::time::Duration;

use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::journal::decode;
use waystation_core::port::{Journal, Post};
use waystation_rabbitmq::RabbitMq;
use waystation_testing::sample;

use crate::broker::{Broker, WAIT_MAX, job_id, settle, submit, take_one};

async fn read(ours: &RabbitMq) -> Vec<Post> {
    let read = ours.read(100, WAIT_MAX / 2);
    tokio::time::timeout(WAIT_MAX, read).await.expect("in time").expect("read")
}

fn jobs_of(posts: &[Post]) -> Vec<String> {
    let entries = posts.iter().flat_map(|post| decode(&post.body, Timestamp(0)).expect("events"));
    entries.map(|entry| entry.job_id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_come_in_order_until_they_are_done() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    for id in ["a", "b", "c"] {
        submit(&ours, vec![sample::job(id).into()]).await;
    }
    let mut posts = Vec::new();
    while posts.len() < 3 {
        posts.extend(read(&ours).await);
    }
    assert_eq!(jobs_of(&posts), ["a", "b", "c"]);
    ours.done(&[posts[0].receipt]).await.expect("done");
    ours.refuse(posts[1].receipt, "unreadable").await.expect("refused");
    ours.close().await;
    let next = broker.open("").await;
    assert_eq!(jobs_of(&read(&next).await), ["c"]);
    let (_, headers) = broker.get("job_events.dead").await.expect("it was put aside");
    assert_eq!(Broker::reason(&headers), "unreadable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_of_a_post_is_put_aside_by_itself() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    submit(&ours, vec![sample::job("a").into(), sample::job("b").into()]).await;
    let posts = read(&ours).await;
    ours.set_aside(b"{\"stage\":\"nowhere\"}", "stray").await.expect("put aside");
    let (body, headers) = broker.get("job_events.dead").await.expect("it is there");
    assert_eq!(body, b"{\"stage\":\"nowhere\"}");
    assert_eq!(Broker::reason(&headers), "stray");
    // The post is still this reader's, to be done.
    ours.done(&posts.iter().map(|post| post.receipt).collect::<Vec<_>>()).await.expect("done");
    ours.close().await;
    let next = broker.open("").await;
    assert_eq!(next.read(100, Duration::from_millis(300)).await.expect("read"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reader_at_a_time_and_another_follows() {
    let broker = Broker::new().await;
    let (first, second) = (broker.open("").await, broker.open("").await);
    submit(&first, vec![sample::job("a").into()]).await;
    let posts = read(&first).await;
    assert_eq!(posts.len(), 1);
    let none = second.read(10, Duration::from_millis(300)).await.expect("read");
    assert_eq!(none, []);
    first.close().await;
    // What the first one left undone comes first.
    assert_eq!(jobs_of(&read(&second).await), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_done_are_announced_one_by_one_to_who_is_there() {
    let broker = Broker::new().await;
    let ours = broker.open("prefetch=9").await;
    submit(&ours, vec![sample::job("a").into()]).await;
    read_and_be_done(&ours, 1).await;
    // Nobody was there. Somebody is from now on, and misses nothing of what is done at once.
    broker.declare("admin", "classic").await;
    broker.bind("admin", "job_events").await;
    submit(&ours, vec![sample::job("b").into()]).await;
    let delivery = {
        let first = take_one(&ours, sample::STAGE).await;
        if job_id(&first) == "b" { first } else { take_one(&ours, sample::STAGE).await }
    };
    settle(&ours, sample::end(&delivery).complete()).await;
    read_and_be_done(&ours, 2).await;
    let mut events = Vec::new();
    let announced = async {
        while events.len() < 2 {
            // A tracker that has nothing to do is done with nothing, again and again.
            ours.done(&[]).await.expect("done");
            while let Some((body, _)) = broker.get("admin").await {
                let event: Value = serde_json::from_slice(&body).expect("one event");
                events.push((event["job_id"].clone(), event["event"].clone()));
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, announced).await.expect("in time");
    assert_eq!(events, [("b".into(), "created".into()), ("b".into(), "completed".into())]);
}

/// Is done with this many posts.
async fn read_and_be_done(ours: &RabbitMq, posts: usize) {
    let mut count = 0;
    while count < posts {
        let posts = read(ours).await;
        count += posts.len();
        ours.done(&posts.iter().map(|post| post.receipt).collect::<Vec<_>>()).await.expect("done");
    }
}

impl Broker {
    async fn bind(&self, queue: &str, exchange: &str) {
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let bound = self.plain().queue_bind(
            self.name(queue),
            self.name(exchange),
            "".into(),
            options,
            table,
        );
        bound.await.expect("bound");
    }
}
