//! What a reader hands out, in which order, and what becomes of it.

use std::num::NonZeroU16;
use std::time::Duration;

use waystation_rabbitmq::dp3::reader::{Ack, Options};
use waystation_rabbitmq::dp3::{Action, Control, Feed, Lane, Message, TaskQueueReader};

use super::place::{Place, eid, nothing, take, task};
use crate::broker::WAIT_MAX;

#[tokio::test]
async fn priority_goes_first_and_the_normal_lane_gets_its_share() {
    let place = Place::new(1).await;
    let writer = place.writer(WAIT_MAX);
    for number in 0..4 {
        writer.put(&task(number), Lane::Normal).await.expect("put");
        writer.put(&task(10 + number), Lane::Priority).await.expect("put");
    }
    let options =
        Options { priority_run: NonZeroU16::new(3).expect("above zero"), ..Options::default() };
    let reader = place.reader_with(0, options);
    reader.check().await.expect("its queues are there");
    // Until all eight are fetched, so that the order is the reader's.
    place.until_count("worker-0", 0).await;
    place.until_count("worker-0-pri", 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut order = Vec::new();
    for _ in 0..8 {
        let received = take(&reader).await;
        order.push(eid(&received.message));
        assert!(reader.acknowledge(received.tag).await);
        assert!(!reader.acknowledge(received.tag).await, "it is ended already");
    }
    assert_eq!(order, ["10", "11", "12", "0", "13", "1", "2", "3"]);
    reader.stop().await;
    assert_eq!(place.count("worker-0").await, 0);
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_its_tag_is_stale() {
    let place = Place::new(1).await;
    place.writer(WAIT_MAX).put(&task(1), Lane::Normal).await.expect("put");
    let reader = place.reader(0);
    let first = take(&reader).await;
    assert!(!first.redelivered);
    // Twice, from two places: both return when it is over.
    tokio::join!(reader.stop(), reader.stop());
    assert!(reader.is_stopped());
    assert_eq!(reader.receive().await, None);
    assert!(!reader.acknowledge(first.tag).await, "it is not ours any more");
    reader.stop().await;
    let second = place.reader(0);
    let again = take(&second).await;
    assert_eq!((eid(&again.message), again.redelivered), ("1".to_owned(), true));
    assert!(!second.acknowledge(first.tag).await, "a tag is of one reader's channel");
    assert!(second.give_back(again.tag).await);
    let again = take(&second).await;
    assert!(second.acknowledge(again.tag).await);
    drop(second);
    place.until_count("worker-0", 0).await;
}

#[tokio::test]
async fn reader_that_is_dropped_keeps_nothing_to_itself() {
    let place = Place::new(1).await;
    place.writer(WAIT_MAX).put(&task(1), Lane::Normal).await.expect("put");
    // One that would wait longer than this test does for whoever has something of it.
    let reader = TaskQueueReader::start(&place.broker, place.app.clone(), 0, Options::default());
    take(&reader).await;
    drop(reader);
    assert!(take(&place.reader(0)).await.redelivered);
}

#[tokio::test]
async fn deleted_queue_makes_tags_stale_and_is_consumed_again_when_it_is_back() {
    let place = Place::new(1).await;
    place.writer(WAIT_MAX).put(&task(1), Lane::Normal).await.expect("put");
    let reader = place.reader(0);
    let first = take(&reader).await;
    place.topology().delete(1, true).await.expect("forced");
    let gone = async {
        while reader.acknowledge(first.tag).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, gone).await.expect("in time");
    place.declare(10).await;
    place.writer(WAIT_MAX).put(&task(2), Lane::Priority).await.expect("put");
    let second = take(&reader).await;
    assert_eq!(eid(&second.message), "2");
    assert!(!reader.acknowledge(first.tag).await);
    assert!(reader.acknowledge(second.tag).await);
}

#[tokio::test]
async fn unreadable_messages_lie_with_the_dead_letters_as_they_came() {
    let place = Place::new(1).await;
    place.publish("worker-0", b"garbage \xff").await;
    place.publish("worker-0-pri", br#"{"etype":"A","eid":1}"#).await;
    let reader = place.reader(0);
    nothing(&reader).await;
    place.until_count("dead-letters", 2).await;
    let mut letters = [
        place.get("dead-letters").await.expect("one"),
        place.get("dead-letters").await.expect("another"),
    ];
    letters.sort_by_key(|letter| letter.header("x-waystation-queue"));
    assert_eq!(letters[0].body, b"garbage \xff");
    assert!(letters[0].header("x-waystation-reason").contains("it is no JSON"));
    assert_eq!(letters[0].properties.delivery_mode(), &Some(2));
    assert!(letters[1].header("x-waystation-reason").contains("a task has a data point"));
    assert_eq!(letters[1].header("x-waystation-queue"), format!("{}-worker-0-pri", place.app));
    reader.stop().await;
    assert_eq!(place.count("worker-0").await, 0, "it was acknowledged");
}

#[tokio::test]
async fn unreadable_message_is_not_lost_where_there_is_no_room_for_it() {
    let place = Place::bare(1).await;
    place.declare_small("dead-letters", 1).await;
    place.declare(10).await;
    place.publish("worker-0", b"one").await;
    place.publish("worker-0", b"two").await;
    let reader = place.reader(0);
    place.until_count("dead-letters", 1).await;
    nothing(&reader).await;
    reader.stop().await;
    assert_eq!(place.count("worker-0").await, 1);
    // There is room again.
    place.get("dead-letters").await.expect("a letter");
    let reader = place.reader(0);
    place.until_count("dead-letters", 1).await;
    reader.stop().await;
    assert_eq!(place.count("worker-0").await, 0);
}

#[tokio::test]
async fn work_that_fails_puts_its_message_with_the_dead_letters() {
    let place = Place::new(1).await;
    let writer = place.writer(WAIT_MAX);
    for number in 0..3 {
        writer.put(&task(number), Lane::Normal).await.expect("put");
    }
    let reader = place.reader(0);
    let begun = tokio::sync::watch::Sender::new(0);
    let work = reader.run(|received| {
        begun.send_modify(|begun| *begun += 1);
        std::future::ready(match eid(&received.message).as_str() {
            "1" => Err("no such host".to_owned()),
            _ => Ok(()),
        })
    });
    let watching = async {
        let mut all_begun = begun.subscribe();
        let waiting = all_begun.wait_for(|begun| *begun == 3);
        tokio::time::timeout(WAIT_MAX, waiting).await.expect("in time").expect("it goes on");
        reader.stop().await;
    };
    tokio::join!(work, watching);
    let letter = place.get("dead-letters").await.expect("a letter");
    assert_eq!(letter.header("x-waystation-reason"), "no such host");
    assert_eq!(letter.text(), r#"{"etype":"A","eid":1,"delete":true}"#);
    assert_eq!(place.count("worker-0").await, 0);
}

#[tokio::test]
async fn early_acknowledgement_is_sent_before_anybody_sees_the_message() {
    let place = Place::new(1).await;
    let writer = place.writer(WAIT_MAX);
    let reader = place.reader_with(0, Options { ack: Ack::Early, ..Options::default() });
    for number in 0..20 {
        writer.put(&task(number), Lane::Normal).await.expect("put");
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        // Whoever gives up waiting loses nothing.
        let hasty = tokio::time::timeout(Duration::from_micros(50), reader.receive());
        if let Ok(received) = hasty.await {
            let received = received.expect("the reader goes on");
            assert!(reader.acknowledge(received.tag).await);
            seen.push(eid(&received.message));
        } else {
            tokio::task::yield_now().await;
        }
    }
    seen.sort_by_key(|eid| eid.parse::<u32>().expect("a number"));
    assert_eq!(seen, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    drop(reader);
    let second = place.reader(0);
    nothing(&second).await;
}

#[tokio::test]
async fn each_feed_has_queues_of_its_own_and_the_priority_lane_may_be_left_alone() {
    let place = Place::new(2).await;
    let writer = place.writer(WAIT_MAX);
    let control = Message::from(Control::new(Action::RefreshModuleConfig));
    writer.broadcast(&control, Lane::Normal).await.expect("all get it");
    for worker in 0..2 {
        let options = Options { feed: Feed::Control, ..Options::default() };
        let reader = place.reader_with(worker, options);
        assert_eq!(take(&reader).await.message, control);
    }
    // Without the priority lane.
    let lone = task(7);
    let worker = lone.worker(place.workers);
    writer.put(&lone, Lane::Priority).await.expect("put");
    let reader = place.reader_with(worker, Options { priority: false, ..Options::default() });
    nothing(&reader).await;
    assert_eq!(place.count(&format!("worker-{worker}-pri")).await, 1);
}
