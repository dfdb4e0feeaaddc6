//! Servers that go away in the middle of the work, and come back: no job is lost, none takes a step
//! twice, and work goes on soon. Each test prints what it cost, in the words of `docs/evidence.md`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use waystation_testing::faults::Proxy;
use waystation_testing::servers::{Cluster, RabbitMqServer};

use crate::crash::{
    JOBS, STAGES, Site, check_log, check_store, completed, kill, pipeline, submit, unique,
    waystation,
};

/// Work must go on this soon after a server is back.
const RESUME_MAX: Duration = Duration::from_secs(35);
/// No test waits longer for its jobs to end.
const END_MAX: Duration = Duration::from_mins(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// RabbitMQ 3.10 brings a quorum queue back that was made a while before it was killed; of one that
/// is only seconds old it finds no leader for minutes.
const QUEUES_AGE: Duration = Duration::from_secs(12);
/// How long a connection that hangs, or an alarm, lasts.
const OUTAGE: Duration = Duration::from_secs(3);

/// A pipeline at work in programs of its own.
struct Work {
    site: Site,
    log: PathBuf,
    workers: Vec<Child>,
    _folder: tempfile::TempDir,
}

impl Work {
    /// Submits the jobs and starts two workers; returns when they are in the middle of it.
    fn begin(store: Option<String>, queue: Option<String>) -> Self {
        Self::begin_after(Duration::ZERO, store, queue)
    }

    /// The same with queues that have been there for a while.
    fn begin_after(age: Duration, store: Option<String>, queue: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = || format!("sqlite://{}", folder.path().join("faults.db").display());
        let store = store.unwrap_or_else(file);
        let site = Site { folder: folder.path().to_owned(), store, queue };
        let log = site.folder.join("executions.log");
        std::fs::write(site.folder.join("crash.yaml"), pipeline(&log)).expect("written");
        if !age.is_zero() {
            let early = waystation(&site, &["run", "crash.yaml"]).spawn().expect("it starts");
            std::thread::sleep(age);
            kill(early);
        }
        submit(&site);
        let start = || waystation(&site, &["run", "crash.yaml"]).spawn().expect("it starts");
        let workers = vec![start(), start()];
        let work = Self { site, log, workers, _folder: folder };
        let begun = work.executions_above(JOBS / 3, Duration::from_mins(1));
        assert!(begun.is_some(), "the workers begin");
        work
    }

    fn executions(&self) -> usize {
        std::fs::read_to_string(&self.log).map_or(0, |text| text.lines().count())
    }

    /// How long it takes until anything ran beyond this many executions.
    fn executions_above(&self, known: usize, max: Duration) -> Option<Duration> {
        let since = Instant::now();
        while since.elapsed() < max {
            if self.executions() > known {
                return Some(since.elapsed());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        None
    }

    /// To be called when the server is back: waits for the work to go on and to end, checks what
    /// came of it, and prints what the fault cost.
    async fn finish(mut self, fault: &str) {
        let known = self.executions();
        let all = JOBS * STAGES.len();
        // Where everything was done meanwhile there is nothing to resume.
        let resumed = if completed(&self.site).await == JOBS as u64 {
            Duration::ZERO
        } else {
            let resumed = self.executions_above(known, RESUME_MAX);
            resumed.unwrap_or_else(|| panic!("{fault}: no work within {RESUME_MAX:?}"))
        };
        let until = Instant::now() + END_MAX;
        while completed(&self.site).await < JOBS as u64 {
            let done = completed(&self.site).await;
            assert!(Instant::now() < until, "{fault}: only {done} of {JOBS} jobs ended");
            std::thread::sleep(LOOK_AGAIN * 10);
        }
        self.workers.drain(..).for_each(kill);
        check_store(&self.site).await;
        let repeated = check_log(&self.log) - all;
        println!(
            "EVIDENCE {fault}: {JOBS} jobs, lost 0, steps taken twice 0, executions repeated \
             {repeated} of {all}, work went on after {:.1} s",
            resumed.as_secs_f64()
        );
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.workers.drain(..).for_each(kill);
    }
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server: `cargo xtask services up` starts one")
    })
}

fn shared_broker() -> String {
    format!("{}?prefix={}.", server("WAYSTATION_TEST_RABBITMQ"), unique())
}

fn shared_database() -> String {
    format!("{}?schema=faults_{}", server("WAYSTATION_TEST_POSTGRES"), unique())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a RabbitMQ node of its own; needs WAYSTATION_TEST_RABBITMQ and _POSTGRES"]
async fn faults_broker_is_killed_and_comes_back() {
    let mut broker = RabbitMqServer::start();
    let work = Work::begin_after(QUEUES_AGE, Some(shared_database()), Some(broker.url()));
    broker.kill();
    broker.launch();
    work.finish("RabbitMQ killed with SIGKILL and started again (store PostgreSQL)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a RabbitMQ node of its own; needs WAYSTATION_TEST_RABBITMQ"]
async fn faults_broker_with_alarms_blocks_and_goes_on() {
    let broker = RabbitMqServer::start();
    let work = Work::begin(None, Some(broker.url()));
    broker.control(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
    std::thread::sleep(OUTAGE);
    broker.control(&["set_vm_memory_high_watermark", "0.4"]);
    broker.control(&["set_disk_free_limit", "900000GB"]);
    std::thread::sleep(OUTAGE);
    broker.control(&["set_disk_free_limit", "50MB"]);
    work.finish("RabbitMQ with a memory alarm, then a disk alarm, 3 s each (store SQLite)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the servers named by WAYSTATION_TEST_RABBITMQ and WAYSTATION_TEST_POSTGRES"]
async fn faults_connections_to_the_broker_are_cut() {
    let url = shared_broker();
    let address: SocketAddr = "127.0.0.1:5672".parse().expect("an address");
    let proxy = Proxy::to(address).await.expect("a proxy");
    let url = url.replacen(":5672", &format!(":{}", proxy.address().port()), 1);
    let work = Work::begin(Some(shared_database()), Some(url));
    for _ in 0..3 {
        proxy.cut();
        let known = work.executions();
        assert!(work.executions_above(known, RESUME_MAX).is_some(), "work goes on after a cut");
    }
    proxy.refuse();
    proxy.cut();
    std::thread::sleep(OUTAGE);
    proxy.heal();
    work.finish("connections to RabbitMQ cut 4 times, refused for 3 s (store PostgreSQL)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a PostgreSQL cluster of its own; needs WAYSTATION_TEST_RABBITMQ"]
async fn faults_database_beside_a_broker_crashes_and_comes_back() {
    let cluster = Cluster::start(&[]);
    let work = Work::begin(Some(cluster.url()), Some(shared_broker()));
    cluster.crash_and_restart();
    work.finish("PostgreSQL crashed and started again, beside RabbitMQ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a PostgreSQL cluster of its own, needs WAYSTATION_TEST_POSTGRES to say so"]
async fn faults_database_alone_crashes_and_comes_back() {
    let cluster = Cluster::start(&[]);
    let work = Work::begin(Some(cluster.url()), None);
    cluster.crash_and_restart();
    work.finish("PostgreSQL alone crashed and started again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the servers named by WAYSTATION_TEST_RABBITMQ and WAYSTATION_TEST_POSTGRES"]
async fn faults_workers_are_killed_in_turn() {
    let mut work = Work::begin(Some(shared_database()), Some(shared_broker()));
    for _ in 0..6 {
        kill(work.workers.remove(0));
        let worker = waystation(&work.site, &["run", "crash.yaml"]).spawn();
        work.workers.push(worker.expect("it starts"));
        let known = work.executions();
        if known < JOBS * STAGES.len() {
            assert!(work.executions_above(known, RESUME_MAX).is_some(), "work goes on");
        }
    }
    work.finish("a worker of two killed with SIGKILL, 6 times (RabbitMQ with PostgreSQL)").await;
}
