//! Jobs that are submitted a second time, and what is refused at once.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::failure::Failure;
use waystation_core::handler::Handler;
use waystation_core::settlement::{Dedupe, OnDuplicate, Submitted};
use waystation_core::state::JobState;
use waystation_engine::Submission;
use waystation_testing::faults::FailsAtFirst;

use crate::world::{World, end};

fn nothing() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

fn keyed(params: Value, policy: OnDuplicate) -> Submission {
    let Value::Object(params) = params else { panic!("params are an object") };
    let dedupe = Some(Dedupe::new("scan-7").on_duplicate(policy));
    Submission { params, dedupe, ..Submission::default() }
}

const FAMILY: &str = "
name: test
stages:
  - { id: cut, type: nothing }
  - { id: look, type: manual }
  - { id: count, type: nothing, join: all }
routes:
  - { from: cut, to: look, each: tiles }
  - { from: look, to: count }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_job_takes_its_children_along() {
    let world = World::new(FAMILY, [("nothing", nothing())]).await;
    let submit = async |tiles: Value| {
        let submission = keyed(json!({ "tiles": tiles }), OnDuplicate::Replace);
        let answers = world.client.submit(&world.definition, vec![submission]).await;
        answers.expect("submitted").remove(0)
    };
    let first = submit(json!([1, 2])).await.accepted().expect("created");
    let engine = world.start().await;
    world.reach(&first, JobState::Waiting).await;
    let Submitted::Replaced { job_id, replaced } = submit(json!([3])).await else {
        panic!("it takes the place of the first");
    };
    assert_eq!(replaced, first);
    for id in [first.to_string(), format!("{first}.1-0"), format!("{first}.1-1")] {
        let job = world.job(&id.as_str().into()).await;
        assert_eq!(job.state, JobState::Aborted, "{id}");
        let failure = job.failure.expect("it tells why");
        assert_eq!(failure.message, format!("replaced by job {job_id}"));
    }
    world.reach(&job_id, JobState::Waiting).await;
    let tasks = world
        .client
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(10))
        .await
        .expect("listed");
    let asked: Vec<_> = tasks.iter().map(|task| task.job_id.to_string()).collect();
    assert_eq!(asked, [format!("{job_id}.1-0")]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_job_is_told_with_the_key_and_who_has_it() {
    let pipeline = "name: test\nstages: [{ id: work, type: nothing }]";
    let world = World::new(pipeline, [("nothing", nothing())]).await;
    let batch = || {
        let keyed = keyed(json!({}), OnDuplicate::Reject);
        vec![Submission::default(), keyed]
    };
    let submit = async || world.client.submit(&world.definition, batch()).await.expect("taken");
    let first = submit().await.remove(1).accepted().expect("created");
    let again = submit().await;
    assert!(again[0].is_new(), "the rest of the batch is created");
    let rejected = again[1].clone().accepted().expect_err("the key is taken");
    assert_eq!(
        rejected.to_string(),
        format!("dedupe key `scan-7` is that of job {first} already: nothing was submitted")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_not_every_store_can_keep_are_refused() {
    let pipeline = "name: test\nstages: [{ id: work, type: nothing }]";
    let world = World::new(pipeline, [("nothing", nothing())]).await;
    for key in [String::new(), "a\0b".to_owned(), "x".repeat(1_001)] {
        let dedupe = Some(Dedupe::new(key.clone()));
        let submission = Submission { dedupe, ..Submission::default() };
        let refused = world.client.submit(&world.definition, vec![submission]).await;
        let message = refused.expect_err(&key).to_string();
        assert!(message.contains("is no dedupe key: 1 to 1000 bytes"), "{message}");
    }
}
