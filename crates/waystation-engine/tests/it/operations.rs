//! One act on many jobs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::JobId;
use waystation_core::port::{Expected, Signal};
use waystation_core::settlement::Submitted;
use waystation_core::state::JobState;
use waystation_engine::control::operations::{
    self, DryRun, Kind, Operation, Page, Request, Selection, State,
};
use waystation_engine::{Client, Submission};
use waystation_testing::FakeClock;
use waystation_testing::faults::{FailsAtFirst, Panics};

use crate::world::{World, end};

const ONE: &str = "name: test\nstages: [{ id: a, type: x, concurrency: 200 }]";

async fn world() -> World {
    let failure = Failure::new(ErrorKind::Permanent, "bad");
    World::new(ONE, [("x", Arc::new(FailsAtFirst::new(1_000, failure)))]).await
}

async fn submit(world: &World, jobs: usize) -> Vec<JobId> {
    let answers = world.client.submit(&world.definition, vec![Submission::default(); jobs]).await;
    let accepted = answers.expect("submitted").into_iter().map(Submitted::accepted);
    accepted.collect::<Result<_, _>>().expect("created")
}

async fn begin(world: &World, kind: Kind) -> Operation {
    let selection = Selection { pipeline: Some("test".into()), ..Selection::default() };
    let (by, reason) = ("ann".to_owned(), "a test".to_owned());
    let request = Request { kind, selection, by, reason };
    world.client.start_operation(request).await.expect("begun")
}

fn abort() -> Kind {
    Kind::Abort { reason: "not wanted".into() }
}

fn run(client: &Client) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    (tokio::spawn(operations::run(client.clone(), stop.clone())), stop)
}

async fn ended(world: &World, id: &str) -> Operation {
    let read = async || world.client.operation(id).await.expect("read").expect("known");
    world.until("it ends", async || read().await.state != State::Running).await;
    read().await
}

async fn count(world: &World, state: JobState) -> u64 {
    let counts = world.client.backend().store.counts(Some(&"test".into())).await.expect("counted");
    counts.iter().filter(|one| one.state == state).map(|one| one.jobs).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_failed_jobs_are_tried_again() {
    let world = world().await;
    submit(&world, 1_000).await;
    let engine = world.start().await;
    engine.until_idle().await.expect("idle");
    assert_eq!(count(&world, JobState::Failed).await, 1_000);
    let (_, stop) = run(&world.client);
    let operation = begin(&world, Kind::Retry { from: None }).await;
    assert_eq!(operation.matched, DryRun { jobs: 1_000, complete: true });
    let operation = ended(&world, &operation.id).await;
    assert_eq!((operation.state, operation.done, operation.failed), (State::Done, 1_000, 0));
    assert_eq!(operation.looked_at, 1_000);
    engine.until_idle().await.expect("idle");
    assert_eq!(count(&world, JobState::Completed).await, 1_000);
    stop.cancel();
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_goes_on_where_it_stood_when_its_server_stops() {
    let world = world().await;
    submit(&world, 900).await;
    let operation = begin(&world, abort()).await;
    let read = async || world.client.operation(&operation.id).await.expect("read").expect("known");
    let mut servers = 0;
    while read().await.state == State::Running {
        servers += 1;
        let before = read().await.looked_at;
        let (runner, stop) = run(&world.client);
        world.until("a page is done", async || read().await.looked_at > before).await;
        stop.cancel();
        runner.await.expect("it ends");
    }
    let operation = read().await;
    assert_eq!((operation.state, operation.done, operation.skipped), (State::Done, 900, 0));
    assert_eq!(operation.looked_at, 900);
    assert!(servers > 1, "more than one server worked at it");
    assert_eq!(count(&world, JobState::Aborted).await, 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_of_a_server_that_died_is_taken_over_when_its_lease_has_ended() {
    let clock = FakeClock::new();
    let world = World::by(clock.shared(), ONE, [("x", Arc::new(Panics("unused")))]).await;
    let jobs = submit(&world, 500).await;
    let operation = begin(&world, abort()).await;
    // As it is when a server dies behind its first page, newest job first.
    for job_id in jobs.iter().rev().take(200) {
        world.client.abort_as(job_id, "not wanted", "ann").await.expect("aborted");
    }
    let dead = Operation {
        looked_at: 200,
        done: 200,
        cursor: Some(jobs[300].clone()),
        owner: Some("dead".into()),
        owner_until: Some(clock.now().plus(Duration::from_secs(30))),
        ..operation
    };
    let records = &world.client.backend().records;
    let value = json!(dead);
    let put = records.put_record("operations", &dead.id, &value, Expected::Any, None);
    put.await.expect("kept");
    let (_, stop) = run(&world.client);
    let other = begin(&world, Kind::DropDead).await;
    assert_eq!(ended(&world, &other.id).await.state, State::Done);
    let left = world.client.operation(&dead.id).await.expect("read");
    assert_eq!(left, Some(dead.clone()), "it is the dead one's for as long as its lease");
    clock.advance(Duration::from_secs(30));
    world.client.backend().bus.publish(Signal::Changed);
    let operation = ended(&world, &dead.id).await;
    assert_eq!((operation.state, operation.done, operation.looked_at), (State::Done, 500, 500));
    assert_eq!(count(&world, JobState::Aborted).await, 500);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_operations_and_do_nothing_twice() {
    let world = world().await;
    let jobs = submit(&world, 500).await;
    let (_, first) = run(&world.client);
    let (_, second) = run(&world.client);
    let mut begun = Vec::new();
    for job_id in &jobs[..8] {
        let selection = Selection { text: Some(job_id.to_string()), ..Selection::default() };
        let (by, reason) = ("ann".to_owned(), String::new());
        let request = Request { kind: abort(), selection, by, reason };
        begun.push(world.client.start_operation(request).await.expect("begun"));
    }
    let all = begin(&world, abort()).await;
    let mut done = 0;
    for operation in begun.iter().chain([&all]) {
        let operation = ended(&world, &operation.id).await;
        assert_eq!(operation.state, State::Done);
        done += operation.done;
    }
    assert_eq!(done, 500, "each job was aborted once");
    let page = world.client.operations(Page { before: None, limit: 3 }).await.expect("read");
    assert_eq!(page[0].id, all.id, "newest first");
    let before = Some(page[2].id.clone());
    let rest = world.client.operations(Page { before, limit: 100 }).await.expect("read");
    assert_eq!(rest.len(), 6);
    first.cancel();
    second.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_operation_does_no_more() {
    let world = world().await;
    submit(&world, 10).await;
    let operation = begin(&world, abort()).await;
    let cancelled = world.client.cancel_operation(&operation.id).await.expect("cancelled");
    assert_eq!(cancelled.state, State::Cancelled);
    let again = world.client.cancel_operation(&operation.id).await.expect_err("it has ended");
    assert!(again.to_string().contains("is cancelled already"), "{again}");
    let unknown = world.client.cancel_operation("none").await.expect_err("unknown");
    assert_eq!(unknown.to_string(), "there is no operation none");
    let (runner, stop) = run(&world.client);
    let other = begin(&world, Kind::DropDead).await;
    ended(&world, &other.id).await;
    stop.cancel();
    runner.await.expect("it ends");
    assert_eq!(count(&world, JobState::Queued).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_told_with_the_jobs() {
    let world = world().await;
    submit(&world, 30).await;
    let engine = world.start().await;
    engine.until_idle().await.expect("idle");
    let (_, stop) = run(&world.client);
    let operation = begin(&world, Kind::Retry { from: Some("z".into()) }).await;
    let operation = ended(&world, &operation.id).await;
    assert_eq!((operation.state, operation.done, operation.failed), (State::Done, 0, 30));
    assert_eq!(operation.errors.len(), operations::ERRORS_MAX);
    assert!(operation.errors[0].message.contains("no stage `z`"), "{:?}", operation.errors[0]);
    assert!(operation.errors[0].job_id.is_some());
    let kept = json!(operation);
    assert_eq!(kept["kind"], json!({ "act": "retry", "from": "z" }));
    stop.cancel();
    end(engine).await;
}

#[tokio::test]
async fn dry_runs_count_what_would_be_acted_on() {
    let world = world().await;
    let jobs = submit(&world, 30).await;
    world.client.abort(&jobs[0], "one less").await.expect("aborted");
    let all = Selection::default();
    let dry =
        async |kind: &Kind, selection: &Selection| world.client.dry_run(kind, selection).await;
    let counted = dry(&abort(), &all).await.expect("counted");
    assert_eq!(counted, DryRun { jobs: 29, complete: true });
    let some = Selection { text: Some(jobs[7].to_string()), ..Selection::default() };
    assert_eq!(dry(&abort(), &some).await.expect("counted").jobs, 1);
    assert_eq!(dry(&Kind::DropDead, &all).await.expect("counted").jobs, 0);
    let ended = Selection { states: vec![JobState::Aborted], ..Selection::default() };
    let senseless = dry(&abort(), &ended).await.expect_err("senseless").to_string();
    assert_eq!(
        senseless,
        "nothing can be done: abort takes jobs that are not ended, and aborted are selected"
    );
}
