//! Jobs that become several and come together again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::EventKind::{Completed, Created, Started, Waiting};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::state::JobState;
use waystation_engine::Submission;

use crate::world::{World, end};

/// What a closure over the params gives.
struct Does<F>(F);

#[async_trait]
impl<F> Handler for Does<F>
where
    F: Fn(&Params) -> Result<Value, Failure> + Send + Sync,
{
    async fn run(&self, _: Context, params: Params) -> Result<Completion, Failure> {
        let Value::Object(output) = (self.0)(&params)? else { panic!("an object") };
        Ok(Completion::ok(output))
    }
}

fn does(
    work: impl Fn(&Params) -> Result<Value, Failure> + Send + Sync + 'static,
) -> Arc<dyn Handler> {
    Arc::new(Does(work))
}

fn nothing() -> Arc<dyn Handler> {
    does(|_| Ok(json!({})))
}

/// Gives what its item says: `found`, or a failure for a negative one.
fn measure() -> Arc<dyn Handler> {
    does(|params| match params["item"].as_i64() {
        Some(number) if number >= 0 => Ok(json!({ "found": number * 10 })),
        _ => Err(Failure::new(ErrorKind::NotFound, "no such tile")),
    })
}

const TILES: &str = "
name: test
stages:
  - { id: cut, type: nothing }
  - { id: measure, type: measure }
  - { id: count, type: total, join: JOIN }
  - { id: show, type: nothing }
routes:
  - { from: cut, to: measure, each: tiles }
  - { from: measure, to: count }
  - { from: count, to: show }
";

fn total() -> Arc<dyn Handler> {
    does(|params| {
        let all = params.get("all").and_then(Value::as_array);
        let found = all.map_or(0, |all| all.iter().filter_map(Value::as_i64).sum::<i64>());
        Ok(json!({ "total": found }))
    })
}

async fn tiles(join: &str) -> World {
    let pipeline = TILES.replace("JOIN", join);
    let handlers = [("nothing", nothing()), ("measure", measure()), ("total", total())];
    World::new(&pipeline, handlers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_come_together_and_their_parent_goes_on() {
    let world = tiles("{ collect: { all: found } }").await;
    let job_id = world.submit(json!({ "image": "x", "tiles": [1, 2, 3] })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    let expected = json!({ "image": "x", "all": [10, 20, 30], "total": 60 });
    assert_eq!(json!(job.params), expected);
    let kinds = world.kinds(&job_id).await;
    let expected = [Created, Started, Completed, Waiting, Started, Completed, Started, Completed];
    assert_eq!(kinds, expected);
    let child = format!("{job_id}.1-1").as_str().into();
    let child = world.job(&child).await;
    assert_eq!((child.state, child.stage.as_str()), (JobState::Completed, "measure"));
    assert_eq!(json!(child.params), json!({ "image": "x", "item": 2, "found": 20 }));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_without_items_goes_straight_to_the_join() {
    let world = tiles("{ collect: { all: found } }").await;
    let job_id = world.submit(json!({ "tiles": [] })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "all": [], "total": 0 }));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_fanned_out_fails_with_the_reason() {
    let world = tiles("3").await;
    let engine = world.start().await;
    let cases = [
        (json!({ "tiles": 7 }), "param `tiles`, which stage `cut` fans out over, must be a list"),
        (json!({}), "must be a list, not absent"),
        (json!({ "tiles": [1, 2] }), "made 2 children, fewer than join `count` waits for"),
    ];
    for (params, part) in cases {
        let job_id = world.submit(params).await;
        let job = world.reach(&job_id, JobState::Failed).await;
        let failure = job.failure.expect("it tells why");
        assert_eq!(failure.kind, ErrorKind::Contract);
        assert!(failure.message.contains(part), "{failure}");
    }
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_child_fails_its_parent_until_both_are_tried_again() {
    let broken = Arc::new(AtomicUsize::new(1));
    let repaired = Arc::clone(&broken);
    let measure = does(move |params| {
        if params["item"] == 2 && broken.load(Ordering::SeqCst) == 1 {
            return Err(Failure::new(ErrorKind::NotFound, "no such tile"));
        }
        Ok(json!({ "found": params["item"] }))
    });
    let pipeline = TILES.replace("JOIN", "{ collect: { all: found } }");
    let handlers = [("nothing", nothing()), ("measure", measure), ("total", total())];
    let world = World::new(&pipeline, handlers).await;
    let job_id = world.submit(json!({ "tiles": [1, 2, 3] })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Failed).await;
    let failure = job.failure.expect("it tells why");
    assert_eq!(failure.kind, ErrorKind::Child);
    let child = format!("{job_id}.1-1").as_str().into();
    let expected = format!(
        "1 of the 3 children that stage `count` waits for failed: child {child} at stage \
         `measure`: not_found: no such tile"
    );
    assert_eq!(failure.message, expected);

    repaired.store(0, Ordering::SeqCst);
    world.client.retry(&child).await.expect("the child is tried again");
    world.reach(&child, JobState::Completed).await;
    world.client.retry(&job_id).await.expect("the job is tried again");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "all": [1, 2, 3], "total": 6 }));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_left_out_or_brought_along() {
    let cases = [
        ("{ on_failure: ignore, collect: { all: found } }", json!([10, 30]), None),
        ("{ on_failure: collect, collect: { all: found } }", json!([10, null, 30]), Some("a.1-1")),
    ];
    for (join, all, failed) in cases {
        let world = tiles(join).await;
        let submission = Submission {
            job_id: Some("a".into()),
            params: json!({ "tiles": [1, -1, 3] }).as_object().expect("an object").clone(),
            ..Submission::default()
        };
        world.client.submit(&world.definition, vec![submission]).await.expect("submitted");
        let engine = world.start().await;
        let job = world.reach(&"a".into(), JobState::Completed).await;
        assert_eq!((&job.params["all"], &job.params["total"]), (&all, &json!(40)));
        let told = job.params.get("failures").and_then(|failures| failures[0]["job_id"].as_str());
        assert_eq!(told, failed);
        end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enough_children_let_their_parent_go_on_and_the_rest_is_aborted() {
    let pipeline = TILES
        .replace("JOIN", "any")
        .replace("id: measure, type: measure", "id: measure, type: manual");
    let handlers = [("nothing", nothing()), ("total", total())];
    let world = World::new(&pipeline, handlers).await;
    let job_id = world.submit(json!({ "tiles": [1, 2, 3] })).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Waiting).await;
    let tasks = world
        .client
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(10))
        .await
        .expect("listed");
    assert_eq!(tasks.len(), 3);
    let answer = waystation_engine::decide::Answer { fields: Params::new(), by: None };
    world.client.answer(tasks[1].task_id, answer).await.expect("answered");
    world.reach(&job_id, JobState::Completed).await;
    for (position, state) in
        [JobState::Aborted, JobState::Completed, JobState::Aborted].into_iter().enumerate()
    {
        let child = format!("{job_id}.1-{position}").as_str().into();
        assert_eq!(world.job(&child).await.state, state, "{child}");
    }
    let tasks = world
        .client
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(10))
        .await
        .expect("listed");
    assert_eq!(tasks, [], "nobody is asked any longer");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_reaches_the_children() {
    let pipeline = TILES.replace("JOIN", "all").replace("type: measure", "type: manual");
    let world = World::new(&pipeline, [("nothing", nothing()), ("total", total())]).await;
    let job_id = world.submit(json!({ "tiles": [1, 2] })).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Waiting).await;
    world.client.abort(&job_id, "not wanted").await.expect("aborted");
    for id in [job_id.to_string(), format!("{job_id}.1-0"), format!("{job_id}.1-1")] {
        assert_eq!(world.job(&id.as_str().into()).await.state, JobState::Aborted);
    }
    end(engine).await;
}

const BRANCHES: &str = "
name: test
stages:
  - { id: load, type: nothing }
  - { id: text, type: text }
  - { id: small, type: small }
  - { id: both, type: nothing, join: all, required_params: [text, small] }
routes:
  - { from: load, to: [text, small] }
  - { from: [text, small], to: both }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_run_side_by_side_and_give_what_they_found() {
    let text = does(|_| Ok(json!({ "text": "t" })));
    let small = does(|_| Ok(json!({ "small": "s" })));
    let handlers = [("nothing", nothing()), ("text", text), ("small", small)];
    let world = World::new(BRANCHES, handlers).await;
    let job_id = world.submit(json!({ "image": "x" })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "image": "x", "text": "t", "small": "s" }));
    let branch = world.job(&format!("{job_id}.1-text").as_str().into()).await;
    assert_eq!(json!(branch.params), json!({ "image": "x", "text": "t" }));
    end(engine).await;
}

const NESTED: &str = "
name: test
stages:
  - { id: pages, type: nothing }
  - { id: lines, type: lines }
  - { id: read, type: read }
  - { id: page, type: nothing, join: { collect: { words: word } } }
  - { id: book, type: nothing, join: { collect: { pages: words } } }
routes:
  - { from: pages, to: lines, each: pages, as: page, join: book }
  - { from: lines, to: read, each: lines, as: line, join: page }
  - { from: read, to: page }
  - { from: page, to: book }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn families_may_have_families() {
    let lines = does(|params| Ok(json!({ "lines": params["page"] })));
    let read = does(|params| {
        Ok(json!({ "word": format!("<{}>", params["line"].as_str().unwrap_or("")) }))
    });
    let handlers = [("nothing", nothing()), ("lines", lines), ("read", read)];
    let world = World::new(NESTED, handlers).await;
    let job_id = world.submit(json!({ "pages": [["a", "b"], [], ["c"]] })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "pages": [["<a>", "<b>"], [], ["<c>"]] }));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounded_loop_ends_where_the_next_route_leads() {
    let pipeline = "
name: test
stages: [{ id: improve, type: improve }, { id: check, type: nothing }, { id: ask, type: nothing }]
routes:
  - { from: improve, to: check }
  - { from: check, to: improve, when: 'n < 10', at_most: 3 }
  - { from: check, to: ask }
";
    let improve = does(|params| Ok(json!({ "n": params["n"].as_i64().unwrap_or(0) + 1 })));
    let world = World::new(pipeline, [("improve", improve), ("nothing", nothing())]).await;
    let job_id = world.submit(json!({ "n": 0 })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!((job.stage.as_str(), &job.params["n"]), ("ask", &json!(4)), "one and three more");
    let done = world.submit(json!({ "n": 9 })).await;
    let job = world.reach(&done, JobState::Completed).await;
    assert_eq!(job.params["n"], 10);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pipeline_does_a_stage() {
    let inner = "name: inner\nstages: [{ id: double, type: double }, { id: add, type: add }]";
    let outer = "
name: test
stages:
  - { id: prepare, type: add }
  - { id: inner, type: pipeline, settings: { pipeline: inner } }
  - { id: finish, type: add }
";
    let number = |params: &Params| params["n"].as_i64().unwrap_or(0);
    let double = does(move |params| Ok(json!({ "n": number(params) * 2 })));
    let add = does(move |params| Ok(json!({ "n": number(params) + 1 })));
    let world = World::new(outer, [("add", Arc::clone(&add))]).await;
    let job_id = world.submit(json!({ "n": 1 })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Failed).await;
    let failure = job.failure.expect("it tells why");
    assert_eq!(failure.kind, ErrorKind::NotFound);
    assert!(failure.message.starts_with("pipeline `inner` is unknown"), "{failure}");

    let beside = world.beside(inner, [("double", double), ("add", add)]).await;
    let other = beside.start().await;
    world.client.retry(&job_id).await.expect("it is tried again");
    let job = world.reach(&job_id, JobState::Completed).await;
    assert_eq!(json!(job.params), json!({ "n": 6 }));
    let child = world.job(&format!("{job_id}.3-inner").as_str().into()).await;
    assert_eq!((child.pipeline.as_str(), child.state), ("inner", JobState::Completed));
    end(engine).await;
    end(other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_that_descend_into_themselves_come_to_an_end() {
    let pipeline =
        "name: test\nstages: [{ id: again, type: pipeline, settings: { pipeline: test } }]";
    let world = World::new(pipeline, []).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Failed).await;
    let failure = job.failure.expect("it tells why").to_string();
    assert!(failure.contains("would make children more than 8 deep"), "{failure}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_that_no_queue_takes_fails_its_job_and_nothing_else() {
    let pipeline = TILES.replace("JOIN", "all");
    let cut = does(|params| {
        let large = params.contains_key("large");
        Ok(json!({ "tiles": [if large { json!("x".repeat(300 * 1024)) } else { json!(1) }] }))
    });
    let pipeline = pipeline.replace("id: cut, type: nothing", "id: cut, type: cut");
    let handlers =
        [("cut", cut), ("nothing", nothing()), ("measure", measure()), ("total", total())];
    let world = World::new(&pipeline, handlers).await;
    let job_id = world.submit(json!({ "large": true })).await;
    let engine = world.start().await;
    let job = world.reach(&job_id, JobState::Failed).await;
    let failure = job.failure.expect("it tells why");
    let part = format!("the contract of child {job_id}.1-0 of stage `cut` would be 307");
    assert!(failure.message.starts_with(&part), "{failure}");
    let other = world.submit(json!({})).await;
    world.reach(&other, JobState::Completed).await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_that_only_children_come_to_is_refused() {
    let world = tiles("all").await;
    let submit = |exit: &str| {
        let params = json!({ "tiles": [1] }).as_object().expect("an object").clone();
        let exit = Some(exit.into());
        vec![Submission { exit, params, ..Submission::default() }]
    };
    let refused = world.client.submit(&world.definition, submit("measure")).await;
    let message = refused.expect_err("refused").to_string();
    assert!(message.contains("does not come to its exit stage `measure` itself"), "{message}");
    world.client.submit(&world.definition, submit("count")).await.expect("the join will do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_reaches_the_children_of_children_that_failed() {
    let pipeline = NESTED.replace("id: read, type: read", "id: read, type: manual");
    let lines = does(|params| Ok(json!({ "lines": params["page"] })));
    let world = World::new(&pipeline, [("nothing", nothing()), ("lines", lines)]).await;
    let job_id = world.submit(json!({ "pages": [["a", "b"]] })).await;
    let engine = world.start().await;
    let id = |tail: &str| format!("{job_id}.1-0{tail}").as_str().into();
    for waiting in [job_id.clone(), id(""), id(".1-1")] {
        world.reach(&waiting, JobState::Waiting).await;
    }
    // The inner parent fails by the abort of one of its children; the other child goes on.
    world.client.abort(&id(".1-0"), "not wanted").await.expect("aborted");
    world.reach(&id(""), JobState::Failed).await;
    world.reach(&job_id, JobState::Failed).await;
    assert_eq!(world.job(&id(".1-1")).await.state, JobState::Waiting);
    world.client.abort(&job_id, "not wanted").await.expect("looked at");
    assert_eq!(world.job(&id(".1-1")).await.state, JobState::Aborted);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_of_a_completed_job_leaves_the_jobs_alone_that_it_made() {
    let pipeline = "
name: test
stages: [{ id: unpack, type: nothing }, { id: ask, type: manual }]
routes: [{ from: unpack, to: ask, each: files }]
";
    let world = World::new(pipeline, [("nothing", nothing())]).await;
    let job_id = world.submit(json!({ "files": [1] })).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Completed).await;
    world.client.abort(&job_id, "not wanted").await.expect("too late");
    let child = format!("{job_id}.1-0").as_str().into();
    assert_eq!(world.job(&child).await.state, JobState::Waiting);
    end(engine).await;
}
