use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::journal::{self, Change};
use waystation_core::port::{Error, Journal, Queue};
use waystation_core::settlement::Settled;
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, LONG, ids, request, settle, submit, take};

/// Longer than the first waits of a reconnection together.
const BACK_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashed_lost_nothing_and_receivers_go_on() {
    let mut server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let redis = corner.open().await;
    submit(&redis, (0..100).map(|number| sample::job(&number.to_string()))).await;
    let out = take(&redis, 10).await;
    let settled = settle(&redis, sample::end(&out[0]).forward_to("next")).await;
    assert_eq!(settled, Settled::Applied);
    assert_eq!(take(&redis, 90).await.len(), 90);
    let waiting = tokio::spawn({
        let redis = redis.clone();
        async move {
            loop {
                match redis.receive(request(9, LONG, LONG)).await {
                    Ok(taken) if taken.is_empty() => {}
                    Ok(taken) => return taken,
                    Err(error) => assert!(error.retryable(), "{error:?}"),
                }
            }
        }
    });
    server.kill();
    let cut = redis.submit(vec![sample::job("cut").build()], None).await.expect_err("cut off");
    assert!(matches!(cut, Error::Unavailable { .. }), "{cut:?}");
    server.start();

    let back = async {
        // What was leased is still ours.
        loop {
            match redis.settle([sample::end(&out[1]).complete()].into()).await {
                Ok(settled) => return settled,
                Err(error) => assert!(error.retryable(), "{error:?}"),
            }
        }
    };
    let settled = tokio::time::timeout(BACK_MAX, back).await.expect("the server is back");
    assert_eq!(settled, [Settled::Applied]);
    submit(&redis, [sample::job("after")]).await;
    let taken =
        tokio::time::timeout(BACK_MAX, waiting).await.expect("received on").expect("no panic");
    assert_eq!(ids(&taken), ["after"]);
    assert_eq!(redis.depth(&sample::queue("next")).await.expect("counted").ready, 1);
    let depth = redis.depth(&sample::queue(sample::STAGE)).await.expect("counted");
    assert_eq!((depth.ready, depth.leased), (0, 99));

    let posts = redis.read(999, Duration::ZERO).await.expect("read");
    assert_eq!(posts.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_are_made_again_and_nothing_is_lost_or_doubled() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let redis = corner.open().await;
    submit(&redis, (0..50).map(|number| sample::job(&number.to_string()))).await;
    let queue = sample::queue(sample::STAGE);
    let short = Duration::from_millis(500);
    let finish = async {
        for round in 1.. {
            if round % 4 == 0 && round <= 12 {
                corner.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
            }
            let taken = redis.receive(request(3, short, short)).await.unwrap_or_default();
            for delivery in taken {
                // Whether it holds when the answer is lost, the journal tells.
                let _ = redis.settle([sample::end(&delivery).complete()].into()).await;
            }
            let depth = redis.depth(&queue).await;
            if depth.is_ok_and(|depth| depth.ready + depth.leased == 0) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), finish).await.expect("all of them end");
    let posts = redis.read(999, Duration::ZERO).await.expect("read");
    let mut completed: Vec<String> = posts
        .iter()
        .flat_map(|post| journal::decode(&post.body, Timestamp(0)).expect("readable"))
        .filter(|entry| matches!(entry.change, Change::Landed { .. }))
        .map(|entry| entry.job_id.to_string())
        .collect();
    assert_eq!(completed.len(), 50);
    completed.sort_unstable();
    completed.dedup();
    assert_eq!(completed.len(), 50);
}
