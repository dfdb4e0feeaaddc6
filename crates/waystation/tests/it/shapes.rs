//! Random pipelines of every shape, on engines that are killed in the middle: each job comes to an
//! end or waits for somebody, each join fires once and after its children, and none is lost.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use waystation::core::clock::SystemClock;
use waystation::core::event::{Event, EventKind};
use waystation::core::id::{JobId, StageId};
use waystation::core::job::{ChildRecord, JobFilter, JobRecord, PAGE_MAX};
use waystation::core::pipeline::{Join, OnFailure, Rest, Wait};
use waystation::core::port::Store;
use waystation::core::settlement::Tally;
use waystation::core::state::JobState;
use waystation::engine::{Backend, Client, Definition, Engine, Registry, Submission};
use waystation::{Completion, Context, Executors, Failure, Handler, Options, Params};
use waystation_memory::Memory;
use waystation_sqlite::Sqlite;

const SEEDS: u64 = 30;
const JOBS: usize = 4;
/// How often the engine is killed before it may end.
const LIVES: usize = 3;
/// How deep fan-outs are nested.
const DEPTH: usize = 3;
/// No run takes longer.
const WAIT_MAX: Duration = Duration::from_mins(1);

#[test]
fn random_shapes_come_to_their_end_in_memory() {
    for seed in 0..SEEDS {
        let memory = Memory::new(Arc::new(SystemClock));
        check(seed, || Backend::whole(memory.clone(), Arc::new(SystemClock)));
    }
}

#[test]
fn random_shapes_come_to_their_end_on_a_file_that_is_opened_again() {
    for seed in 0..SEEDS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shapes.db");
        check(seed, || open(&path));
    }
}

fn open(path: &Path) -> Backend {
    let clock = Arc::new(SystemClock);
    let mut options = waystation_sqlite::Options::new(path);
    options.synchronous = waystation_sqlite::Synchronous::Normal;
    let sqlite = Sqlite::open(options, clock.clone()).expect("it opens");
    Backend::whole(sqlite, clock)
}

/// Runs one random pipeline through several lives, and looks at what is left.
fn check(seed: u64, open: impl Fn() -> Backend) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pipeline = Maker::pipeline(&mut random);
    let _told = Told(seed, &pipeline);
    for life in 0..=LIVES {
        let runtime = runtime();
        let last = life == LIVES;
        let pause = Duration::from_millis(random.u64(5..60));
        let mut aborts = random.fork();
        let killed = runtime.block_on(async {
            let world = World::new(seed, open(), &pipeline).await;
            if life == 0 {
                world.submit().await;
            }
            let engine = world.engine().await;
            if random.u8(..4) == 0 {
                world.abort_one(&mut aborts).await;
            }
            if last {
                let idle = tokio::time::timeout(WAIT_MAX, engine.until_idle()).await;
                idle.expect("no job runs for ever").expect("the engine is well");
                world.look().await;
                engine.stop();
                engine.join().await.expect("it ends as it should");
                None
            } else {
                tokio::time::sleep(pause).await;
                // Not stopped: killed with its runtime.
                Some(engine)
            }
        });
        runtime.shutdown_background();
        drop(killed);
    }
}

/// Tells what was tried when the test fails.
struct Told<'a>(u64, &'a Value);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} on {:#}", self.0, self.1);
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Makes a random pipeline: chains, fan-outs over lists and branches, each with its join.
struct Maker<'a> {
    random: &'a mut fastrand::Rng,
    stages: Vec<Value>,
    routes: Vec<Value>,
}

impl Maker<'_> {
    fn pipeline(random: &mut fastrand::Rng) -> Value {
        let mut maker = Maker { random, stages: Vec::new(), routes: Vec::new() };
        maker.chain(DEPTH);
        let mut pipeline = json!({ "name": "shapes", "stages": maker.stages });
        if !maker.routes.is_empty() {
            pipeline["routes"] = Value::Array(maker.routes);
        }
        pipeline
    }

    /// A few parts that follow each other; gives the first and the last stage.
    fn chain(&mut self, depth: usize) -> (String, String) {
        let (first, mut last) = self.part(depth);
        for _ in 0..self.random.usize(..2) {
            let (next, end) = self.part(depth);
            self.routes.push(json!({ "from": last, "to": next }));
            last = end;
        }
        (first, last)
    }

    fn part(&mut self, depth: usize) -> (String, String) {
        let way = if depth == 0 { 0 } else { self.random.u8(..10) };
        match way {
            0..3 => {
                let kind = if self.random.u8(..12) == 0 { "manual" } else { "work" };
                let stage = self.stage(kind, json!({}));
                (stage.clone(), stage)
            }
            3..7 => {
                let cut = self.stage("cut", json!({}));
                let (first, last) = self.chain(depth - 1);
                let join = self.join(true);
                let list = format!("{cut}_items");
                let each = json!({ "from": cut, "to": first, "each": list, "join": join });
                self.routes.push(each);
                self.routes.push(json!({ "from": last, "to": join }));
                (cut, join)
            }
            _ => {
                let fork = self.stage("work", json!({}));
                let branches: Vec<_> =
                    (0..self.random.usize(1..=3)).map(|_| self.chain(depth - 1)).collect();
                let join = self.join(false);
                let starts: Vec<_> = branches.iter().map(|(first, _)| first).collect();
                self.routes.push(json!({ "from": fork, "to": starts, "join": join }));
                for (_, last) in &branches {
                    self.routes.push(json!({ "from": last, "to": join }));
                }
                (fork, join)
            }
        }
    }

    fn join(&mut self, lists: bool) -> String {
        let wait = if lists {
            [json!("all"), json!("any"), json!(2)]
        } else {
            [json!("all"), json!("any"), json!(1)]
        };
        let wait = self.random.choice(wait).expect("there are some");
        let policy = self.random.choice(["fail", "ignore", "collect"]).expect("there are some");
        let rest = self.random.choice(["abort", "run"]).expect("there are some");
        let join = json!({ "wait": wait, "on_failure": policy, "rest": rest });
        self.stage("work", json!({ "join": join }))
    }

    fn stage(&mut self, kind: &str, more: Value) -> String {
        let name = format!("{kind}{}", self.stages.len());
        let mut stage = json!({ "id": name, "type": kind });
        if kind != "manual" {
            stage["retry"] = json!({ "max_retries": 1, "backoff": "none" });
        }
        if let (Value::Object(stage), Value::Object(more)) = (&mut stage, more) {
            stage.extend(more);
        }
        self.stages.push(stage);
        name
    }
}

/// Works, fails, panics or takes its time, as the seed, the job and the attempt say.
struct Work {
    seed: u64,
    cuts: bool,
}

#[async_trait]
impl Handler for Work {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        let mut hasher = DefaultHasher::new();
        (self.seed, context.job_id.as_str(), context.stage.as_str()).hash(&mut hasher);
        (context.visit, context.attempt).hash(&mut hasher);
        let mut random = fastrand::Rng::with_seed(hasher.finish());
        match random.u32(..100) {
            0..6 => return Err(Failure::transient("busy")),
            6..9 => return Err(Failure::new(waystation::ErrorKind::NotFound, "not there")),
            // A panic that tells nobody but whoever catches it.
            9..11 => std::panic::resume_unwind(Box::new("a handler panics")),
            11..20 => tokio::time::sleep(Duration::from_millis(random.u64(..20))).await,
            _ => {}
        }
        let mut output = Params::new();
        if self.cuts {
            let items = (0..random.usize(..4)).map(Value::from).collect();
            output.insert(format!("{}_items", context.stage), Value::Array(items));
        } else {
            output.insert(format!("{}_was", context.stage), json!(true));
        }
        Ok(Completion::ok(output))
    }
}

struct World {
    client: Client,
    definition: Arc<Definition>,
}

impl World {
    async fn new(seed: u64, backend: Backend, pipeline: &Value) -> Self {
        let executors = Executors::standard()
            .with_handler("work", Arc::new(Work { seed, cuts: false }))
            .with_handler("cut", Arc::new(Work { seed, cuts: true }));
        let store = Arc::clone(&backend.store);
        let registry = Registry::new(store, Arc::new(executors), Arc::new(|_| None));
        let definition = registry.install("shapes", &pipeline.to_string()).await;
        let definition = definition.unwrap_or_else(|error| panic!("{error}"));
        Self { client: Client::new(backend, registry), definition }
    }

    async fn engine(&self) -> waystation::engine::Handle {
        let options = Options { lease: Duration::from_millis(300), ..Options::default() };
        let backend = self.client.backend().clone();
        let registry = self.client.registry().clone();
        let definition = Arc::clone(&self.definition);
        Engine::start(backend, registry, definition, options).await.expect("it starts")
    }

    async fn submit(&self) {
        let job = |number| Submission {
            job_id: Some(format!("job{number}").as_str().into()),
            ..Submission::default()
        };
        let jobs = (0..JOBS).map(job).collect();
        self.client.submit(&self.definition, jobs).await.expect("submitted");
    }

    async fn abort_one(&self, random: &mut fastrand::Rng) {
        let job_id = format!("job{}", random.usize(..JOBS)).as_str().into();
        self.client.abort(&job_id, "not wanted").await.expect("the abort is taken");
    }

    /// All that must hold once nothing goes on by itself.
    async fn look(&self) {
        let store = &*self.client.backend().store;
        let filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
        let jobs = store.jobs(filter).await.expect("listed").jobs;
        assert!(jobs.len() < PAGE_MAX, "all fit on one page");
        let by_id: HashMap<&JobId, &JobRecord> =
            jobs.iter().map(|job| (&job.job_id, job)).collect();
        let (mut children, mut made) = (0, 0);
        for job in &jobs {
            let rests = job.state.is_terminal() || job.state == JobState::Waiting;
            assert!(rests, "{} is {} at {}", job.job_id, job.state, job.stage);
            children += usize::from(job.parent.is_some());
            if let Some(parent) = &job.parent {
                assert!(by_id.contains_key(&parent.job_id), "{} has no parent", job.job_id);
            }
            let events = store.events(&job.job_id).await.expect("listed");
            once(&events);
            made += self.look_at_family(store, job, &events).await;
        }
        assert_eq!(jobs.len() - children, JOBS, "no job is lost");
        assert_eq!(children, made, "no child is lost");
    }

    /// Looks at every fan-out of a job; tells how many children they made.
    async fn look_at_family(&self, store: &dyn Store, job: &JobRecord, events: &[Event]) -> usize {
        let mut made = 0;
        for event in events {
            let Some(number) = children_told(event) else { continue };
            made += number;
            let children = store.children(&job.job_id, event.visit, 0, PAGE_MAX).await;
            let children = children.expect("listed");
            assert_eq!(children.len(), number, "{event:?}");
            self.look_at_join(store, job, events, event, &children).await;
        }
        if job.state == JobState::Waiting {
            let awaited = store.awaited(&job.job_id).await.expect("told");
            let tasks = store
                .tasks(waystation_core::job::TaskFilter::first(PAGE_MAX))
                .await
                .expect("listed");
            let asked = tasks.iter().any(|task| task.job_id == job.job_id);
            assert!(asked != awaited.is_some(), "{} waits for one of the two", job.job_id);
        }
        made
    }

    async fn look_at_join(
        &self,
        store: &dyn Store,
        job: &JobRecord,
        events: &[Event],
        fanned_out: &Event,
        children: &[ChildRecord],
    ) {
        let visit = fanned_out.visit + 1;
        let at_join = |kind| {
            let here = move |event: &&Event| event.visit == visit && event.kind == kind;
            events.iter().filter(here).collect::<Vec<_>>()
        };
        let started = at_join(EventKind::Started);
        let first = started.iter().filter(|event| event.attempt == 1).count();
        assert!(first <= 1, "the join of {} fired {first} times", job.job_id);
        let tally = tally(children);
        if let Some(awaited) = store.awaited(&job.job_id).await.expect("told")
            && awaited.visit == fanned_out.visit
        {
            assert_eq!(awaited.tally, tally, "{} counts what is there", job.job_id);
            assert!(!awaited.quorum.is_reached(tally), "{} waits for nobody", job.job_id);
            return;
        }
        let Some(completed) = at_join(EventKind::Completed).first().copied() else { return };
        let join = self.join(&completed.stage);
        let ended = children.iter().filter(|child| child.state.is_terminal()).count();
        let needed = match join.wait {
            Wait::All => children.len(),
            Wait::AtLeast(number) => number as usize,
        };
        assert!(ended >= needed, "{} went on before its children had ended", job.job_id);
        if join.wait == Wait::All && join.on_failure == OnFailure::Fail {
            assert_eq!(tally.completed as usize, children.len());
        }
        if join.rest == Rest::Abort {
            assert_eq!(ended, children.len(), "none is left behind");
        }
        self.look_at_order(store, &join, completed, children).await;
    }

    /// Where all are waited for, the last of them ended before the join did.
    async fn look_at_order(
        &self,
        store: &dyn Store,
        join: &Join,
        completed: &Event,
        children: &[ChildRecord],
    ) {
        if join.wait != Wait::All {
            return;
        }
        for child in children {
            let events = store.events(&child.job_id).await.expect("listed");
            let last = events.iter().map(|event| event.at).max().expect("it has some");
            assert!(last <= completed.at, "{} ended after its join", child.job_id);
        }
    }

    fn join(&self, stage: &StageId) -> Join {
        let stage = self.definition.pipeline.stage(stage).expect("it is there");
        stage.join.clone().expect("it is a join")
    }
}

/// How many children an event tells of.
fn children_told(event: &Event) -> Option<usize> {
    let number = event.detail.as_ref()?.get(Event::CHILDREN)?.as_u64()?;
    (event.kind == EventKind::Completed).then_some(number as usize)
}

fn tally(children: &[ChildRecord]) -> Tally {
    let ends = children.iter().filter_map(|child| Tally::of(child.state));
    ends.fold(Tally::default(), |sum, one| Tally {
        completed: sum.completed + one.completed,
        failed: sum.failed + one.failed,
    })
}

/// No stage run of a job ends twice.
fn once(events: &[Event]) {
    let mut ends: HashMap<(&StageId, u32), usize> = HashMap::new();
    // An abort that was wanted meanwhile follows the end of the run that it lets go no further.
    let is_end = |event: &&Event| matches!(event.kind, EventKind::Completed | EventKind::Failed);
    for event in events.iter().filter(is_end) {
        *ends.entry((&event.stage, event.visit)).or_default() += 1;
    }
    assert!(ends.values().all(|number| *number == 1), "{events:#?}");
}
