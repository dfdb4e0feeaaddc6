use std::time::{Duration, Instant};

use waystation_core::port::{Extended, Queue};
use waystation_core::settlement::Settled;
use waystation_testing::conformance::bounded;
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, LONG, ids, request, settle, submit, take, take_one};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ran_out_hands_the_delivery_to_the_next_and_fences_the_first() {
    let corner = Corner::new();
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&here, [sample::job("a")]).await;
    let first = bounded(here.receive(request(1, LONG, SHORT))).await.expect("received").remove(0);
    // Nothing else happens: the wait ends with the lease.
    let second = take_one(&there).await;
    assert_eq!((second.deliveries, &second.body), (2, &first.body));
    assert_eq!(second.lease.delivery_id, first.lease.delivery_id);
    assert_ne!(second.lease.token, first.lease.token);
    assert_eq!(second.enqueued_at, first.enqueued_at);

    let extended = here.extend(vec![first.lease.clone(), second.lease.clone()], LONG).await;
    assert_eq!(extended.expect("asked"), [Extended::Lost, Extended::Held]);
    assert_eq!(settle(&here, sample::end(&first).forward_to("x")).await, Settled::Lost);
    assert_eq!(settle(&there, sample::end(&second).complete()).await, Settled::Applied);
    assert_eq!(here.depth(&sample::queue("x")).await.expect("counted").ready, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extended_lease_keeps_the_delivery() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, [sample::job("a")]).await;
    let taken = bounded(redis.receive(request(1, LONG, SHORT))).await.expect("received").remove(0);
    let extended = redis.extend(vec![taken.lease.clone()], LONG).await;
    assert_eq!(extended.expect("asked"), [Extended::Held]);
    let meanwhile = bounded(redis.receive(request(1, SHORT * 4, LONG))).await.expect("received");
    assert!(meanwhile.is_empty());
    assert_eq!(settle(&redis, sample::end(&taken).complete()).await, Settled::Applied);
}

#[tokio::test]
async fn what_is_handed_back_keeps_its_place_and_is_not_counted() {
    let corner = Corner::new();
    let redis = corner.open().await;
    submit(&redis, ["a", "b", "c", "d"].map(sample::job)).await;
    let taken = take(&redis, 3).await;
    for (place, expected) in [(1, Settled::Applied), (0, Settled::Applied), (0, Settled::Lost)] {
        assert_eq!(settle(&redis, sample::end(&taken[place]).hand_back()).await, expected);
    }
    let mut again = take(&redis, 1).await;
    assert_eq!(ids(&again), ["a"]);
    again.extend(take(&redis, 9).await);
    assert_eq!(ids(&again), ["a", "b", "d"]);
    assert!(again.iter().all(|one| one.deliveries == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_back_wakes_whoever_waits() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&here, [sample::job("a")]).await;
    let taken = take_one(&here).await;
    let waiting = tokio::spawn(async move { take_one(&there).await });
    corner.until_waiting(1).await;
    let start = Instant::now();
    settle(&here, sample::end(&taken).hand_back()).await;
    let again = bounded(waiting).await.expect("no panic");
    assert_eq!(again.deliveries, 1);
    // Whoever looks without being woken does so every five seconds.
    assert!(start.elapsed() < Duration::from_secs(2));
}
