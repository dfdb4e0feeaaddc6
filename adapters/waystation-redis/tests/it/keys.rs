use std::sync::Arc;
use std::time::Duration;

use waystation_core::clock::{Clock, SystemClock, Timestamp};
use waystation_core::key::Key;
use waystation_core::port::{Depth, Queue};
use waystation_core::settlement::{Delivery, Message, NewJob, Settled, Start, Turn};
use waystation_redis::Redis;
use waystation_testing::conformance::{bounded, keep_the_order_of_each_key};
use waystation_testing::sample::{self, Sample};

use crate::server::Server;
use crate::world::{Corner, LONG, ids, request, settle, submit, take, take_one};

const SHORT: Duration = Duration::from_millis(150);

/// A job under its key: `a1` has the key `a`.
fn keyed(id: &str) -> Sample {
    sample::job(id).key(&id[..1])
}

async fn depth(redis: &Redis) -> Depth {
    redis.depth(&sample::queue(sample::STAGE)).await.expect("counted")
}

async fn complete(redis: &Redis, delivery: &Delivery) {
    assert_eq!(settle(redis, sample::end(delivery).complete()).await, Settled::Applied);
}

/// Takes one after the other and completes each.
async fn expect_in_turn(redis: &Redis, expected: &[&str]) {
    for id in expected {
        let taken = take(redis, 9).await;
        assert_eq!(ids(&taken), [*id]);
        complete(redis, &taken[0]).await;
    }
}

/// The names of what is kept of the queue, without its prefix.
async fn kept(corner: &Corner) -> Vec<String> {
    let mut names: Vec<String> = corner.ask(&["KEYS", &format!("{}queue:*", corner.prefix)]).await;
    names.sort_unstable();
    names.iter().map(|name| name[corner.prefix.len()..].to_owned()).collect()
}

#[tokio::test]
async fn one_of_a_key_is_out_at_a_time_and_nothing_is_left_of_a_line_that_is_empty() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2", "b1", "a3", "b2"].map(keyed)).await;
    submit(&redis, [sample::job("free")]).await;
    let first = take(&redis, 9).await;
    assert_eq!(ids(&first), ["a1", "b1", "free"]);
    assert_eq!(first[0].key, Some(Key::new("a").expect("a key")));
    assert_eq!(first[2].key, None);
    assert!(take(&redis, 9).await.is_empty());
    let Depth { ready, behind, leased, .. } = depth(&redis).await;
    assert_eq!((ready, behind, leased), (0, 3, 3));

    let ends = [sample::end(&first[0]).complete(), sample::end(&first[1]).fail("broken")];
    let settled = bounded(redis.settle(ends.into())).await.expect("settled");
    assert_eq!(settled, [Settled::Applied; 2]);
    assert_eq!(settle(&redis, sample::end(&first[0]).complete()).await, Settled::Lost);
    let second = take(&redis, 9).await;
    assert_eq!(ids(&second), ["a2", "b2"]);
    let came = |deliveries: &[Delivery]| deliveries[0].enqueued_at;
    assert!(came(&second) <= came(&first).plus(Duration::from_secs(1)), "since it was submitted");
    for one in second.iter().chain(&first[2..]) {
        complete(&redis, one).await;
    }
    expect_in_turn(&redis, &["a3"]).await;
    assert_eq!(depth(&redis).await, Depth::default());
    let left = ["", ":dead", ":priority", ":sequence", ":wake"];
    let left = left.map(|name| format!("queue:samples.first{name}"));
    let names = kept(&corner).await;
    assert!(names.iter().all(|name| left.contains(name)), "{names:?}");
}

#[tokio::test]
async fn keys_are_texts_of_any_kind_and_queues_are_apart() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let keys = ["", " ", "1:x", "priority:x", "ž =ö", &"k".repeat(255)];
    for round in 0..2 {
        let jobs = keys.iter().enumerate();
        let jobs = jobs.map(|(place, key)| sample::job(&format!("{round}-{place}")).key(key));
        submit(&redis, jobs).await;
    }
    for _ in 0..2 {
        let taken = take(&redis, 99).await;
        let told: Vec<_> = taken.iter().map(|one| one.key.as_ref().expect("a key")).collect();
        assert_eq!(told.iter().map(|key| key.as_str()).collect::<Vec<_>>(), keys);
        for one in &taken {
            let key = one.key.as_ref().expect("a key").as_str();
            settle(&redis, sample::end(one).key(key).forward_to("next")).await;
        }
    }
    let next = redis.depth(&sample::queue("next")).await.expect("counted");
    assert_eq!((next.ready, next.behind), (keys.len() as u64, keys.len() as u64));
}

#[tokio::test]
async fn what_comes_again_is_the_last_of_its_key_and_what_keeps_its_place_the_first() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2", "a3"].map(keyed)).await;
    let first = take_one(&redis).await;
    settle(&redis, sample::end(&first).key("a").forward_to(sample::STAGE)).await;
    let second = take_one(&redis).await;
    assert_eq!(ids(std::slice::from_ref(&second)), ["a2"]);
    submit(&redis, [keyed("a9").priority(9)]).await;
    // It is due, and blocks its key all the same.
    settle(&redis, sample::end(&second).retry_at(Timestamp(0))).await;
    expect_in_turn(&redis, &["a2", "a9", "a3", "a1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_again_blocks_its_key_unless_it_steps_aside() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2", "b1", "b2", "b3"].map(keyed)).await;
    let taken = take(&redis, 9).await;
    let due = SystemClock.now().plus(SHORT * 2);
    settle(&redis, sample::end(&taken[0]).retry_at(due)).await;
    settle(&redis, sample::end(&taken[1]).stepping_aside().retry_at(due)).await;
    submit(&redis, [keyed("a9").priority(9), keyed("c1").not_before(due)]).await;
    let Depth { ready, delayed, behind, .. } = depth(&redis).await;
    assert_eq!((ready, delayed, behind), (1, 3, 3));
    let second = take(&redis, 9).await;
    assert_eq!(ids(&second), ["b2"], "nor does a priority help");

    let again = bounded(redis.receive(request(9, LONG, LONG))).await.expect("received");
    assert_eq!(ids(&again), ["a1", "c1"]);
    complete(&redis, &again[1]).await;
    complete(&redis, &again[0]).await;
    expect_in_turn(&redis, &["a9", "a2"]).await;
    complete(&redis, &second[0]).await;
    expect_in_turn(&redis, &["b3", "b1"]).await;
}

#[tokio::test]
async fn priority_goes_first_within_a_key_unless_the_first_was_handed_out() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2"].map(keyed)).await;
    submit(&redis, [keyed("a5").priority(5), keyed("a6").priority(5)]).await;
    let first = take(&redis, 9).await;
    assert_eq!((ids(&first), first[0].priority), (vec!["a5".to_owned()], 1));
    complete(&redis, &first[0]).await;
    expect_in_turn(&redis, &["a6"]).await;
    let second = take_one(&redis).await;
    submit(&redis, [keyed("a7").priority(7)]).await;
    assert_eq!(settle(&redis, sample::end(&second).hand_back()).await, Settled::Applied);
    expect_in_turn(&redis, &["a1", "a7", "a2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ran_out_leaves_the_first_where_it_was() {
    let corner = Corner::new();
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&here, ["a1", "a2"].map(keyed)).await;
    let lost = bounded(here.receive(request(1, LONG, SHORT))).await.expect("received").remove(0);
    submit(&here, [keyed("a9").priority(9)]).await;
    let again = take_one(&there).await;
    assert_eq!((ids(std::slice::from_ref(&again)), again.deliveries), (vec!["a1".into()], 2));
    assert_eq!(again.enqueued_at, lost.enqueued_at);
    assert_eq!(settle(&here, sample::end(&lost).complete()).await, Settled::Lost);
    assert_eq!(settle(&there, sample::end(&again).hand_back()).await, Settled::Applied);
    expect_in_turn(&there, &["a1", "a9", "a2"]).await;
}

/// As the engine does with what came past the order, and as a program may that copies fields.
#[tokio::test]
async fn an_entry_is_in_no_line_that_it_only_says_it_is_in() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2"].map(keyed)).await;
    let stream = format!("{}queue:samples.first", corner.prefix);
    let body = r#"{"job_id": "copied", "pipeline": "samples", "params": {}}"#;
    corner.ask::<String>(&["XADD", &stream, "*", "body", body, "key", "a", "since", "1"]).await;
    let taken = take(&redis, 9).await;
    assert_eq!(ids(&taken), ["a1", "copied"]);
    assert_eq!(taken[1].key, None);
    settle(&redis, sample::end(&taken[1]).key("a").forward_to(sample::STAGE)).await;
    complete(&redis, &taken[0]).await;
    expect_in_turn(&redis, &["a2", "copied"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_whose_first_somebody_deleted_goes_on() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let stream = format!("{}queue:samples.first", corner.prefix);
    submit(&redis, ["a1", "a2"].map(keyed)).await;
    let waiting: Vec<(String, Vec<String>)> = corner.ask(&["XRANGE", &stream, "-", "+"]).await;
    corner.ask::<u64>(&["XDEL", &stream, &waiting[0].0]).await;
    assert!(take(&redis, 9).await.is_empty());
    submit(&redis, [keyed("a3")]).await;

    let second = bounded(redis.receive(request(9, LONG, SHORT))).await.expect("received");
    assert_eq!(ids(&second), ["a2"]);
    let out: Vec<(String, Vec<String>)> = corner.ask(&["XRANGE", &stream, "-", "+"]).await;
    corner.ask::<u64>(&["XDEL", &stream, &out[0].0]).await;
    assert_eq!(ids(&[take_one(&redis).await]), ["a3"]);
}

/// A message that says it keeps a place, where nothing ends whose place that could be.
#[tokio::test]
async fn a_place_is_kept_only_by_what_follows_the_one_that_had_it() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a1", "a2", "b1"].map(keyed)).await;
    let mut job: NewJob = keyed("a3").build();
    let kept = |message: &mut Message, key| {
        message.turn = Some(Turn::kept(Key::new(key).expect("a key")));
    };
    if let Start::Queue(message) = &mut job.start {
        kept(message, "a");
    }
    bounded(redis.submit(vec![job], None)).await.expect("submitted");
    let taken = take(&redis, 9).await;
    assert_eq!(ids(&taken), ["a1", "b1"]);
    let mut other = sample::end(&taken[1]).key("b").forward_to(sample::STAGE);
    if let waystation_core::settlement::Next::Enqueue(message) = &mut other.next {
        kept(message, "a");
    }
    assert_eq!(settle(&redis, other).await, Settled::Applied);
    complete(&redis, &taken[0]).await;
    expect_in_turn(&redis, &["a2", "a3", "b1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_receivers_keep_the_order_of_each_key() {
    let corner = Corner::new();
    let queue = Arc::new(corner.open().await);
    keep_the_order_of_each_key(queue.clone()).await;
    assert_eq!(depth(&queue).await, Depth::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_of_the_server_at_any_moment_leaves_every_line_whole() {
    const JOBS: usize = 60;
    let mut server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let redis = corner.open().await;
    let job = |n: usize| sample::job(&format!("{n:02}")).key(["a", "b", "c"][n % 3]);
    submit(&redis, (0..JOBS).map(job)).await;
    let working = tokio::spawn({
        let redis = redis.clone();
        async move {
            let mut came: Vec<String> = Vec::new();
            let short = Duration::from_millis(500);
            while came.len() < JOBS || depth_is_not_zero(&redis).await {
                let taken = redis.receive(request(9, short, short)).await.unwrap_or_default();
                for delivery in &taken {
                    let id = ids(std::slice::from_ref(delivery)).remove(0);
                    if !came.contains(&id) {
                        came.push(id);
                    }
                    let _ = redis.settle([sample::end(delivery).complete()].into()).await;
                }
            }
            came
        }
    });
    for _ in 0..3 {
        let left = depth(&redis).await.behind;
        let on = async {
            while depth(&redis).await.behind + 9 > left {
                tokio::task::yield_now().await;
            }
        };
        bounded(on).await;
        server.kill();
        server.start();
        bounded(async {
            while redis.depth(&sample::queue(sample::STAGE)).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let came =
        tokio::time::timeout(Duration::from_mins(1), working).await.expect("all of them end");
    let came = came.expect("no panic");
    for first in 0..3 {
        let of_key: Vec<usize> = came
            .iter()
            .map(|id| id.parse().expect("a number"))
            .filter(|n| n % 3 == first)
            .collect();
        assert_eq!(of_key, (first..JOBS).step_by(3).collect::<Vec<_>>());
    }
}

async fn depth_is_not_zero(redis: &Redis) -> bool {
    let depth = redis.depth(&sample::queue(sample::STAGE)).await;
    depth.is_ok_and(|depth| depth.ready + depth.behind + depth.leased > 0)
}
