//! Behind `PgBouncer` in transaction mode, where every transaction may be another server's
//! connection.

use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;
use waystation_core::clock::SystemClock;
use waystation_core::event::EventKind;
use waystation_core::job::{JobFilter, TaskFilter};
use waystation_core::port::{
    Expected, Finding, Purpose, Put, Queue, Receive, Records, Severity, Store, TaskChange,
    TaskChanged,
};
use waystation_core::settlement::{Settled, Submitted};
use waystation_core::state::JobState;
use waystation_core::statistics::Period;
use waystation_postgres::{Options, Postgres, inspect};
use waystation_testing::sample;

use waystation_testing::servers::{Cluster, free_port, ids_of};

const WAIT_MAX: Duration = Duration::from_secs(30);
const JOBS: usize = 200;
/// Not in everybody's `PATH`.
const PLACES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// A pooler before a server of its own. Two connections are all that it makes there.
struct Pooler {
    process: Child,
    port: u16,
    _folder: TempDir,
    _cluster: Cluster,
}

impl Pooler {
    fn start() -> Self {
        let cluster = Cluster::start(&[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (port, server) = (free_port(), cluster.port);
        let config = format!(
            "[databases]\npostgres = host=127.0.0.1 port={server} user=test\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config).expect("written");
        let places = PLACES.iter().map(|place| format!("{place}/pgbouncer"));
        let program = { places }.find(|path| Path::new(path).exists());
        let mut command = Command::new(program.as_deref().unwrap_or("pgbouncer"));
        command.arg("-q").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        // It does not run as root either.
        if std::fs::metadata("/proc/self")
            .is_ok_and(|ours| std::os::unix::fs::MetadataExt::uid(&ours) == 0)
        {
            let (user, group) = ids_of("postgres");
            chown(folder.path(), Some(user), Some(group)).expect("root may give folders away");
            command.uid(user).gid(group);
        }
        let process = command.spawn().expect("pgbouncer starts: is it installed?");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < WAIT_MAX, "pgbouncer does not listen");
            std::thread::yield_now();
        }
        Self { process, port, _folder: folder, _cluster: cluster }
    }

    fn options(&self, more: &str) -> Options {
        let url = format!("postgres://test@127.0.0.1:{}/postgres?{more}", self.port);
        Options::parse(&url).expect("a good URL")
    }

    async fn open(&self) -> Postgres {
        let options = self.options("pooler=transaction");
        let opened = Postgres::open(options, Arc::new(SystemClock));
        timeout(WAIT_MAX, opened).await.expect("in time").expect("it opens")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn of<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.subject == subject);
    found.unwrap_or_else(|| panic!("nothing about {subject}: {findings:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer (Debian: apt-get install pgbouncer)"]
async fn pgbouncer_in_transaction_mode_serves_two_stores_side_by_side() {
    let pooler = Pooler::start();
    // Side by side, so that connections change hands: both open, migrate and work at once.
    let (submitter, worker) = tokio::join!(pooler.open(), pooler.open());
    let submit = async {
        for number in 0..JOBS {
            let job = sample::job(&format!("job-{number:04}")).build();
            let created = submitter.submit(vec![job], None).await.expect("submitted");
            assert!(matches!(created[..], [Submitted::Created(_)]));
            submitter.counts(None).await.expect("counted");
        }
    };
    let work = async {
        let mut ended = 0;
        while ended < JOBS {
            for stage in ["first", "second"] {
                let (queue, lease) = (sample::queue(stage), Duration::from_mins(1));
                let wait = Duration::from_millis(20);
                let taken = worker
                    .receive(Receive {
                        queue,
                        max: 50,
                        wait,
                        lease,
                        purpose: Purpose::Work,
                        together: 1,
                    })
                    .await;
                let settle = |delivery| match stage {
                    "first" => sample::end(delivery).forward_to("second"),
                    _ => sample::end(delivery).complete(),
                };
                let settlements: Arc<[_]> = taken.expect("received").iter().map(settle).collect();
                ended += if stage == "second" { settlements.len() } else { 0 };
                let settled = worker.settle(settlements).await.expect("settled");
                assert!(settled.iter().all(|one| *one == Settled::Applied));
            }
        }
    };
    timeout(WAIT_MAX, async { tokio::join!(submit, work) }).await.expect("in time");
    for number in 0..JOBS {
        let id = format!("job-{number:04}").as_str().into();
        let job = submitter.job(&id).await.expect("it answers").expect("it is there");
        assert_eq!(job.state, JobState::Completed);
        let events = submitter.events(&id).await.expect("it answers");
        let completed = events.iter().filter(|event| event.kind == EventKind::Completed);
        assert_eq!(completed.count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer (Debian: apt-get install pgbouncer)"]
async fn pgbouncer_is_found_out_and_its_option_is_told() {
    let pooler = Pooler::start();
    let found = inspect(&pooler.options(""), &SystemClock).await.expect("it answers");
    let finding = of(&found, "pooler");
    assert!(finding.refuses(), "{finding}");
    assert!(finding.to_string().contains("pooler=transaction"), "{finding}");
    let found = inspect(&pooler.options("pooler=transaction"), &SystemClock).await;
    let found = found.expect("it answers");
    assert!(!found.iter().any(Finding::refuses), "{found:#?}");
    let finding = of(&found, "pooler");
    assert_eq!(finding.severity, Severity::Warn);
    assert!(finding.message.contains("no notices arrive"), "{finding}");
}

/// A store that others tell nothing sees what they did all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer (Debian: apt-get install pgbouncer)"]
async fn pgbouncer_passes_no_notices_and_waiting_receivers_are_served() {
    let pooler = Pooler::start();
    let (submitter, worker) = (pooler.open().await, pooler.open().await);
    let waiting = tokio::spawn(async move {
        let (queue, lease) = (sample::queue(sample::STAGE), Duration::from_mins(1));
        worker
            .receive(Receive {
                queue,
                max: 1,
                wait: WAIT_MAX,
                lease,
                purpose: Purpose::Work,
                together: 1,
            })
            .await
    });
    submitter.submit(vec![sample::job("a").build()], None).await.expect("submitted");
    let received = timeout(WAIT_MAX, waiting).await.expect("in time").expect("it ends");
    assert_eq!(received.expect("received").len(), 1);
}

/// What others look at is written and read through it as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer (Debian: apt-get install pgbouncer)"]
async fn pgbouncer_carries_records_counts_and_the_feed() {
    let pooler = Pooler::start();
    let store = pooler.open().await;
    let place = store.feed(None, 0).await.expect("it stands somewhere").next;
    store
        .submit(vec![sample::job("a").waiting_at("review").build()], None)
        .await
        .expect("submitted");
    let put = store.put_record("pauses", "a", &json!(1), Expected::Absent, None).await;
    assert!(matches!(put.expect("it is taken"), Put::Kept(_)));
    let again = store.put_record("pauses", "a", &json!(1), Expected::Absent, None).await;
    assert_eq!(again.expect("it is taken"), Put::Conflict);
    let found = store.record("pauses", "a").await.expect("it is looked up");
    assert_eq!(found.expect("it is there").value, json!(1));
    let counted = store.statistics(Period::Ever).await.expect("they are told");
    assert_eq!(counted.len(), 1);
    let feed = store.feed(Some(place), 9).await.expect("the feed is read");
    assert_eq!(feed.events.len(), 1);
    let filter = JobFilter { text: Some("REVIEW".into()), limit: 9, ..JobFilter::default() };
    assert_eq!(store.jobs(filter).await.expect("they are listed").next, None);
    let task = store.tasks(TaskFilter::first(9)).await.expect("they are listed").remove(0);
    let assign = TaskChange::Assign { to: Some("ann".to_owned()) };
    let changed = store.change_task(task.task_id, assign).await.expect("it is assigned");
    assert!(matches!(changed, TaskChanged::Done(task) if task.assignee.is_some()));
}
