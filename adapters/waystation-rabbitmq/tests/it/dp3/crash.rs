//! A broker that crashes loses nothing that was confirmed to us.

use std::time::Duration;

use waystation_rabbitmq::dp3::Lane;
use waystation_testing::servers::RabbitMqServer;

use super::place::{Place, eid, take, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a RabbitMQ node of its own"]
async fn restart_that_loses_transient_messages_loses_none_of_ours() {
    let mut server = RabbitMqServer::start();
    let place = Place::at(server.url(), 1).await;
    place.declare(10_000).await;
    let patient = place.writer(Duration::from_mins(1));
    for number in 0..20 {
        patient.put(&task(number), Lane::Normal).await.expect("put");
        place.publish_transient("worker-0-control").await;
    }
    let reader = place.reader(0);
    let first = take(&reader).await;
    server.kill();
    let message = task(20);
    let writing = patient.put(&message, Lane::Normal);
    let restarting = tokio::task::spawn_blocking(move || {
        server.launch();
        server
    });
    let (put, server) = tokio::join!(writing, restarting);
    put.expect("the broker is back");
    let server = server.expect("it started");
    // The same reader goes on, and what it had is not its own any more.
    let mut seen = Vec::new();
    for _ in 0..21 {
        let received = take(&reader).await;
        assert!(reader.acknowledge(received.tag).await);
        seen.push(eid(&received.message).parse::<u32>().expect("a number"));
    }
    assert!(!reader.acknowledge(first.tag).await, "stale");
    seen.sort_unstable();
    assert_eq!(seen, (0..=20).collect::<Vec<_>>());
    let mut after = Place::at(server.url(), 1).await;
    after.app = place.app.clone();
    assert_eq!(after.count("worker-0-control").await, 0, "as DP3 sends them they are gone");
    reader.stop().await;
}
