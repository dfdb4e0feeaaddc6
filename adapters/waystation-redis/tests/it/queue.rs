use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waystation_core::job::Checkpoint;
use waystation_core::journal::{self, Change};
use waystation_core::port::{Error, Journal, Queue};
use waystation_core::settlement::Settled;
use waystation_testing::conformance::{bounded, hand_out_the_share};
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, LONG, ids, request, settle, submit, take, take_one};

#[tokio::test]
async fn a_job_hops_and_the_journal_tells_of_it() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, [sample::job("a").param("width", 640)]).await;
    let delivery = take_one(&redis).await;
    assert_eq!((delivery.deliveries, delivery.priority), (1, 0));
    let hop = sample::end(&delivery).forward_to(sample::STAGE);
    assert_eq!(settle(&redis, hop.clone()).await, Settled::Applied);
    assert_eq!(settle(&redis, hop).await, Settled::Lost);
    let next = take_one(&redis).await;
    assert_eq!(settle(&redis, sample::end(&next).complete()).await, Settled::Applied);
    assert_eq!(redis.depth(&sample::queue(sample::STAGE)).await.expect("counted").ready, 0);

    let posts = bounded(redis.read(9, Duration::ZERO)).await.expect("read");
    let told: Vec<_> = posts
        .iter()
        .flat_map(|post| journal::decode(&post.body, delivery.enqueued_at).expect("readable"))
        .map(|entry| entry.change)
        .collect();
    assert!(matches!(
        told[..],
        [Change::Created { .. }, Change::Landed { .. }, Change::Landed { .. }]
    ));
}

#[tokio::test]
async fn what_travels_is_plain_json_that_any_program_reads_and_writes() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let stream = format!("{}queue:samples.first", corner.prefix);
    let body = json!({"job_id": "foreign", "pipeline": "samples", "params": {"a": 1}}).to_string();
    corner.ask::<String>(&["XADD", &stream, "*", "body", &body]).await;
    corner.ask::<String>(&["XADD", &stream, "*", "payload", "no contract"]).await;
    let delivery = take_one(&redis).await;
    assert_eq!(delivery.body, body.as_bytes());
    assert!(take(&redis, 9).await.is_empty());
    let dead: Vec<(String, Vec<String>)> =
        corner.ask(&["XRANGE", &format!("{stream}:dead"), "-", "+"]).await;
    assert_eq!(dead[0].1, ["reason", "the entry has no field `body`", "payload", "no contract"]);

    settle(&redis, sample::end(&delivery).forward_to("next")).await;
    let next = format!("{}queue:samples.next", corner.prefix);
    let sent: Vec<(String, (String, String))> = corner.ask(&["XRANGE", &next, "-", "+"]).await;
    let (_, (field, body)) = &sent[0];
    let contract: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((field.as_str(), &contract["params"]), ("body", &json!({"a": 1})));
}

#[tokio::test]
async fn priority_goes_first_and_the_rest_in_order() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let jobs = [("a", 0), ("b", 0), ("c", 5), ("d", 0), ("e", 1)];
    submit(&redis, jobs.map(|(id, priority)| sample::job(id).priority(priority))).await;
    let first = take(&redis, 3).await;
    assert_eq!(ids(&first), ["c", "e", "a"]);
    assert_eq!(ids(&take(&redis, 9).await), ["b", "d"]);
    for delivery in &first {
        assert_eq!(settle(&redis, sample::end(delivery).complete()).await, Settled::Applied);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normal_lane_has_its_share() {
    let corner = Corner::new();
    let redis = Arc::new(corner.open().await);
    hand_out_the_share(redis.clone()).await;
    submit(&redis, [sample::job("last")]).await;
    take_one(&redis).await;
    let passed = format!("{}queue:samples.first:passed", corner.prefix);
    assert_eq!(corner.ask::<u64>(&["EXISTS", &passed]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_never_share_a_delivery() {
    let corner = Corner::new();
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&here, (0..500).map(|number| sample::job(&number.to_string()))).await;
    let mut receivers = tokio::task::JoinSet::new();
    for redis in [&here, &there, &here, &there] {
        let redis = redis.clone();
        receivers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let some = take(&redis, 7).await;
                if some.is_empty() {
                    return taken;
                }
                taken.extend(some.into_iter().map(|one| one.lease.delivery_id));
            }
        });
    }
    let taken: Vec<i64> = bounded(receivers.join_all()).await.concat();
    assert_eq!(taken.len(), 500);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_is_woken_at_once_and_others_settle_meanwhile() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&here, [sample::job("before")]).await;
    let before = take_one(&here).await;
    for id in ["a", "b", "c"] {
        let waiting = tokio::spawn({
            let here = here.clone();
            async move {
                here.receive(request(1, LONG, LONG)).await.map(|taken| (taken, Instant::now()))
            }
        });
        corner.until_waiting(1).await;
        // Once the receiver waits on its own connection, settling must still be quick.
        let start = Instant::now();
        let lease = vec![before.lease.clone()];
        bounded(here.extend(lease, LONG)).await.expect("extended");
        assert!(start.elapsed() < Duration::from_secs(2));
        let sent = Instant::now();
        submit(&there, [sample::job(id)]).await;
        let (taken, at) = bounded(waiting).await.expect("no panic").expect("received");
        assert_eq!(ids(&taken), [id]);
        // Whoever looks without being woken does so every five seconds.
        assert!(at.duration_since(sent) < Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receive_that_is_dropped_loses_nothing_and_counts_nothing() {
    let corner = Corner::new();
    let redis = corner.open().await;
    for round in 0..20 {
        submit(&redis, [sample::job(&round.to_string())]).await;
        let receiving = redis.receive(request(1, LONG, LONG));
        // At any moment of it.
        let polls = tokio::time::timeout(Duration::from_micros(100 * round), receiving).await;
        let taken = match polls {
            Ok(received) => received.expect("received").remove(0),
            Err(_) => take_one(&redis).await,
        };
        assert_eq!(taken.deliveries, 1);
        assert_eq!(settle(&redis, sample::end(&taken).complete()).await, Settled::Applied);
    }
}

#[tokio::test]
async fn what_failed_is_kept_aside_with_the_reason() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, [sample::job("a")]).await;
    let delivery = take_one(&redis).await;
    settle(&redis, sample::end(&delivery).fail("no such image")).await;
    let key = format!("{}queue:samples.first:dead", corner.prefix);
    let dead: Vec<(String, Vec<String>)> = corner.ask(&["XRANGE", &key, "-", "+"]).await;
    let [reason, why, body, contract] = <[_; 4]>::try_from(dead[0].1.clone()).expect("two fields");
    assert_eq!((reason.as_str(), body.as_str()), ("reason", "body"));
    assert!(why.contains("no such image"), "{why}");
    assert!(contract.contains("\"job_id\":\"a\""), "{contract}");
}

#[tokio::test]
async fn depth_counts_what_is_ready_delayed_and_out() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let queue = sample::queue(sample::STAGE);
    assert_eq!(redis.depth(&queue).await.expect("counted"), <_>::default());
    submit(&redis, (0..5).map(|number| sample::job(&number.to_string()))).await;
    let later = waystation_core::clock::Timestamp(i64::MAX / 4);
    submit(&redis, [sample::job("later").not_before(later)]).await;
    let out = take(&redis, 2).await;
    submit(&redis, [sample::job("urgent").priority(3)]).await;
    let depth = redis.depth(&queue).await.expect("counted");
    assert_eq!((depth.ready, depth.priority, depth.delayed, depth.leased), (4, 1, 1, 2));
    take(&redis, 1).await;
    assert!(depth.oldest.is_some_and(|oldest| oldest >= out[0].enqueued_at));
    settle(&redis, sample::end(&out[0]).hand_back()).await;
    let depth = redis.depth(&queue).await.expect("counted");
    assert_eq!((depth.ready, depth.leased, depth.oldest), (4, 2, Some(out[0].enqueued_at)));
}

#[tokio::test]
async fn checkpoints_and_what_is_too_large_are_refused() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let checkpoint = Checkpoint::new("s", json!(1));
    let refused = redis.submit(Vec::new(), Some(checkpoint)).await.expect_err("no checkpoints");
    assert!(refused.to_string().contains("keeps no checkpoints"), "{refused}");
    let large = sample::job("a").param("text", "x".repeat(300_000)).build();
    let refused = redis.submit(vec![large], None).await.expect_err("too large");
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
}
