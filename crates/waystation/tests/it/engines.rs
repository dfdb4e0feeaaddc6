//! `waystation engine` as it runs on a host: over every queue, and on two hosts that share a store.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use waystation::Backend;
use waystation::backends;
use waystation::core::clock::Timestamp;
use waystation::core::event::EventKind;
use waystation::core::job::{JobFilter, JobRecord, PAGE_MAX};
use waystation::core::state::JobState;

use crate::pairs::{Pair, on_pairs};
use crate::program::{self, Place, Running};

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Between two looks at a store.
const PAUSE: Duration = Duration::from_millis(50);

on_pairs!(
    [sqlite, postgres, rabbitmq_with_postgres, redis_with_postgres] {
        neither_a_killed_worker_nor_sigterm_under_load_loses_or_repeats_a_step,
    }
);

/// Steps last until the test lets them end.
const LOAD: &str = "
name: load
stages:
  - { id: first, type: exec, concurrency: 4,
      settings: { command: 'until [ -e go ]; do sleep 0.05; done' } }
  - { id: second, type: exec, concurrency: 4, settings: { command: 'true' } }
";
const JOBS: usize = 60;
const DRAIN: Duration = Duration::from_secs(20);

async fn neither_a_killed_worker_nor_sigterm_under_load_loses_or_repeats_a_step(pair: &Pair) {
    let load = Load::new(pair).await;
    let engine = load.engine();
    let killed = load.busy_worker(None).await;
    signal("KILL", killed);
    load.busy_worker(Some(killed)).await;

    let told = Instant::now();
    engine.signal("TERM");
    engine.wait_for("draining");
    load.place.write("go", "");
    engine.wait_for("stopped: nothing runs any more");
    assert_eq!(engine.end(), Some(0));
    assert!(told.elapsed() < DRAIN, "{:?}", told.elapsed());
    assert!(load.completed().await < JOBS, "the end came under no load");

    let engine = load.engine();
    let all_are_completed = async || (load.completed().await == JOBS).then_some(());
    wait_for("all jobs are completed", all_are_completed).await;
    engine.signal("TERM");
    assert_eq!(engine.end(), Some(0));
    load.each_step_was_done_once().await;
}

/// Jobs of a pipeline, and the program that works on them.
struct Load {
    place: Place,
    backend: Backend,
}

impl Load {
    async fn new(pair: &Pair) -> Self {
        let place = pair
            .variables()
            .fold(Place::with_pipeline(LOAD), |place, (name, value)| place.with(name, value));
        place
            .run_with(&["submit", "pipeline.yaml", "--params", "-"], &"{}\n".repeat(JOBS))
            .exits(0);
        let backend = backends::open(&pair.urls()).await.expect("it opens");
        Self { place, backend }
    }

    fn engine(&self) -> Running {
        let workers = ["--processing-workers", "2", "--source-workers", "0"];
        let drain = DRAIN.as_secs().to_string();
        let times = ["--drain-seconds", &drain, "--lease-seconds", "2"];
        self.place.start(&[&["engine", "pipeline.yaml"][..], &workers, &times].concat())
    }

    /// The process of a worker that has jobs in hand, and is not this one.
    async fn busy_worker(&self, but: Option<u64>) -> u64 {
        let busy = || {
            let engines = self.place.run(&["engines", "--json"]).objects();
            let workers = engines.iter().flat_map(|engine| list(engine, "workers"));
            let busy = workers.filter(|worker| worker["in_flight"].as_u64() > Some(0));
            busy.filter_map(|worker| worker["pid"].as_u64()).find(|pid| Some(*pid) != but)
        };
        wait_for("a worker has jobs in hand", async || busy()).await
    }

    async fn completed(&self) -> usize {
        let counts = self.backend.store.counts(None).await.expect("readable");
        let completed = counts.iter().filter(|count| count.state == JobState::Completed);
        completed.map(|count| count.jobs as usize).sum()
    }

    async fn each_step_was_done_once(&self) {
        let jobs = jobs(&self.backend).await;
        assert_eq!(jobs.len(), JOBS);
        for job in jobs {
            let events = self.backend.store.events(&job.job_id).await.expect("readable");
            let count = |kind| events.iter().filter(|event| event.kind == kind).count();
            assert_eq!(count(EventKind::Retried) + count(EventKind::Failed), 0, "{events:?}");
            for stage in ["first", "second"] {
                let ends = events.iter().filter(|event| event.kind == EventKind::Completed);
                let here = ends.filter(|event| event.stage.as_str() == stage).count();
                assert_eq!(here, 1, "{stage}: {events:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_page_tell_why_workers_ended() {
    let place = Place::new().with("WAYSTATION_STORE", "sqlite://jobs.db");
    let served = Served::start(&place, &["--processing-workers", "2", "--hang-seconds", "5"]);
    signal("STOP", served.pid(0).await);
    served.until_it_tells(0, 1, "hung: it did nothing for").await;
    for restarts in 1..=2 {
        signal("KILL", served.pid(1).await);
        served.until_it_tells(1, restarts, "signal 9 (SIGKILL)").await;
    }
    served.end();
    let hungry = Served::start(&place, &["--processing-workers", "1", "--memory-mib", "16"]);
    hungry.until_it_tells(0, 2, "memory: ").await;
    hungry.end();
}

/// An engine that serves the API and the dashboard.
struct Served {
    engine: Running,
    address: String,
    http: reqwest::Client,
}

impl Served {
    fn start(place: &Place, options: &[&str]) -> Self {
        let engine = ["engine", "--serve=127.0.0.1:0", "--source-workers", "0"];
        let engine = place.start(&[&engine[..], options].concat());
        let line = engine.wait_for("the dashboard: ");
        let address = line.trim_start_matches("the dashboard: ").trim_end_matches('/').to_owned();
        // Other crates' features leave the choice of a TLS library to us.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { engine, address, http: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> String {
        let asked = self.http.get(format!("{}{path}", self.address)).send().await;
        asked.expect("an answer").text().await.expect("a text")
    }

    /// A worker as `/status` tells of it.
    async fn worker(&self, number: usize) -> Option<Value> {
        let status: Value = serde_json::from_str(&self.get("/status").await).expect("JSON");
        status["processing_workers"]["workers"].get(number).cloned()
    }

    async fn pid(&self, number: usize) -> u64 {
        let pid = async || {
            let worker = self.worker(number).await?;
            worker["pid"].as_u64().filter(|_| worker["state"] == "running")
        };
        wait_for("a worker runs", pid).await
    }

    /// Waits until so many others were started in a worker's place and the last one's end is told
    /// with this reason, and sees that the page tells it, too.
    async fn until_it_tells(&self, number: usize, restarts: u64, reason: &str) {
        let told = async || {
            let worker = self.worker(number).await?;
            let is_told = worker["last_end_reason"].as_str()?.starts_with(reason);
            (is_told && worker["restarts"].as_u64() >= Some(restarts)).then_some(())
        };
        wait_for(reason, told).await;
        let page = self.get("/workers").await;
        assert!(page.contains(reason), "{reason}: {page}");
    }

    fn end(self) {
        self.engine.signal("TERM");
        assert_eq!(self.engine.end(), Some(0));
    }
}

const SOURCES: usize = 4;
const FILES: usize = 25;

/// Hosts see neither each other's processes nor networks; they share a folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_by_unshare_look_at_each_source_once_when_it_is_due() {
    let shared = Shared::new();
    let east = Host::start("east", &shared.place);
    let west = Host::start("west", &shared.place);
    shared.until("both look", |looks| {
        let by = |host: &str| looks.iter().any(|look| look.by.starts_with(host));
        by("east") && by("west")
    });
    shared.until("each is looked at", |looks| looked(looks, None, 3));

    // Of the dead host nothing is seen: what it held comes free when its time is over.
    drop(east);
    let dead = shared.looks().iter().map(|look| look.started_at).max();
    shared.write_files("later");
    shared.until("one host looks on alone", |looks| looked(looks, dead, 3));
    let backend = backends::open(&shared.pair.urls()).await.expect("it opens");
    let found = async || {
        let jobs = jobs(&backend).await;
        (jobs.len() >= 2 * SOURCES * FILES).then_some(jobs)
    };
    let jobs = wait_for("all files are found", found).await;
    drop(west);

    let mut names: Vec<_> = jobs.iter().map(|job| job.params["path"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!((jobs.len(), names.len()), (2 * SOURCES * FILES, 2 * SOURCES * FILES));
    shared.each_look_was_due();
}

/// What two hosts share.
struct Shared {
    place: Place,
    pair: Pair,
}

/// A look of a source.
#[derive(Clone, Debug)]
struct Look {
    source: String,
    by: String,
    started_at: i64,
    ended_at: Option<i64>,
}

impl Shared {
    fn new() -> Self {
        let pair = Pair::new("sqlite", None);
        let place =
            pair.variables().fold(Place::new(), |place, (name, value)| place.with(name, value));
        let shared = Self { place, pair };
        let (mut stages, mut routes) = (Vec::new(), Vec::new());
        for number in 0..SOURCES {
            let folder = shared.folder(number);
            std::fs::create_dir(&folder).expect("a folder");
            stages.push(format!(
                "  - {{ id: find{number}, type: files, schedule: {{ every_seconds: 1 }}, \
                 settings: {{ folder: {} }} }}\n",
                folder.display()
            ));
            routes.push(format!("  - {{ from: find{number}, to: look }}\n"));
        }
        let (stages, routes) = (stages.concat(), routes.concat());
        let text = format!(
            "name: hosts\nstages:\n{stages}  - {{ id: look, type: manual }}\nroutes:\n{routes}"
        );
        shared.place.write("pipeline.yaml", &text);
        shared.place.run(&["pipelines", "put", "pipeline.yaml"]).exits(0);
        shared.write_files("first");
        shared
    }

    fn folder(&self, number: usize) -> std::path::PathBuf {
        self.place.path(&format!("folder{number}"))
    }

    fn write_files(&self, kind: &str) {
        for folder in (0..SOURCES).map(|number| self.folder(number)) {
            for number in 0..FILES {
                write(&folder.join(format!("{kind}{number}.txt")));
            }
        }
    }

    fn looks(&self) -> Vec<Look> {
        let looks_of = |number: usize| {
            let source = format!("hosts/find{number}");
            let command = ["sources", "crawls", &source, "--limit", "200", "--json"];
            let page = self.place.run(&command).exits(0).objects().remove(0);
            let crawls = list(&page, "crawls").to_vec();
            crawls.into_iter().map(move |crawl| Look::of(&source, &crawl))
        };
        (0..SOURCES).flat_map(looks_of).collect()
    }

    fn until(&self, what: &str, holds: impl Fn(&[Look]) -> bool) {
        let limit = Instant::now() + WAIT_MAX;
        while !holds(&self.looks()) {
            assert!(Instant::now() < limit, "not so: {what}: {:#?}", self.looks());
            std::thread::sleep(PAUSE);
        }
    }

    /// No two looks of a source at a time, and a second between the beginnings of two.
    fn each_look_was_due(&self) {
        for number in 0..SOURCES {
            let source = format!("hosts/find{number}");
            let of_source = |look: &Look| look.source == source;
            let mut looks: Vec<_> = self.looks().into_iter().filter(of_source).collect();
            looks.sort_by_key(|look| look.started_at);
            for two in looks.windows(2) {
                // One that its host did not live to end was no look.
                let Some(ended) = two[0].ended_at else { continue };
                assert!(ended <= two[1].started_at, "at the same time: {two:#?}");
                assert!(two[1].started_at - two[0].started_at >= 1_000, "too early: {two:#?}");
            }
        }
    }
}

/// Whether each source was looked at so often since that moment.
fn looked(looks: &[Look], since: Option<i64>, times: usize) -> bool {
    (0..SOURCES).all(|number| {
        let source = format!("hosts/find{number}");
        let ended = looks.iter().filter(|look| look.source == source && look.ended_at.is_some());
        ended.filter(|look| since.is_none_or(|since| look.started_at > since)).count() >= times
    })
}

impl Look {
    fn of(source: &str, crawl: &Value) -> Self {
        let moment = |name: &str| {
            let text = crawl[name].as_str()?;
            Some(Timestamp::parse(text).expect("a moment").0)
        };
        Self {
            source: source.to_owned(),
            by: crawl["worker_id"].as_str().expect("a worker").to_owned(),
            started_at: moment("started_at").expect("it began"),
            ended_at: moment("ended_at"),
        }
    }
}

/// An engine with a host name, processes and a network of its own. It dies with this value.
struct Host(Child);

impl Host {
    fn start(name: &str, place: &Place) -> Self {
        let engine = format!(
            "echo {name} > /proc/sys/kernel/hostname && exec {} engine --processing-workers 0 \
             --source-workers 2 --lock-seconds 2 --quiet",
            env!("CARGO_BIN_EXE_waystation")
        );
        let apart = ["--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"];
        let mut command = place.command_of("unshare", &apart);
        command.args(["sh", "-c", &engine]).stdout(Stdio::null()).stderr(Stdio::inherit());
        Self(command.spawn().expect("unshare starts"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn wait_for<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let limit = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < limit, "not so: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn jobs(backend: &Backend) -> Vec<JobRecord> {
    let mut jobs = Vec::new();
    let mut filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
    loop {
        let page = backend.store.jobs(filter.clone()).await.expect("readable");
        jobs.extend(page.jobs);
        filter.before = page.next;
        if filter.before.is_none() {
            return jobs;
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn write(path: &Path) {
    std::fs::write(path, "x").expect("written");
}

fn signal(name: &str, pid: u64) {
    program::signal(name, u32::try_from(pid).expect("a process"));
}
