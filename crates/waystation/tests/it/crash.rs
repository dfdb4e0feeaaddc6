//! The program killed again and again at random moments: nothing is lost, nothing moves twice.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use waystation::backends;
use waystation::core::event::EventKind;
use waystation::core::job::{JobFilter, PAGE_MAX};
use waystation::core::state::JobState;

use crate::leftovers;

pub const JOBS: usize = 500;
const KILLS: usize = 20;
pub const STAGES: [&str; 3] = ["first", "second", "third"];
/// A killed program lived at least and at most this long, in milliseconds: with a broker it is
/// connected to two servers before it works.
const LIFE_MS: std::ops::Range<u64> = 20..250;
const LIFE_WITH_BROKER_MS: std::ops::Range<u64> = 150..900;

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            leftovers::forget(queue, &["crash.first", "crash.second", "crash.third"]);
        }
    }
}

pub fn pipeline(log: &Path) -> String {
    let command =
        format!("sleep 0.03; echo $WAYSTATION_JOB_ID $WAYSTATION_STAGE >> {}", log.display());
    let stage = |id: &str| {
        format!(
            "  - {{ id: {id}, type: exec, concurrency: 3, max_deliveries: 100,\n      \
             settings: {{ command: '{command}' }} }}\n"
        )
    };
    format!("name: crash\nstages:\n{}", STAGES.map(stage).concat())
}

/// A folder to work in, a store to work on, and a broker beside it where there is one.
pub struct Site {
    pub folder: PathBuf,
    pub store: String,
    pub queue: Option<String>,
}

pub fn waystation(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystation"));
    command.current_dir(&site.folder).args(arguments).args(["--store", &site.store, "--quiet"]);
    if let Some(queue) = &site.queue {
        command.args(["--queue", queue]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

pub fn submit(site: &Site) {
    let mut child = waystation(site, &["submit", "crash.yaml", "--params", "-"])
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    for number in 0..JOBS {
        writeln!(stdin, "{{\"number\":{number}}}").expect("it reads");
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

pub fn kill(mut child: Child) {
    child.kill().expect("SIGKILL is sent");
    child.wait().expect("it is gone");
}

/// How many jobs have completed, as the store tells while no program runs.
pub async fn completed(site: &Site) -> u64 {
    let store = open(site).await.store;
    let counts = store.counts(None).await.expect("readable after a kill");
    counts.iter().filter(|count| count.state == JobState::Completed).map(|count| count.jobs).sum()
}

async fn open(site: &Site) -> waystation::Backend {
    backends::open(&backends::Urls::store(&site.store)).await.expect("the store opens after a kill")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_kills_lose_and_repeat_nothing() {
    kill_again_and_again(None, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server, named by WAYSTATION_TEST_POSTGRES"]
async fn crash_kills_lose_and_repeat_nothing_on_postgres() {
    kill_again_and_again(Some("WAYSTATION_TEST_POSTGRES"), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a RabbitMQ broker, named by WAYSTATION_TEST_RABBITMQ"]
async fn crash_kills_lose_and_repeat_nothing_on_rabbitmq_with_sqlite() {
    kill_again_and_again(None, Some("WAYSTATION_TEST_RABBITMQ")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the servers named by WAYSTATION_TEST_RABBITMQ and WAYSTATION_TEST_POSTGRES"]
async fn crash_kills_lose_and_repeat_nothing_on_rabbitmq_with_postgres() {
    kill_again_and_again(Some("WAYSTATION_TEST_POSTGRES"), Some("WAYSTATION_TEST_RABBITMQ")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the servers named by WAYSTATION_TEST_REDIS and WAYSTATION_TEST_POSTGRES"]
async fn crash_kills_lose_and_repeat_nothing_on_redis_with_postgres() {
    kill_again_and_again(Some("WAYSTATION_TEST_POSTGRES"), Some("WAYSTATION_TEST_REDIS")).await;
}

/// On the servers that these variables name, or on a file.
async fn kill_again_and_again(store: Option<&str>, queue: Option<&str>) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = |variable: &str| std::env::var(variable).expect("a server is named");
    let name = format!("crash_{}", unique());
    let store = match store {
        Some(variable) => format!("{}?schema={name}", server(variable)),
        None => format!("sqlite://{}", folder.path().join("crash.db").display()),
    };
    let queue = queue.map(|variable| format!("{}?prefix={name}.", server(variable)));
    let site = Site { folder: folder.path().to_owned(), store, queue };
    let log = site.folder.join("executions.log");
    std::fs::write(site.folder.join("crash.yaml"), pipeline(&log)).expect("written");
    submit(&site);
    let mut random = fastrand::Rng::with_seed(20);
    let mut in_the_middle = 0;
    // Where a dead process's leases are not seen to be so, they run out soon.
    let run = ["run", "crash.yaml", "--lease-seconds", "1"];
    for _ in 0..KILLS {
        let child = waystation(&site, &run).spawn().expect("it starts");
        // The moment of the kill is what is random here; nothing is waited for.
        let life = if site.queue.is_some() { LIFE_WITH_BROKER_MS } else { LIFE_MS };
        std::thread::sleep(Duration::from_millis(random.u64(life)));
        kill(child);
        in_the_middle += u32::from(completed(&site).await < JOBS as u64);
    }
    let last = waystation(&site, &["run", "crash.yaml", "--until-idle"]).status();
    assert!(last.expect("it ends").success());
    check_store(&site).await;
    let executions = check_log(&log);
    let repeated = executions - JOBS * STAGES.len();
    println!(
        "{KILLS} kills, {in_the_middle} of them with jobs under way: {executions} executions, \
         {repeated} of them repetitions"
    );
    assert!(in_the_middle * 2 >= KILLS as u32, "most kills came too late to mean anything");
}

/// A name that no other run has.
pub fn unique() -> String {
    format!("{}_{:08x}", std::process::id(), fastrand::u32(..))
}

/// Every job is completed, and took each step once.
pub async fn check_store(site: &Site) {
    let store = open(site).await.store;
    let filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
    let jobs = store.jobs(filter).await.expect("listed").jobs;
    assert_eq!(jobs.len(), JOBS);
    for job in jobs {
        assert_eq!(job.state, JobState::Completed, "{job:?}");
        let events = store.events(&job.job_id).await.expect("listed");
        let steps: Vec<_> = events
            .iter()
            .filter(|event| event.kind == EventKind::Completed)
            .map(|event| (event.stage.as_str(), event.visit))
            .collect();
        assert_eq!(steps, [(STAGES[0], 1), (STAGES[1], 2), (STAGES[2], 3)], "{}", job.job_id);
    }
}

/// Every stage ran for every job; gives how often anything ran.
pub fn check_log(log: &Path) -> usize {
    let text = std::fs::read_to_string(log).expect("the stages wrote it");
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        *runs.entry(line).or_default() += 1;
    }
    assert_eq!(runs.len(), JOBS * STAGES.len(), "a stage never ran for a job");
    runs.values().sum()
}
