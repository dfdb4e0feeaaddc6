//! Ways through a pipeline: labels, people, entry and exit, old versions.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::EventKind::{Completed, Created, Skipped, Started, Waiting};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Handler};
use waystation_core::state::JobState;
use waystation_engine::decide::Answer;
use waystation_engine::{AnswerError, Submission};
use waystation_testing::faults::{FailsAtFirst, WrongOutput};

use crate::world::{World, end};

const REVIEW: &str = "
name: test
stages:
  - { id: try, type: try }
  - { id: review, type: manual, form: { ok: boolean, note: string? } }
  - { id: finish, type: finish }
routes:
  - { from: try, to: finish, on: ok }
  - { from: try, to: review, on: ko }
  - { from: review, to: finish, when: 'ok == true' }
";

fn fine() -> Arc<dyn Handler> {
    Arc::new(FailsAtFirst::new(0, Failure::transient("never")))
}

fn unable() -> Arc<dyn Handler> {
    Arc::new(WrongOutput(Completion::labelled("ko", Params::new())))
}

fn answer(fields: Value) -> Answer {
    let Value::Object(fields) = fields else { panic!("an answer is an object") };
    Answer { fields, by: Some("ann".into()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn person_decides_once_where_code_could_not() {
    let world = World::new(REVIEW, [("try", unable()), ("finish", fine())]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Waiting).await;
    let tasks = world
        .client
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(10))
        .await
        .expect("listed");
    let task_id = tasks[0].task_id;
    for (fields, part) in [
        (json!({ "ok": "yes" }), "`ok` must be boolean"),
        (json!({ "ok": false }), "no route leads on from stage `review`"),
    ] {
        let refused = world.client.answer(task_id, answer(fields)).await;
        let message = refused.expect_err("refused").to_string();
        assert!(message.contains(part), "{message}");
        assert_eq!(world.job(&job_id).await.state, JobState::Waiting, "the task stays");
    }
    let good = answer(json!({ "ok": true, "note": "fine" }));
    let (first, second) = tokio::join!(
        world.client.answer(task_id, good.clone()),
        world.client.answer(task_id, good)
    );
    assert!(first.is_ok() != second.is_ok(), "one of the two answers counts");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "ok": true, "note": "fine" }));
    let expected = [Created, Started, Completed, Waiting, Completed, Started, Completed];
    assert_eq!(world.kinds(&job_id).await, expected);
    let late = world.client.answer(task_id, answer(json!({ "ok": true }))).await;
    assert!(matches!(late, Err(AnswerError::Unknown(_))));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_may_start_late_and_stop_early() {
    let chain = "name: test\nstages: [{ id: a, type: x }, { id: b, type: x }, { id: c, type: x }]";
    let world = World::new(chain, [("x", fine())]).await;
    let engine = world.start().await;
    let submission = Submission {
        entry: Some("b".into()),
        exit: Some("b".into()),
        job_id: Some("own-id".into()),
        ..Submission::default()
    };
    world.client.submit(&world.definition, vec![submission]).await.expect("submitted");
    let job_id = "own-id".into();
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(job.stage.as_str(), "b");
    assert_eq!(world.kinds(&job_id).await, [Created, Skipped, Started, Completed]);
    let backwards =
        Submission { entry: Some("b".into()), exit: Some("a".into()), ..Submission::default() };
    let refused = world.client.submit(&world.definition, vec![backwards]).await;
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "a job that begins at stage `b` never comes to its exit stage `a`"
    );
    for (entry, exit) in [(Some("z".into()), None), (None, Some("z".into()))] {
        let submission = Submission { entry, exit, ..Submission::default() };
        let refused = world.client.submit(&world.definition, vec![submission]).await;
        let message = refused.expect_err("unknown").to_string();
        assert!(message.contains("stage `z` (its stages: a, b, c)"), "{message}");
    }
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_before_the_entry_pass_a_contract_by() {
    let chain = "name: test\nstages: [{ id: a, type: bad }, { id: b, type: bad }, \
         { id: c, type: good }]";
    let bad = Arc::new(FailsAtFirst::new(9, Failure::new(ErrorKind::Permanent, "not for me")));
    let world = World::new(chain, [("bad", bad), ("good", fine())]).await;
    // As a program puts it there that leaves the rest to the stages.
    let body = br#"{"job_id":"j","entry_stage":"c","params":{"image_id":"img_123"},"own":[1]}"#;
    world.put(&"j".into(), "a", "test.a", body.to_vec()).await;
    let engine = world.start().await;
    let job = world.reach(&"j".into(), JobState::Completed).await;
    assert_eq!(job.stage.as_str(), "c");
    let body: Value = serde_json::from_slice(&job.body).expect("JSON");
    assert_eq!((&body["own"], &body["params"]), (&json!([1]), &json!({ "image_id": "img_123" })));
    let events = world.client.backend().store.events(&"j".into()).await.expect("readable");
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.stage.as_str())).collect();
    assert_eq!(told, [(Skipped, "a"), (Skipped, "b"), (Started, "c"), (Completed, "c")]);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_stays_on_the_version_that_it_started_with() {
    let old = "name: test\nstages: [{ id: a, type: x }, { id: gone, type: x }]";
    let mut world = World::new(old, [("x", fine())]).await;
    let job_id = world.submit(json!({})).await;
    let new = "name: test\nstages: [{ id: a, type: x }, { id: b, type: x }]";
    world.definition = world.client.registry().install("test", new).await.expect("installed");
    assert_eq!(world.definition.version, 2);
    let newer = world.submit(json!({})).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!((job.pipeline_version, job.stage.as_str()), (1, "gone"));
    let job = world.reach(&newer, JobState::Completed).await;
    assert_eq!((job.pipeline_version, job.stage.as_str()), (2, "b"));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_that_only_an_older_version_names_is_served_for_the_stage_that_read_it_there() {
    let old =
        "name: test\nstages: [{ id: a, type: x, queue: one }, { id: b, type: x, queue: two }]";
    let mut world = World::new(old, [("x", fine())]).await;
    let older = world.submit(json!({})).await;
    let new =
        "name: test\nstages: [{ id: a, type: x, queue: new }, { id: c, type: x, queue: two }]";
    world.definition = world.client.registry().install("test", new).await.expect("installed");
    let newer = world.submit(json!({})).await;
    let engine = world.start().await;
    for (job_id, last) in [(&older, "b"), (&newer, "c")] {
        let job = world.reach(job_id, JobState::Completed).await;
        assert_eq!(job.stage.as_str(), last);
    }
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_that_cannot_be_made_ready_here_is_left_to_another_process() {
    let old = "name: test\nstages: [{ id: a, type: x }]";
    let here = World::new(old, [("x", fine())]).await;
    let new = "name: test\nstages: [{ id: a, type: y }]";
    let there = here.beside(new, [("y", fine())]).await;
    let job_id = there.submit(json!({})).await;
    let engine = here.start().await;
    // It came up here, and was put back: neither failed nor counted.
    let job = here.reach(&job_id, JobState::Retrying).await;
    assert!(job.not_before.is_some());
    assert_eq!(job.deliveries, 0);
    let events = here.client.backend().store.events(&job_id).await.expect("readable");
    let detail = json!(events.last().expect("an event").detail);
    assert!(detail["postponed"].as_str().expect("why").contains("unknown type `y`"), "{detail}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_decide_where_the_pipeline_itself_cannot_be_made_ready() {
    let pipeline = |queue: &str| {
        format!(
            "name: test\nstages: [{{ id: ask, type: manual, form: {{ ok: boolean }} }}, \
             {{ id: a, type: y, queue: '{queue}', settings: {{ folder: '${{input:-in}}' }} }}]"
        )
    };
    let there = World::new(&pipeline("work"), [("y", fine())]).await;
    let here = there.beside("name: other\nstages: [{ id: a, type: x }]", [("x", fine())]).await;
    let job_id = there.submit(json!({})).await;
    let store = &here.client.backend().store;
    let task =
        store.tasks(waystation_core::job::TaskFilter::first(9)).await.expect("listed").remove(0);
    here.client.answer(task.task_id, answer(json!({ "ok": true }))).await.expect("answered");
    let job = there.job(&job_id).await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Queued, "a"));
    // Nobody would find what was put into a queue of half a name.
    let record = store.put_pipeline(&"test".into(), &pipeline("${SITE}_work")).await;
    assert_eq!(record.expect("kept"), 2);
    let refused = here.client.registry().graph_to_act_on(&"test".into(), None).await;
    let problems = refused.err().expect("refused").to_string();
    assert!(problems.contains("`queue` of stage `a` is `${SITE}_work`"), "{problems}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requeued_letter_finds_a_worker_for_a_stage_that_only_its_version_has() {
    let old = "name: test\nstages: [{ id: gone, type: x, retry: { max_retries: 0 } }]";
    let failing = FailsAtFirst::new(1, Failure::transient("not today"));
    let here = World::new(old, [("x", Arc::new(failing))]).await;
    let job_id = here.submit(json!({})).await;
    let engine = here.start().await;
    here.reach(&job_id, JobState::Failed).await;
    end(engine).await;
    let new = "name: test\nstages: [{ id: other, type: x }]";
    let there = here.beside(new, [("x", fine())]).await;
    there.client.retry(&job_id).await.expect("requeued");
    let engine = there.start().await;
    there.reach(&job_id, JobState::Completed).await;
    end(engine).await;
}
