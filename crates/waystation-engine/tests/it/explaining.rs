//! Why jobs are where they are, asked of a backend.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::failure::Failure;
use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_testing::faults::FailsAtFirst;

use crate::world::{World, end};

const REVIEW: &str = "
name: test
stages:
  - { id: a, type: x, retry: { max_retries: 1, backoff: fixed, delay_seconds: 600 } }
  - { id: review, type: manual, form: { ok: boolean } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stop_on_the_way_is_explained() {
    let failing = FailsAtFirst::new(1, Failure::transient("busy"));
    let world = World::new(REVIEW, [("x", Arc::new(failing))]).await;
    let words = async |job_id: &JobId| {
        let explained = world.client.why(job_id).await.expect("read").expect("known");
        assert_eq!(json!(explained)["why"].as_array().map(Vec::len), Some(explained.words.len()));
        explained.words.join(" | ")
    };
    let first = world.submit(json!({})).await;
    assert_eq!(
        words(&first).await,
        "no running process serves stage `a` (hint: start one) | waits its turn in queue `test.a` \
         with 1 ready"
    );
    let engine = world.start().await;
    let told = async || !world.client.workers().await.expect("read").is_empty();
    world.until("somebody works", told).await;
    world.reach(&first, JobState::Retrying).await;
    let retry = words(&first).await;
    // Of the delay of ten minutes not a millisecond need have passed.
    let due = retry.strip_prefix("attempt 2 at stage `a` is due in ").expect(&retry);
    assert!(due.starts_with("10 min (") || due.starts_with("9 min 5"), "{retry}");
    assert!(retry.ends_with("(attempt 1 of 2 failed: transient: busy)"), "{retry}");
    let second = world.submit(json!({})).await;
    world.reach(&second, JobState::Waiting).await;
    let waits = words(&second).await;
    assert!(waits.starts_with("waits for a person at stage `review`"), "{waits}");
    assert!(waits.contains("held by nobody"), "{waits}");
    world.client.abort_as(&second, "not wanted", "ann").await.expect("aborted");
    let aborted = words(&second).await;
    assert!(aborted.ends_with("ago: not wanted (by ann)"), "{aborted}");
    let none = world.client.why(&"none".into()).await.expect("read");
    assert!(none.is_none());
    end(engine).await;
}

const FAMILY: &str = "
name: test
stages:
  - { id: cut, type: x }
  - { id: look, type: manual }
  - { id: count, type: x, join: { wait: 2 } }
routes:
  - { from: cut, to: look, each: tiles }
  - { from: look, to: count }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn join_tells_how_many_more_it_waits_for() {
    let fine = FailsAtFirst::new(0, Failure::transient("never"));
    let world = World::new(FAMILY, [("x", Arc::new(fine))]).await;
    let engine = world.start().await;
    let job_id = world.submit(json!({ "tiles": [1, 2, 3] })).await;
    world.reach(&job_id, JobState::Waiting).await;
    let why = async || {
        let explained = world.client.why(&job_id).await.expect("read").expect("known");
        (json!(explained.why[0]), explained.words[0].clone())
    };
    let (reason, words): (Value, _) = why().await;
    assert_eq!((&reason["why"], &reason["needed"]), (&json!("join"), &json!(2)));
    assert_eq!(
        words,
        "waits for its children at stage `count`: 0 of 3 have ended, and 2 more must"
    );
    end(engine).await;
}
