//! The tracker between a journal of the test's own and a ledger in memory.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::job::JobRecord;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::port::{Bus, Journal, Ledger, Store};
use waystation_core::state::JobState;
use waystation_memory::Memory;

use super::*;
use crate::lease_keeper::LeaseKeeper;

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Knows no code: every stage is somebody else's.
struct OnlyForeign;

impl Catalog for OnlyForeign {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        (stage_type == "foreign").then_some(StageKind::Foreign)
    }

    fn names(&self) -> Vec<String> {
        vec!["foreign".to_owned()]
    }

    fn build(&self, _stage: &Stage) -> Result<Executor, Vec<String>> {
        Ok(Executor::Foreign)
    }
}

/// A journal that is filled by hand.
#[derive(Default)]
struct ByHand {
    posts: Mutex<VecDeque<Post>>,
    done: Mutex<Vec<u64>>,
    left: AtomicBool,
    aside: Mutex<Vec<(Value, String)>>,
}

impl ByHand {
    fn write(&self, receipt: u64, event: &Value) {
        let post = Post { receipt, body: event.to_string().into_bytes() };
        self.posts.lock().expect("not poisoned").push_back(post);
    }
}

#[async_trait]
impl Journal for ByHand {
    async fn read(&self, max: usize, _wait: Duration) -> Result<Vec<Post>, Error> {
        tokio::time::sleep(EARLY_LOOK).await;
        let mut posts = self.posts.lock().expect("not poisoned");
        let max = max.min(posts.len());
        Ok(posts.drain(..max).collect())
    }

    async fn done(&self, receipts: &[u64]) -> Result<(), Error> {
        self.done.lock().expect("not poisoned").extend(receipts);
        Ok(())
    }

    async fn leave(&self) -> Result<(), Error> {
        self.left.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn refuse(&self, _receipt: u64, why: &str) -> Result<(), Error> {
        panic!("no post here is refused: {why}")
    }

    async fn set_aside(&self, part: &[u8], why: &str) -> Result<(), Error> {
        let part = serde_json::from_slice(part).expect("an event");
        self.aside.lock().expect("not poisoned").push((part, why.to_owned()));
        Ok(())
    }
}

/// What the worker of `detect` writes once it has passed a job on.
fn hop(job_id: &str) -> Value {
    json!({
        "event": "completed", "job_id": job_id, "stage": "detect", "attempt": 1, "visit": 1,
        "timestamp": "2023-11-14T22:13:20Z", "pipeline": "images", "pipeline_version": 1,
        "job": {
            "state": "queued", "stage": "classify", "place": "queue", "queue": "detections",
            "contract": { "job_id": job_id, "params": { "detection_run_id": "det_456" } },
        },
    })
}

fn failed(job_id: &str) -> Value {
    json!({ "event": "failed", "job_id": job_id, "stage": "classify", "attempt": 1,
        "timestamp": "2023-11-14T22:13:21Z", "error": { "message": "too quick" } })
}

/// A tracker that tracks.
struct World {
    memory: Memory,
    journal: Arc<ByHand>,
    finish: CancellationToken,
    tracking: tokio::task::JoinHandle<Result<(), Error>>,
}

/// A tracker that has not begun, its ledger and its journal.
async fn tracker() -> (Tracker, Memory, Arc<ByHand>) {
    let clock = Arc::new(SystemClock);
    let memory = Memory::new(clock.clone());
    let store: Arc<dyn Store> = Arc::new(memory.clone());
    let registry = Registry::new(store, Arc::new(OnlyForeign), Arc::new(|_| None));
    let pipeline = "{ name: images, stages: [{ id: detect, type: foreign }, \
                        { id: classify, type: foreign }, { id: predict, type: foreign }] }";
    let definition = registry.install("test", pipeline).await.expect("a good pipeline");
    let journal = Arc::new(ByHand::default());
    let (broker, ledger) = (Arc::new(memory.clone()), Arc::new(memory.clone()));
    let books = Books::new(broker, journal.clone(), ledger);
    let tracker = Tracker {
        books,
        bus: Arc::new(memory.clone()) as Arc<dyn Bus>,
        clock,
        running: Arc::clone(definition.graph()),
        registry,
        finish: CancellationToken::new(),
        early: Early::default(),
        reminded: None,
    };
    (tracker, memory, journal)
}

impl World {
    async fn new() -> Self {
        let (tracker, memory, journal) = tracker().await;
        let finish = tracker.finish.clone();
        Self { memory, journal, finish, tracking: tokio::spawn(tracker.run()) }
    }

    /// Waits until the tracker is done with so many posts; tells which, in its order.
    async fn until_done(&self, count: usize) -> Vec<u64> {
        let all = async {
            loop {
                let done = self.journal.done.lock().expect("not poisoned").clone();
                if done.len() >= count {
                    return done;
                }
                tokio::time::sleep(EARLY_LOOK).await;
            }
        };
        tokio::time::timeout(WAIT_MAX, all).await.expect("in time")
    }

    async fn failed(&self, job_id: &str) -> JobRecord {
        let job = self.memory.job(&JobId::from(job_id)).await.expect("it answers");
        let job = job.expect("it is known");
        assert_eq!(job.state, JobState::Failed);
        job
    }

    async fn stop(self) {
        self.finish.cancel();
        self.tracking.await.expect("it ends").expect("in good order");
    }
}

#[tokio::test]
async fn early_post_waits_for_what_it_builds_on_and_not_for_ever() {
    let world = World::new().await;
    world.journal.write(1, &failed("quick"));
    world.journal.write(2, &failed("lonely"));
    // It is for the tracker to meet the first two before the third.
    tokio::time::sleep(EARLY_LOOK * 5).await;
    assert!(world.until_done(0).await.is_empty());
    world.journal.write(3, &hop("quick"));
    assert_eq!(world.until_done(3).await, [3, 1, 2]);
    assert_eq!(world.failed("quick").await.params["detection_run_id"], "det_456");
    assert_eq!(world.failed("lonely").await.params.len(), 0);
    world.stop().await;
}

#[tokio::test]
async fn early_posts_are_not_overtaken() {
    let world = World::new().await;
    let told = |event: &str| {
        json!({ "event": event, "job_id": "a", "stage": "classify", "attempt": 1,
            "timestamp": "2023-11-14T22:13:21Z" })
    };
    // All of them are read at once, or nearly so.
    world.journal.write(1, &told("started"));
    world.journal.write(2, &hop("a"));
    world.journal.write(3, &told("completed"));
    // Begins at a stage whose service told nothing before; only what comes next is a worker's.
    let mut begun = told("started");
    begun["job_id"] = json!("b");
    world.journal.write(4, &begun);
    let mut ended = hop("b");
    (ended["stage"], ended["job"]["stage"]) = (json!("predict"), json!("predict"));
    (ended["job"]["state"], ended["job"]["place"]) = (json!("completed"), json!("end"));
    ended["timestamp"] = json!("2023-11-14T22:13:22Z");
    world.journal.write(5, &ended);
    assert_eq!(world.until_done(5).await, [2, 1, 3, 4, 5]);
    let job = world.memory.job(&JobId::from("b")).await.expect("it answers").expect("known");
    assert_eq!((job.state, job.stage.as_str()), (JobState::Completed, "predict"));
    world.stop().await;
}

#[tokio::test]
async fn tracker_that_breaks_leaves_the_journal_to_others() {
    let world = World::new().await;
    // The journal of these tests panics when it is to put a post aside.
    world.journal.write(1, &json!("no event"));
    let ended = tokio::time::timeout(WAIT_MAX, world.tracking).await.expect("in time");
    assert!(ended.expect_err("it broke").is_panic());
    assert!(world.journal.left.load(Ordering::SeqCst));
}

#[tokio::test]
async fn foreign_stages_of_pipelines_that_cannot_run_here_are_tracked() {
    let world = World::new().await;
    let scans = "{ name: scans, stages: [
        { id: detect, type: ours, settings: { folder: '${input}' } },
        { id: classify, type: foreign, queue: '${SITE}_detections' },
        { id: check, type: manual, form: { ok: boolean } }] }";
    world.memory.put_pipeline(&"scans".into(), scans).await.expect("kept");
    let mut passed_on = hop("a");
    passed_on["pipeline"] = json!("scans");
    world.journal.write(1, &passed_on);
    world.journal.write(
        2,
        &json!({ "event": "completed", "job_id": "a", "stage": "classify",
            "timestamp": "2023-11-14T22:13:21Z", "response": { "kind": "cat" } }),
    );
    assert_eq!(world.until_done(2).await, [1, 2]);
    let job = world.memory.job(&JobId::from("a")).await.expect("it answers").expect("known");
    assert_eq!((job.state, job.stage.as_str()), (JobState::Waiting, "check"));
    assert_eq!(job.params["kind"], "cat");
    world.stop().await;
}

#[tokio::test]
async fn stray_entry_is_put_aside_alone() {
    let world = World::new().await;
    let told = |job_id: &str, stage: &str| {
        json!({ "event": "completed", "job_id": job_id, "stage": stage, "own": "kept",
            "timestamp": "2023-11-14T22:13:21Z" })
    };
    world.journal.write(1, &json!([hop("a"), hop("b"), hop("c")]));
    let list = json!([told("a", "classify"), told("b", "nowhere"), told("c", "classify")]);
    world.journal.write(2, &list);
    assert_eq!(world.until_done(2).await, [1, 2]);
    for (job_id, stage) in [("a", "predict"), ("b", "classify"), ("c", "predict")] {
        let job = world.memory.job(&JobId::from(job_id)).await.expect("it answers");
        assert_eq!(job.expect("known").stage.as_str(), stage, "{job_id}");
    }
    let aside = world.journal.aside.lock().expect("not poisoned").clone();
    let [(event, why)] = &aside[..] else { panic!("one event, not {aside:?}") };
    assert_eq!(*event, told("b", "nowhere"));
    assert_eq!(why, "job `b` is told of at stage `nowhere`, which `images` has not");
    world.stop().await;
}

#[tokio::test]
async fn aborts_are_announced_however_many_are_wanted() {
    let (mut tracker, memory, _) = tracker().await;
    let ids: Vec<JobId> = (0..=REMINDED_MAX).map(|id| JobId::from(id.to_string())).collect();
    for id in &ids {
        let post = hop(id.as_str()).to_string();
        let entries = journal::decode(post.as_bytes(), tracker.clock.now()).expect("an event");
        memory.project(entries.into()).await.expect("projected");
        memory.abort(id, "not wanted").await.expect("marked");
    }
    let mut signals = tracker.bus.subscribe();
    // All of them, then from the beginning again.
    for announced in [&ids[..REMINDED_MAX], &ids[REMINDED_MAX..], &ids[..REMINDED_MAX]] {
        tracker.remind().await;
        for id in announced {
            let signal = tokio::time::timeout(WAIT_MAX, signals.next()).await.expect("in time");
            let Some(Signal::Abort { job_id, .. }) = signal else { panic!("not {signal:?}") };
            assert_eq!(job_id, *id);
        }
    }
    let keeper = LeaseKeeper::new(Duration::from_secs(1));
    keeper.remember_all(&memory).await.expect("listed");
    assert!(ids.iter().all(|id| keeper.wanted_abort(id).is_some()));
}

#[tokio::test]
async fn unknown_job_is_of_the_one_pipeline_that_has_the_stage() {
    let world = World::new().await;
    let pipeline = |name: &str, stages: &[&str]| {
        let stages: Vec<_> =
            stages.iter().map(|id| json!({ "id": id, "type": "foreign" })).collect();
        (name.into(), json!({ "name": name, "stages": stages }).to_string())
    };
    for (name, source) in [
        pipeline("scans", &["classify", "read", "print"]),
        pipeline("letters", &["open", "read"]),
        pipeline("images", &["detect", "classify", "predict"]),
    ] {
        world.memory.put_pipeline(&name, &source).await.expect("kept");
    }
    let cases = [
        ("a", "print", None, Ok("scans")),
        ("b", "open", None, Ok("letters")),
        ("c", "classify", None, Ok("images")),
        ("d", "classify", Some("scans"), Ok("scans")),
        ("e", "read", None, Err("`read` is in several pipelines: letters, scans")),
        ("f", "paint", None, Err("`paint` is in no pipeline")),
        ("g", "read", Some("books"), Err("pipeline `books` is unknown")),
    ];
    let told = |job_id: &str, stage: &str, pipeline: Option<&str>| {
        json!({ "event": "started", "job_id": job_id, "stage": stage, "pipeline": pipeline,
            "timestamp": "2023-11-14T22:13:21Z" })
    };
    let post: Vec<_> = cases.iter().map(|(job, stage, name, _)| told(job, stage, *name)).collect();
    world.journal.write(1, &json!(post));
    assert_eq!(world.until_done(1).await, [1]);
    let aside = world.journal.aside.lock().expect("not poisoned").clone();
    for (id, _, _, expected) in cases {
        let job = world.memory.job(&JobId::from(id)).await.expect("it answers");
        let why = aside.iter().find(|(event, _)| event["job_id"] == id).map(|(_, why)| why);
        match expected {
            Ok(name) => assert_eq!(job.expect(id).pipeline.as_str(), name, "{id}"),
            Err(part) => {
                assert!(job.is_none(), "{id}");
                assert!(why.is_some_and(|why| why.contains(part)), "{id}: {why:?}");
            }
        }
    }
    assert_eq!(aside.len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn quick_stage_of_another_pipeline_waits_for_what_tells_which_one() {
    let world = World::new().await;
    for name in ["scans", "letters"] {
        let stages =
            json!([{ "id": "read", "type": "foreign" }, { "id": "sort", "type": "foreign" }]);
        let source = json!({ "name": name, "stages": stages }).to_string();
        world.memory.put_pipeline(&name.into(), &source).await.expect("kept");
    }
    world.journal.write(1, &json!({ "event": "completed", "job_id": "a", "stage": "sort" }));
    tokio::time::sleep(EARLY_LOOK * 5).await;
    let mut passed_on = hop("a");
    (passed_on["stage"], passed_on["job"]["stage"]) = (json!("read"), json!("sort"));
    passed_on["pipeline"] = json!("letters");
    world.journal.write(2, &passed_on);
    assert_eq!(world.until_done(2).await, [2, 1]);
    let job = world.memory.job(&JobId::from("a")).await.expect("it answers").expect("known");
    assert_eq!((job.state, job.pipeline.as_str()), (JobState::Completed, "letters"));
    world.stop().await;
}
