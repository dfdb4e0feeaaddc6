//! DP3 0.10.0 on the other side.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::key::hash;
use waystation_rabbitmq::dp3::topology::Options;
use waystation_rabbitmq::dp3::{DataPoint, DataPointTask, Eid, Lane, Message, Moment, reader};

use super::peer::Peer;
use super::place::{Place, eid, nothing, take, task};
use crate::broker::WAIT_MAX;

/// Entities of all kinds of ids.
fn entities() -> Vec<(&'static str, Value)> {
    let mut entities: Vec<(&str, Value)> = (1..=12).map(|number| ("A", json!(number))).collect();
    entities.extend([
        ("B", json!("b/ž")),
        ("ip4", json!("10.0.0.1")),
        ("ip", json!("2001:db8::1")),
        ("mac", json!("aa:bb:cc:dd:ee:ff")),
    ]);
    entities
}

#[tokio::test]
#[ignore = "needs dp-cubed==0.10.0 (PyPI)"]
async fn dp_cubed_writes_and_each_worker_of_ours_gets_its_keys() {
    let place = Place::new(3).await;
    let mut peer = Peer::start(&place, "put", 3);
    for (etype, eid) in entities() {
        peer.tell(&json!({ "task": { "etype": etype, "eid": eid, "delete": true } }));
        let key = peer.hear().await["key"].as_str().expect("a key").to_owned();
        let worker = hash(&key) % 3;
        let reader = place.reader(worker);
        let received = take(&reader).await;
        assert_eq!((received.message.routing_key(), received.lane), (key, Lane::Normal));
        assert_eq!(received.message.worker(place.workers), worker);
        assert!(reader.acknowledge(received.tag).await);
        reader.stop().await;
    }
    peer.tell(&json!({ "task": { "etype": "A", "eid": 1, "delete": true }, "priority": true }));
    let worker = hash("A:1") % 3;
    peer.hear().await;
    let reader = place.reader(worker);
    assert_eq!(take(&reader).await.lane, Lane::Priority);
    drop(reader);
    peer.tell(&json!({ "task": { "etype": "A", "eid": 2, "delete": true }, "broadcast": true }));
    peer.hear().await;
    for worker in 0..3 {
        let options = reader::Options { priority: false, ..reader::Options::default() };
        assert_eq!(eid(&take(&place.reader_with(worker, options)).await.message), "2");
    }
    peer.end().await;
}

#[tokio::test]
#[ignore = "needs dp-cubed==0.10.0 (PyPI)"]
async fn dp_cubed_reads_the_tasks_that_we_write_and_drops_garbage() {
    let place = Place::new(1).await;
    let mut peer = Peer::start(&place, "read", 0);
    assert_eq!(peer.hear().await, json!({ "check": true }));
    let moment = |text: &str| Moment::parse(text).expect(text);
    let load = DataPoint {
        src: Some("s".to_owned()),
        c: 0.25,
        t1: Some(moment("2024-01-01T00:00:00Z")),
        t2: Some(moment("2024-01-01T00:00:00.5Z")),
        ..DataPoint::new("load", 3)
    };
    let mut kept = DataPointTask::new("B", "b/ž");
    kept.ttl_tokens.insert("base".to_owned(), moment("2024-01-01T00:00:00Z"));
    kept.tags = vec![json!("tag"), json!(1)];
    let mac = Eid::mac("AA-BB-CC-DD-EE-FF").expect("an address");
    let tasks = [
        DataPointTask::new("A", 1).with(DataPoint::new("data1", "x")).with(load),
        kept,
        DataPointTask::deleting("mac", mac),
        DataPointTask::deleting("ip", Eid::ipv6("2001:DB8::1".parse().expect("an address"))),
    ];
    let writer = place.writer(WAIT_MAX);
    for (index, task) in tasks.into_iter().enumerate() {
        let message = Message::from(task);
        let lane = if index % 2 == 0 { Lane::Normal } else { Lane::Priority };
        writer.put(&message, lane).await.expect("put");
        let body = message.to_bytes().expect("JSON");
        let body = String::from_utf8(body).expect("UTF-8");
        let heard = peer.hear().await;
        assert_eq!(
            heard,
            json!({ "came": body, "key": message.routing_key(), "acknowledged": true })
        );
    }
    place.publish("worker-0", b"garbage").await;
    let heard = peer.hear().await;
    let log = heard["log"].as_str().expect("it is logged");
    assert!(log.starts_with("Erroneous message received"), "{log}");
    peer.end().await;
    assert_eq!(place.count("worker-0").await, 0, "it was dropped");
}

#[tokio::test]
#[ignore = "needs dp-cubed==0.10.0 (PyPI)"]
async fn dp_cubed_waits_at_a_full_queue_until_we_read_and_we_until_it_reads() {
    let place = Place::with_limit(1, 10).await;
    let mut peer = Peer::start(&place, "put", 1);
    for number in 0..12 {
        peer.tell(&json!({ "task": { "etype": "A", "eid": number, "delete": true } }));
    }
    for _ in 0..10 {
        peer.hear().await;
    }
    let blocked = tokio::time::timeout(Duration::from_secs(1), peer.hear()).await;
    assert!(blocked.is_err(), "{blocked:?}");
    let reader = place.reader(0);
    for number in 0..12 {
        let received = take(&reader).await;
        assert_eq!(eid(&received.message), number.to_string());
        assert!(reader.acknowledge(received.tag).await);
    }
    assert_eq!(peer.end().await.len(), 2);
    reader.stop().await;

    let writer = place.writer(WAIT_MAX);
    let putting = async {
        for number in 0..12 {
            writer.put(&task(number), Lane::Normal).await.expect("put");
        }
    };
    tokio::pin!(putting);
    let blocked = tokio::time::timeout(Duration::from_secs(1), &mut putting).await;
    assert!(blocked.is_err(), "ten are in the queue");
    let mut peer = Peer::start(&place, "read", 0);
    tokio::time::timeout(WAIT_MAX, putting).await.expect("there is room by now");
    assert_eq!(peer.hear().await, json!({ "check": true }));
    for number in 0..12 {
        assert_eq!(peer.hear().await["key"], format!("A:{number}"));
    }
    assert!(peer.end().await.is_empty());
}

#[tokio::test]
#[ignore = "needs dp-cubed==0.10.0 (PyPI)"]
async fn dp_cubed_finds_what_we_declare_and_we_declare_after_its_script() {
    let place = Place::new(2).await;
    let said = Peer::start(&place, "check", 2).end().await;
    assert_eq!(said, [json!({ "check": [true, true, true] })]);
    let place = Place::bare(2).await;
    assert_eq!(Peer::start(&place, "declare", 2).end().await, [json!({ "declared": 2 })]);
    place.topology().check(place.workers, &[]).await.expect("all that DP3 has is there");
    for _ in 0..2 {
        let declared = place.topology().declare(place.workers, &Options::default()).await;
        declared.expect("nothing is declared otherwise");
    }
    assert_eq!(Peer::start(&place, "declare", 2).end().await, [json!({ "declared": 2 })]);
}

#[tokio::test]
#[ignore = "needs dp-cubed==0.10.0 (PyPI)"]
async fn dp_cubed_and_we_fetch_fifty_of_each_lane_ahead() {
    let place = Place::new(1).await;
    let writer = place.writer(WAIT_MAX);
    for number in 0..120 {
        writer.put(&task(number), Lane::Normal).await.expect("put");
        writer.put(&task(1_000 + number), Lane::Priority).await.expect("put");
    }
    let mut peer = Peer::start(&place, "hold", 0);
    place.until_count("worker-0", 70).await;
    place.until_count("worker-0-pri", 70).await;
    peer.end().await;
    place.until_count("worker-0", 120).await;
    place.until_count("worker-0-pri", 120).await;
    let reader = place.reader(0);
    place.until_count("worker-0", 70).await;
    place.until_count("worker-0-pri", 70).await;
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen.push(take(&reader).await.lane);
    }
    assert_eq!(seen.iter().filter(|lane| **lane == Lane::Priority).count(), 50);
    nothing(&reader).await;
    reader.stop().await;
    place.until_count("worker-0", 120).await;
}
