//! What is on the wire is the contract as plain JSON, whoever reads or writes it.

use serde_json::{Value, json};
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::id::QueueName;
use waystation_core::port::{Error, Purpose, Queue, Receive};
use waystation_core::settlement::{Ended, Message, Next, Settled, Settlement};
use waystation_core::state::JobState;
use waystation_testing::sample;

use crate::broker::{Broker, WAIT_MAX, job_id, settle, submit, take_one};

const VECTOR: &str = r#"{"job_id":"9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1","entry_stage":"detect",
    "exit_stage":"predict","retry_count":0,"params":{"image_id":"img_123"},"trace":["kept"]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_contract_comes_in_and_goes_on_as_plain_json() {
    let broker = Broker::new().await;
    broker.declare("raw_images", "quorum").await;
    let ours = broker.open("").await;
    broker.publish("raw_images", VECTOR).await;
    let queue = QueueName::from("raw_images");
    let request = Receive {
        queue,
        max: 1,
        wait: WAIT_MAX / 2,
        lease: WAIT_MAX,
        purpose: Purpose::Work,
        together: 1,
    };
    let delivery = ours.receive(request).await.expect("received").remove(0);
    assert_eq!(delivery.body, VECTOR.as_bytes());
    assert_eq!(delivery.deliveries, 1);

    let mut contract = Contract::parse(&delivery.body).expect("it is a contract");
    contract.params.insert("detection_run_id".to_owned(), json!("det_456"));
    let settlement = Settlement {
        job_id: contract.job_id.clone(),
        pipeline: "images".into(),
        pipeline_version: 1,
        ended: Ended::Delivery(delivery.lease),
        next: Next::Enqueue(Message {
            queue: "detections".into(),
            stage: "classify".into(),
            priority: 0,
            not_before: None,
            turn: None,
            body: contract.to_bytes(),
        }),
        state: JobState::Queued,
        stage: "classify".into(),
        events: Vec::new(),
        log: Vec::new(),
        children: Vec::new(),
    };
    assert_eq!(settle(&ours, settlement).await, Settled::Applied);
    let (body, headers) = broker.get("detections").await.expect("it was forwarded");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let expected = json!({
        "job_id": "9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1", "entry_stage": "detect",
        "exit_stage": "predict", "retry_count": 0, "trace": ["kept"],
        "params": { "image_id": "img_123", "detection_run_id": "det_456" },
    });
    assert_eq!(body, expected);
    let ours = |name: &&lapin::types::ShortString| name.as_str().starts_with("x-waystation");
    assert_eq!(headers.inner().keys().find(ours), None);
    assert_eq!(broker.get("raw_images").await, None, "it was acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_holds_events_that_anybody_can_read() {
    let broker = Broker::new().await;
    let ours = broker.open("events=each").await;
    submit(&ours, vec![sample::job("a").into()]).await;
    let delivery = take_one(&ours, sample::STAGE).await;
    settle(&ours, sample::end(&delivery).fail("no such page")).await;
    let mut events = Vec::new();
    while let Some((body, _)) = broker.get("job_events").await {
        events.push(serde_json::from_slice::<Value>(&body).expect("JSON"));
    }
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("text")).collect();
    assert_eq!(kinds, [EventKind::Created.as_str(), EventKind::Failed.as_str()]);
    assert_eq!(events[1]["job_id"], "a");
    assert_eq!(events[1]["job"]["state"], "failed");
    // Who has no store finds what failed with the broker, and why.
    let dead = format!("{}.dead", sample::queue(sample::STAGE));
    let (body, headers) = broker.get(&dead).await.expect("a copy lies with the dead letters");
    assert_eq!(Contract::parse(&body).expect("a contract").job_id.as_str(), "a");
    assert_eq!(Broker::reason(&headers), "error: no such page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_of_somebody_else_is_used_as_it_is() {
    let broker = Broker::new().await;
    let queue = sample::queue(sample::STAGE);
    broker.declare(queue.as_str(), "classic").await;
    let ours = broker.open("queue=quorum").await;
    submit(&ours, vec![sample::job("a").into()]).await;
    assert_eq!(take_one(&ours, sample::STAGE).await.deliveries, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_queue_is_named_where_none_are_made() {
    let broker = Broker::new().await;
    let ours = broker.open("declare=passive").await;
    let refused = ours.submit(vec![sample::job("a").into()], None).await;
    let error = refused.expect_err("there is no such queue");
    assert!(error.retryable(), "somebody may make it");
    let message = error.to_string();
    assert!(message.contains(sample::queue(sample::STAGE).as_str()), "{message}");
    assert!(message.contains("declare=passive"), "{message}");
    assert!(!ours.capabilities().delay);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_queue_is_made_again_and_consumed_again() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    submit(&ours, vec![sample::job("a").into()]).await;
    let delivery = take_one(&ours, sample::STAGE).await;
    settle(&ours, sample::end(&delivery).complete()).await;
    broker.delete(sample::queue(sample::STAGE).as_str()).await;
    broker.until_there(sample::queue(sample::STAGE).as_str()).await;
    submit(&ours, vec![sample::job("b").into()]).await;
    let delivery = take_one(&ours, sample::STAGE).await;
    assert_eq!(job_id(&delivery), "b");
}

#[tokio::test]
async fn wrong_password_is_told_without_it() {
    let server = std::env::var("WAYSTATION_TEST_RABBITMQ").expect("a server is named");
    let url = server.replacen("guest:guest@", "guest:secret@", 1);
    let options = waystation_rabbitmq::Options::parse(&url).expect("a good URL");
    let clock = std::sync::Arc::new(waystation_core::clock::SystemClock);
    let refused = waystation_rabbitmq::RabbitMq::open(options, clock).await;
    let error = refused.map(|_| ()).expect_err("the password is wrong");
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("user or password is wrong"), "{message}");
    assert!(!message.contains("secret"), "{message}");
}
