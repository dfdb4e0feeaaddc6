//! Workers as real processes: killed, crashing, hung, hungry, and told to end.
//!
//! This program is its own worker: called again with [`worker_process`] as the one test to run.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation::backends::{self, Urls};
use waystation::core::event::EventKind;
use waystation::core::job::{JobFilter, JobRecord, PAGE_MAX};
use waystation::core::state::JobState;
use waystation::engine::supervisor::{
    EngineStatus, Options, Restarts, SlotState, Supervising, Supervisor, SupervisorError, Work,
    WorkerStatus,
};
use waystation::{
    Backend, Client, Completion, Context, Executors, Failure, Handler, JobId, Params, Registry,
    Submission, environment, supervised,
};

/// Where the worker's process finds its store.
const STORE: &str = "WAYSTATION_TEST_WORKER_STORE";
/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Does what the job's params say.
struct Misbehaves;

#[async_trait]
impl Handler for Misbehaves {
    async fn run(&self, _: Context, params: Params) -> Result<Completion, Failure> {
        match params.get("do").and_then(Value::as_str) {
            Some("crash") => std::process::abort(),
            // Every thread of the runtime, so that nothing else gets on.
            Some("hang") => hang_all(),
            Some("eat") => {
                let eaten = vec![1_u8; 300 << 20];
                std::mem::forget(eaten);
            }
            _ => {}
        }
        let wait = params.get("ms").and_then(Value::as_u64).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        Ok(Completion::default())
    }
}

fn hang_all() {
    for _ in 0..std::thread::available_parallelism().map_or(8, usize::from) * 4 {
        tokio::spawn(async { std::thread::sleep(Duration::from_mins(10)) });
    }
    std::thread::sleep(Duration::from_mins(10));
}

fn work(backend: &Backend) -> Work {
    let catalog = Executors::standard().with_handler("misbehaves", Arc::new(Misbehaves));
    let environment = environment(std::collections::BTreeMap::new());
    let registry = Registry::new(Arc::clone(&backend.store), Arc::new(catalog), environment);
    Work {
        backend: backend.clone(),
        registry,
        only: Vec::new(),
        options: waystation::Options {
            lease: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            ..waystation::Options::default()
        },
    }
}

/// A worker, where a supervisor of these tests started this program.
#[test]
fn worker_process() {
    let Some(assignment) = supervised::assignment() else { return };
    let store = std::env::var(STORE).expect("the test says where");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let backend = open(&store).await;
        supervised::run(work(&backend), assignment).await.expect("it works");
    });
}

async fn open(store: &str) -> Backend {
    let urls = Urls::store(store);
    backends::open(&urls).await.expect("it opens")
}

/// A store of its own, and who works on it.
struct Host {
    folder: tempfile::TempDir,
    backend: Backend,
    client: Client,
}

impl Host {
    async fn new(pipeline: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let backend = open(&store_in(folder.path())).await;
        let Work { registry, .. } = work(&backend);
        registry.install("test", pipeline).await.expect("a good pipeline");
        let client = Client::new(backend.clone(), registry);
        Self { folder, backend, client }
    }

    fn start(&self, options: Options) -> Supervising {
        let store = store_in(self.folder.path());
        let program = std::env::current_exe().expect("this program");
        let launch = supervised::by(move || {
            let mut command = Command::new(&program);
            command.args(["supervising::worker_process", "--exact", "--nocapture"]);
            command.env(STORE, &store);
            command
        });
        Supervisor::start(options, launch, self.backend.clone()).expect("it starts")
    }

    async fn submit(&self, params: Vec<Value>) -> Vec<JobId> {
        let definition = self.client.registry().newest(&"test".into()).await.expect("known");
        let params = params.into_iter().map(|params| match params {
            Value::Object(params) => Submission { params, ..Submission::default() },
            other => panic!("{other}"),
        });
        let answers = self.client.submit(&definition, params.collect()).await.expect("submitted");
        answers.into_iter().map(|answer| answer.accepted().expect("created")).collect()
    }

    async fn job(&self, job_id: &JobId) -> JobRecord {
        self.backend.store.job(job_id).await.expect("readable").expect("it is there")
    }

    async fn jobs(&self) -> Vec<JobRecord> {
        let mut jobs = Vec::new();
        let mut filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
        loop {
            let page = self.backend.store.jobs(filter.clone()).await.expect("readable");
            jobs.extend(page.jobs);
            filter.before = page.next;
            if filter.before.is_none() {
                return jobs;
            }
        }
    }

    async fn all_are(&self, state: JobState, count: usize) -> bool {
        let counts = self.backend.store.counts(None).await.expect("readable");
        let of_state = counts.iter().filter(|one| one.state == state);
        of_state.map(|one| one.jobs as usize).sum::<usize>() == count
    }
}

fn store_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("test.db").display())
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let limit = Instant::now() + WAIT_MAX;
    while !holds().await {
        assert!(Instant::now() < limit, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn of(engine: &Supervising, number: usize) -> WorkerStatus {
    engine.status().workers[number].clone()
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

async fn end(mut engine: Supervising) {
    engine.stop();
    engine.join().await.expect("it ends well");
}

fn quick() -> Options {
    Options {
        processing_workers: 2,
        source_workers: 0,
        restarts: Restarts { wait: Duration::from_millis(50), ..Restarts::default() },
        ..Options::default()
    }
}

const ONE: &str = "name: test\nstages:\n  - { id: work, type: misbehaves, max_deliveries: 3, \
                   timeout_seconds: 10, concurrency: 8 }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_killed_worker_end_elsewhere_and_no_attempt_is_burned() {
    let host = Host::new(ONE).await;
    let engine = host.start(quick());
    let jobs = host.submit(vec![json!({ "ms": 1_200 }); 40]).await;
    until("a worker has jobs in hand", async || of(&engine, 0).in_flight > 0).await;
    let pid = of(&engine, 0).pid.expect("a process");
    kill(pid);
    until("all are done", async || host.all_are(JobState::Completed, jobs.len()).await).await;
    let mut came_back = 0;
    for job_id in &jobs {
        let events = host.backend.store.events(job_id).await.expect("readable");
        let of_kind = |kind| events.iter().filter(|event| event.kind == kind).count();
        assert_eq!((of_kind(EventKind::Completed), of_kind(EventKind::Retried)), (1, 0));
        came_back += of_kind(EventKind::Abandoned);
    }
    assert!(came_back > 0, "the killed worker had nothing in hand");
    until("another one works in its place", async || of(&engine, 0).worker_id.is_some()).await;
    let worker = of(&engine, 0);
    assert!(worker.restarts == 1 && worker.pid != Some(pid), "{worker:?}");
    assert!(worker.last_end.expect("it ended").reason.starts_with("signal 9 (SIGKILL)"));
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_crashes_its_worker_each_time_is_poison_and_others_flow() {
    let host = Host::new(ONE).await;
    let engine = host.start(quick());
    let bad = host.submit(vec![json!({ "do": "crash" })]).await.remove(0);
    let good = host.submit(vec![json!({}); 30]).await;
    until("the others are done", async || host.all_are(JobState::Completed, good.len()).await)
        .await;
    until("it is poison", async || host.job(&bad).await.state == JobState::Failed).await;
    let failure = host.job(&bad).await.failure.expect("why");
    assert_eq!(failure.kind.as_str(), "poison");
    let message = failure.message;
    assert!(message.starts_with("delivered 4 times without an end, more than the 3"), "{message}");
    assert!(message.ends_with("by signal 6 (SIGABRT)"), "{message}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_worker_is_killed_and_it_is_said_why() {
    let host = Host::new(ONE).await;
    let options = Options { hang: Duration::from_secs(3), processing_workers: 1, ..quick() };
    let engine = host.start(options);
    let bad = host.submit(vec![json!({ "do": "hang" })]).await.remove(0);
    let ended = async || of(&engine, 0).last_end.is_some();
    until("it is killed", ended).await;
    let reason = of(&engine, 0).last_end.expect("it ended").reason;
    assert!(reason.starts_with("hung: it did nothing for"), "{reason}");
    until("it is poison", async || host.job(&bad).await.state == JobState::Failed).await;
    let message = host.job(&bad).await.failure.expect("why").message;
    assert!(message.contains("by hung: it did nothing for"), "{message}");
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_too_much_memory_ends_after_its_jobs() {
    let host = Host::new(ONE).await;
    let memory_bytes_max = Some(250 << 20);
    let engine = host.start(Options { memory_bytes_max, processing_workers: 1, ..quick() });
    let jobs = host.submit(vec![json!({ "do": "eat" }), json!({ "ms": 900 })]).await;
    until("it ended", async || of(&engine, 0).last_end.is_some()).await;
    let reason = of(&engine, 0).last_end.expect("it ended").reason;
    assert!(reason.contains("MiB, more than the 250 MiB allowed"), "{reason}");
    until("all are done", async || host.all_are(JobState::Completed, 2).await).await;
    for job_id in &jobs {
        let events = host.backend.store.events(job_id).await.expect("readable");
        assert!(!events.iter().any(|event| event.kind == EventKind::Abandoned));
    }
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_never_come_up_are_given_up() {
    let host = Host::new(ONE).await;
    let restarts = Restarts { wait: Duration::from_millis(1), max: 3, ..Restarts::default() };
    let options = Options { restarts, ..quick() };
    let launch = supervised::by(|| {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        command
    });
    let mut engine = Supervisor::start(options, launch, host.backend.clone()).expect("it starts");
    let error = engine.join().await.expect_err("nobody is left");
    assert!(matches!(error, SupervisorError::AllGivenUp { .. }));
    assert_eq!(error.to_string(), "all 2 workers are given up; the last one ended by exit code 3");
    let EngineStatus { workers, .. } = engine.status();
    assert!(workers.iter().all(|worker| worker.state == SlotState::GivenUp));
    assert!(workers.iter().all(|worker| worker.restarts == 3), "{workers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing_and_ends_in_time() {
    let host = Host::new(ONE).await;
    let engine = host.start(quick());
    let jobs = host.submit(vec![json!({ "ms": 50 }); 1_000]).await;
    until("it is under way", async || !host.all_are(JobState::Completed, 0).await).await;
    let began = Instant::now();
    end(engine).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let left = host.jobs().await;
    assert_eq!(left.len(), jobs.len());
    let known = [JobState::Completed, JobState::Queued];
    assert!(left.iter().all(|job| known.contains(&job.state)), "nothing is in anybody's hand");
    let engine = host.start(quick());
    until("all are done", async || host.all_are(JobState::Completed, jobs.len()).await).await;
    end(engine).await;
    for job_id in jobs.iter().step_by(50) {
        let events = host.backend.store.events(job_id).await.expect("readable");
        let completed = events.iter().filter(|event| event.kind == EventKind::Completed).count();
        assert_eq!(completed, 1, "{job_id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_crawlers_anywhere_neither_loses_nor_doubles_a_file() {
    const FILES: usize = 5_000;
    let files = tempfile::tempdir().expect("a folder");
    for number in 0..FILES {
        std::fs::write(files.path().join(format!("{number}.txt")), "x").expect("written");
    }
    let pipeline = format!(
        "name: test\nstages:\n  - {{ id: find, type: files, schedule: {{ every_seconds: 0.05 }}, \
         settings: {{ folder: {} }} }}\n  - {{ id: check, type: manual }}",
        files.path().display()
    );
    let host = Host::new(&pipeline).await;
    let options = Options { processing_workers: 0, source_workers: 2, ..quick() };
    let restarts = Restarts { wait: Duration::from_millis(1), max: 100, ..options.restarts };
    let engine = host.start(Options { restarts, ..options });
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..20 {
        let number = random.usize(0..2);
        until("it runs", async || of(&engine, number).pid.is_some()).await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..250))).await;
        let killed = of(&engine, number).pid.expect("nothing else ends it");
        kill(killed);
        // Until its end is noticed, the status still shows the dead one.
        let other = async || of(&engine, number).pid.is_some_and(|pid| pid != killed);
        until("another one starts", other).await;
    }
    until("all are found", async || host.all_are(JobState::Waiting, FILES).await).await;
    end(engine).await;
    let jobs = host.jobs().await;
    let names: BTreeSet<_> = jobs.iter().map(|job| job.params["name"].to_string()).collect();
    assert_eq!((jobs.len(), names.len()), (FILES, FILES));
}
