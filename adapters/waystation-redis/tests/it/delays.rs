use std::time::{Duration, Instant};

use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port::Queue;
use waystation_core::settlement::Settled;
use waystation_testing::conformance::bounded;
use waystation_testing::sample;

use crate::server::Server;
use crate::world::{Corner, LONG, ids, request, settle, submit, take_one};

const DELAY: Duration = Duration::from_millis(400);
/// Two clocks that are one need not round alike.
const SLACK: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delayed_comes_when_it_is_due_in_order_and_nothing_waits_behind_it() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let start = Instant::now();
    let due = SystemClock.now().plus(DELAY);
    let later = due.plus(DELAY);
    let delayed = [("later", later), ("b", due), ("a", due)];
    submit(&redis, delayed.map(|(id, due)| sample::job(id).not_before(due))).await;
    submit(&redis, [sample::job("now")]).await;
    assert_eq!(ids(&[take_one(&redis).await]), ["now"]);
    let due = bounded(redis.receive(request(9, LONG, LONG))).await.expect("received");
    assert_eq!(ids(&due), ["b", "a"]);
    assert!(start.elapsed() >= DELAY.saturating_sub(SLACK));
    assert!(start.elapsed() < DELAY + Duration::from_secs(2));
    assert_eq!(ids(&[take_one(&redis).await]), ["later"]);
    assert!(start.elapsed() >= (DELAY * 2).saturating_sub(SLACK));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_of_what_is_due_before_anything_else() {
    let server = Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let (here, there) = (corner.open().await, corner.open().await);
    submit(&there, [sample::job("a").priority(3)]).await;
    let first = take_one(&there).await;
    let waiting = tokio::spawn(async move { take_one(&here).await });
    corner.until_waiting(1).await;
    let retry = sample::end(&first).retry_at(SystemClock.now().plus(DELAY));
    assert_eq!(settle(&there, retry).await, Settled::Applied);
    let again = bounded(waiting).await.expect("no panic");
    assert_eq!((again.priority, again.deliveries), (1, 1));
}
