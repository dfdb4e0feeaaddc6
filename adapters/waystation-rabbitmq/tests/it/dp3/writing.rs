//! What stands in a writer's way is waited for, and not for ever.

use std::num::NonZeroU16;
use std::time::Duration;

use tokio::time::Instant;
use waystation_core::key::hash;
use waystation_rabbitmq::dp3::writer::{Error, Options};
use waystation_rabbitmq::dp3::{Action, Control, DataPointTask, Lane, Message, TaskQueueWriter};

use super::place::{Place, task};
use crate::broker::WAIT_MAX;

const SHORT: Duration = Duration::from_millis(600);

#[tokio::test]
async fn messages_go_to_the_worker_of_their_key_persistent_and_as_json() {
    let place = Place::new(3).await;
    let writer = place.writer(WAIT_MAX);
    for eid in ["10.0.0.1", "192.168.0.1", "2001:db8::1"] {
        let message = Message::from(DataPointTask::deleting("ip", eid));
        writer.put(&message, Lane::Normal).await.expect("put");
        let worker = hash(&format!("ip:{eid}")) % 3;
        let got = place.get(&format!("worker-{worker}")).await.expect("it is there");
        assert_eq!(got.text(), format!(r#"{{"etype":"ip","eid":"{eid}","delete":true}}"#));
        assert_eq!(got.properties.delivery_mode(), &Some(2));
        writer.put(&message, Lane::Priority).await.expect("put");
        assert!(place.get(&format!("worker-{worker}-pri")).await.is_some());
    }
    let control = Message::from(Control::new(Action::MakeSnapshots));
    writer.put(&control, Lane::Normal).await.expect("put");
    assert!(place.get("worker-0-control").await.is_some());
    let nothing = Message::from(DataPointTask::new("ip", "10.0.0.1"));
    let error = writer.put(&nothing, Lane::Normal).await.expect_err("it says nothing");
    assert!(matches!(error, Error::Wrong(_)), "{error:?}");
}

#[tokio::test]
async fn full_queue_is_waited_for_up_to_the_deadline() {
    let place = Place::with_limit(1, 2).await;
    let writer = place.writer(SHORT);
    for eid in 0..2 {
        writer.put(&task(eid), Lane::Normal).await.expect("put");
    }
    let start = Instant::now();
    let error = writer.put(&task(2), Lane::Normal).await.expect_err("it is full");
    assert!(matches!(error, Error::Full { worker: 0, .. }), "{error:?}");
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    assert!(start.elapsed() < WAIT_MAX / 2, "{:?}", start.elapsed());
    // The priority lane is never full.
    for eid in 0..5 {
        writer.put(&task(eid), Lane::Priority).await.expect("put");
    }
    // A put that is given up while it waits leaves the writer as it was.
    let patient = place.writer(WAIT_MAX);
    let given_up = tokio::time::timeout(SHORT / 2, patient.put(&task(3), Lane::Normal)).await;
    assert!(given_up.is_err());
    let message = task(4);
    let waiting = patient.put(&message, Lane::Normal);
    let taking = async {
        tokio::time::sleep(SHORT / 2).await;
        place.get("worker-0").await.expect("it is there");
    };
    let (put, ()) = tokio::join!(waiting, taking);
    put.expect("there is room by now");
    assert_eq!(place.count("worker-0").await, 2);
}

#[tokio::test]
async fn missing_exchange_and_missing_queue_heal_when_they_appear() {
    let place = Place::bare(1).await;
    let error = place.writer(SHORT).put(&task(1), Lane::Normal).await.expect_err("nothing there");
    assert!(matches!(error, Error::NotDeclared { .. }), "{error:?}");
    let writer = place.writer(WAIT_MAX);
    let message = task(1);
    let waiting = writer.put(&message, Lane::Normal);
    let declaring = async {
        tokio::time::sleep(SHORT).await;
        place.declare(10).await;
    };
    let (put, ()) = tokio::join!(waiting, declaring);
    put.expect("the exchange is there by now");
    // Two workers more than was declared for.
    let number = NonZeroU16::new(3).expect("above zero");
    let writer_of_three = |patience| {
        let options = Options { patience, ..Options::default() };
        TaskQueueWriter::new(&place.broker, place.app.clone(), number, options)
    };
    let three = writer_of_three(SHORT);
    let missed = three.broadcast(&task(1), Lane::Normal).await.expect_err("two are not there");
    assert_eq!(missed.reached, [0]);
    let missing: Vec<u16> = missed.missed.iter().map(|(worker, _)| *worker).collect();
    assert_eq!(missing, [1, 2]);
    assert!(matches!(missed.missed[0].1, Error::Unroutable { worker: 1, .. }), "{missed}");
    assert!(missed.to_string().starts_with("2 of 3 workers did not get it; worker 1:"));
    let patient = writer_of_three(WAIT_MAX);
    let waiting = patient.broadcast(&message, Lane::Normal);
    let declaring = async {
        tokio::time::sleep(SHORT).await;
        place.declare_for(number, 10).await;
    };
    let (reached, ()) = tokio::join!(waiting, declaring);
    reached.expect("their queues are there by now");
}

#[tokio::test]
async fn broadcast_waits_for_nobody_longer_than_it_must() {
    let place = Place::with_limit(20, 1).await;
    let writer = place.writer(SHORT);
    // Two of them are full.
    for worker in [3, 7] {
        place.publish(&format!("worker-{worker}"), b"{}").await;
    }
    let start = Instant::now();
    let missed = writer.broadcast(&task(1), Lane::Normal).await.expect_err("two are full");
    assert!(start.elapsed() < WAIT_MAX / 2, "{:?}", start.elapsed());
    let full: Vec<u16> = missed.missed.iter().map(|(worker, _)| *worker).collect();
    assert_eq!(full, [3, 7]);
    assert!(missed.missed.iter().all(|(_, error)| matches!(error, Error::Full { .. })));
    assert_eq!(missed.reached.len(), 18);
    assert_eq!(place.count("worker-19").await, 1);
}
