//! The kit at work: what it makes happen, and what it says when a test is wrong.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context};
use waystation_core::port::Abort;
use waystation_core::state::JobState;
use waystation_engine::Submission;

use super::{World, WrongOutput};
use crate::{App, BlobRef};

const REVIEW: &str = "
name: review
stages:
  - { id: try, type: try, retry: { max_retries: 1, backoff: fixed, delay_seconds: 60 } }
  - { id: ask, type: manual, form: { ok: boolean } }
  - { id: model, type: foreign }
routes:
  - { from: try, to: model, on: ok }
  - { from: try, to: ask, on: ko }
  - { from: ask, to: model, when: 'ok == true' }
  - { from: ask, to: done, when: 'ok == false' }
";

fn app_of(text: &str) -> App {
    let nothing = |_: Context, _: Value| async { Ok(json!({})) };
    App::from_text("review", text).stage("try", nothing)
}

async fn world() -> World {
    let world = World::start(app_of(REVIEW)).await.expect("a good pipeline");
    world.stand_in("model", |_: Context, _: Value| async { Ok(json!({ "score": 0.5 })) });
    world
}

#[tokio::test]
async fn retries_are_due_when_the_clock_says_so_and_not_before() {
    let world = world().await;
    world.fail_next("try", Failure::transient("busy"));
    let job = world.submit(json!({ "n": 1 })).await.expect("submitted");
    let said = world.finished(&job).await.expect_err("it waits").to_string();
    let expected = "it is retrying at stage `try`, due in 60s (hint: `World::advance`)";
    assert!(said.ends_with(expected), "{said}");
    world.advance(Duration::from_secs(59)).await.expect("it rests");
    assert_eq!(world.job(&job).await.expect("it rests").state, JobState::Retrying);
    world.advance(Duration::from_secs(1)).await.expect("it rests");
    let params = world.completed(&job).await.expect("completed").params;
    assert_eq!(Value::Object(params), json!({ "n": 1, "score": 0.5 }));
    assert_eq!(world.calls("try").len(), 2, "the planned failure is one of them");
    assert_eq!(Value::Object(world.calls("model").remove(0)), json!({ "n": 1 }));
}

#[tokio::test]
async fn sitting_out_moves_the_clock_as_far_as_it_must() {
    let world = world().await;
    for _ in 0..2 {
        world.fail_next("try", Failure::transient("busy"));
    }
    let delayed = Submission {
        not_before: Some(super::FakeClock::START.plus(Duration::from_hours(8))),
        ..Submission::default()
    };
    let job = world.submit_as(delayed).await.expect("submitted");
    assert_eq!(world.sit_out(&job).await.expect("it ends").state, JobState::Failed);
    assert_eq!(world.failed(&job).await.expect("it failed").message, "busy");
    let said = world.completed(&job).await.expect_err("it failed").to_string();
    assert!(said.contains("has not completed: it is failed at stage `try`: transient: busy"));
    world.retry(&job).await.expect("tried again");
    world.completed(&job).await.expect("nothing fails any more");
}

#[tokio::test]
async fn people_answer_and_are_refused() {
    let world = world().await;
    world.stand_in_handler("try", Arc::new(WrongOutput(Completion::labelled("ko", Params::new()))));
    let job = world.submit(json!({})).await.expect("submitted");
    let said = world.finished(&job).await.expect_err("it waits").to_string();
    assert!(said.ends_with("it waits for a person at stage `ask` (hint: `World::answer`)"));
    let said = world.answer(&job, json!({ "ok": 1 })).await.expect_err("no boolean").to_string();
    assert!(said.contains("`ok` must be boolean"), "{said}");
    world.answer(&job, json!({ "ok": false })).await.expect("taken");
    assert_eq!(world.finished(&job).await.expect("it ends").stage.as_str(), "ask");
    let late = world.answer(&job, json!({ "ok": true })).await.expect_err("it has ended");
    assert!(late.to_string().contains("does not wait for a person: it is completed"), "{late}");
}

#[tokio::test]
async fn held_attempts_outlive_a_restart_without_a_count_and_end_when_aborted() {
    let mut world = world().await;
    let held = world.hold_next("try");
    let job = world.submit(json!({})).await.expect("submitted");
    held.began().await.expect("it comes");
    world.restart().await.expect("restarted");
    world.completed(&job).await.expect("done by the next engine");
    world.events(&job).await.expect("readable").assert_are(&[
        ("created", "try"),
        ("started", "try"),
        ("handed_back", "try"),
        ("started", "try"),
        ("completed", "try"),
        ("started", "model"),
        ("completed", "model"),
    ]);

    let held = world.hold_next("try");
    let job = world.submit(json!({})).await.expect("submitted");
    held.began().await.expect("it comes");
    assert_eq!(world.abort(&job, "changed my mind").await.expect("asked"), Abort::Requested);
    assert_eq!(world.finished(&job).await.expect("it ends").state, JobState::Aborted);
}

#[tokio::test]
async fn released_attempts_go_on_and_others_are_told_of() {
    let app = app_of(REVIEW);
    let world = World::start_patiently(app, Duration::from_millis(300)).await.expect("started");
    let held = world.hold_next("try");
    let job = world.submit(json!({})).await.expect("submitted");
    let said = world.advance(Duration::from_secs(1)).await.expect_err("it runs").to_string();
    assert!(said.contains(&format!("job {job}: it is running at stage `try`")), "{said}");
    held.release();
    let failure = world.failed(&job).await.expect("nobody does the foreign stage");
    assert_eq!(failure.kind, ErrorKind::Permanent);
    assert!(failure.message.contains("stage `model` is foreign"), "{failure}");
}

#[tokio::test]
async fn jobs_stay_on_the_version_that_they_started_with() {
    let mut world = world().await;
    world.fail_next("try", Failure::transient("busy"));
    let job = world.submit(json!({})).await.expect("submitted");
    world.rest().await.expect("it waits for its next attempt");
    let shorter = "{ name: review, stages: [{ id: only, type: try }] }";
    world.deploy(app_of(shorter)).await.expect("deployed");
    let newer = world.submit(json!({})).await.expect("submitted");
    let job_of_now = world.completed(&newer).await.expect("it ends");
    assert_eq!((job_of_now.pipeline_version, job_of_now.stage.as_str()), (2, "only"));
    let older = world.sit_out(&job).await.expect("it ends");
    assert_eq!((older.pipeline_version, older.stage.as_str()), (1, "model"));
}

#[tokio::test]
#[should_panic(expected = "there is no worker stage `tyr` (there are: model, try)")]
async fn misspelt_stage_is_a_mistake_of_the_test() {
    world().await.fail_next("tyr", Failure::transient("busy"));
}

#[tokio::test]
async fn source_has_discovered_when_the_world_has_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.png"), b"a").expect("written");
    let text = format!(
        "{{ name: found, stages: [{{ id: find, type: files, settings: {{ folder: '{}' }} }}, \
         {{ id: keep, type: pass }}] }}",
        folder.path().display()
    );
    let mut world = World::start(App::from_text("found", &text)).await.expect("started");
    world.rest().await.expect("all is done");
    assert_eq!(world.calls("keep").len(), 1);
    std::fs::write(folder.path().join("b.png"), b"b").expect("written");
    world.restart().await.expect("restarted");
    world.rest().await.expect("all is done");
    assert_eq!(world.calls("keep").len(), 2);
}

#[tokio::test]
async fn blobs_go_both_ways_and_outlive_a_restart() {
    let double = |context: Context, params: Value| async move {
        let given: BlobRef = serde_json::from_value(params["given"].clone())?;
        let numbers: Vec<u32> = context.blobs.get_json(&given).await?;
        let doubled: Vec<u32> = numbers.iter().map(|number| number * 2).collect();
        Ok(json!({ "doubled": context.blobs.put_json("doubled.json", &doubled).await? }))
    };
    let app = App::new("numbers").stage("double", double);
    let mut world = World::start(app).await.expect("started");
    let given = world.blobs().put_json("given.json", &[1, 2]).await.expect("put");
    let job = world.submit(json!({ "given": given })).await.expect("submitted");
    world.rest().await.expect("all is done");
    world.restart().await.expect("restarted");
    let params = world.completed(&job).await.expect("completed").params;
    let doubled = serde_json::from_value(params["doubled"].clone()).expect("a reference");
    let doubled: Vec<u32> = world.blobs().get_json(&doubled).await.expect("it is there");
    assert_eq!(doubled, [2, 4]);
}

#[tokio::test]
async fn source_that_cannot_work_is_why_the_world_does_not_begin() {
    let text = "{ name: found, stages: [{ id: find, type: files, \
                settings: { folder: /nowhere/at/all } }, { id: keep, type: pass }] }";
    let refused = World::start(App::from_text("found", text)).await;
    let said = refused.err().expect("there is no such folder").to_string();
    assert!(said.starts_with("the engine ended: source `find` cannot work"), "{said}");
}

const SIGNED: &str = "
name: signed
stages:
  - { id: hand_out, type: pass }
  - { id: sign, type: manual, form: { name: string } }
  - { id: archive, type: pass, join: { collect: { names: name } } }
routes:
  - { from: hand_out, to: sign, each: pages }
  - { from: sign, to: archive }
";

#[tokio::test]
async fn job_that_waits_for_children_rests_when_they_do() {
    let world = World::start(App::from_text("signed", SIGNED)).await.expect("a good pipeline");
    let job = world.submit(json!({ "pages": [1, 2] })).await.expect("submitted");
    let said = world.finished(&job).await.expect_err("it waits").to_string();
    let expected = "it waits at stage `archive` for children, which wait themselves";
    assert!(said.ends_with(expected), "{said}");
    for (position, name) in ["ann", "bob"].into_iter().enumerate() {
        let child = format!("{job}.1-{position}").as_str().into();
        world.answer(&child, json!({ "name": name })).await.expect("answered");
    }
    let params = world.completed(&job).await.expect("completed").params;
    assert_eq!(Value::Object(params), json!({ "names": ["ann", "bob"] }));
}
