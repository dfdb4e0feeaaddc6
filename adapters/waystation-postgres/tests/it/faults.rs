//! What happens to work when connections break and servers crash in the middle of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use waystation_core::clock::SystemClock;
use waystation_core::event::EventKind;
use waystation_core::job::JobFilter;
use waystation_core::port::{Error, Purpose, Queue, Receive, Store};
use waystation_core::settlement::{NewJob, Settlement};
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::faults::Proxy;
use waystation_testing::sample;

use waystation_testing::servers::Cluster;

const JOBS: usize = 400;
const STAGES: [&str; 3] = ["first", "second", "third"];
/// How often connections are cut.
const CUTS: u64 = 30;
/// Nothing takes longer, however often the connection breaks.
const WORK_MAX: Duration = Duration::from_mins(1);
/// Settling goes on this soon after the server is back.
const RESUME_MAX: Duration = Duration::from_secs(35);
/// What a broken connection took with it is worked on again this soon.
const LEASE: Duration = Duration::from_millis(500);
/// Between tries, as an engine waits. Only a pause, nothing depends on it.
const PAUSE: Duration = Duration::from_millis(20);

/// A store whose connections go through a proxy, on a server of its own.
struct Site {
    cluster: Cluster,
    proxy: Proxy,
    store: Postgres,
}

impl Site {
    async fn start() -> Self {
        let cluster = Cluster::start(&[]);
        let server = SocketAddr::from(([127, 0, 0, 1], cluster.port));
        let proxy = Proxy::to(server).await.expect("a free port");
        let url =
            cluster.url().replace(&cluster.port.to_string(), &proxy.address().port().to_string());
        let options = Options::parse(&url).expect("a good URL");
        let store = Postgres::open(options, Arc::new(SystemClock)).await.expect("it answers");
        Self { cluster, proxy, store }
    }

    /// Submits the jobs a few at a time, however often it fails.
    async fn submit(&self) {
        let ids: Vec<String> = (0..JOBS).map(|number| format!("job-{number:04}")).collect();
        for ids in ids.chunks(20) {
            let jobs = || -> Vec<NewJob> { ids.iter().map(|id| sample::job(id).build()).collect() };
            again(|| self.store.submit(jobs(), None)).await;
        }
    }

    /// Takes every job through one stage after the other, a few at a time, until all have ended.
    /// Settlements are repeated, not the work behind them. Tells `settled` of each that holds.
    async fn work(&self, settled: impl Fn(usize)) {
        let mut ended = 0;
        while ended < JOBS {
            for (place, stage) in STAGES.iter().enumerate() {
                let request = Receive {
                    queue: sample::queue(stage),
                    max: 30,
                    wait: Duration::ZERO,
                    lease: LEASE,
                    purpose: Purpose::Work,
                    together: 1,
                };
                let taken = again(|| self.store.receive(request.clone())).await;
                let next = STAGES.get(place + 1);
                let settlements: Arc<[Settlement]> = taken
                    .iter()
                    .map(|delivery| match next {
                        Some(next) => sample::end(delivery).forward_to(next),
                        None => sample::end(delivery).complete(),
                    })
                    .collect();
                if !settlements.is_empty() {
                    again(|| self.store.settle(Arc::clone(&settlements))).await;
                    settled(settlements.len());
                }
            }
            let counts = again(|| self.store.counts(None)).await;
            let done = counts.iter().filter(|count| count.state == JobState::Completed);
            ended = done.map(|count| count.jobs as usize).sum();
        }
    }

    /// Every job has ended, and took each step once.
    async fn check(&self) {
        let jobs = self.store.jobs(JobFilter { limit: JOBS, ..JobFilter::default() });
        let jobs = jobs.await.expect("it answers");
        assert_eq!(jobs.jobs.len(), JOBS);
        for job in jobs.jobs {
            assert_eq!(job.state, JobState::Completed);
            let mut steps: HashMap<(String, EventKind), usize> = HashMap::new();
            for event in self.store.events(&job.job_id).await.expect("it answers") {
                *steps.entry((event.stage.to_string(), event.kind)).or_default() += 1;
            }
            for stage in STAGES {
                let completed = steps.get(&(stage.to_owned(), EventKind::Completed));
                assert_eq!(completed, Some(&1), "{} at {stage}: {steps:?}", job.job_id);
            }
            let created = steps.get(&(STAGES[0].to_owned(), EventKind::Created));
            assert_eq!(created, Some(&1), "{}: {steps:?}", job.job_id);
        }
    }
}

/// Repeats a call for as long as trying again can help, as the engine does.
async fn again<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> T {
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.retryable(), "{error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_in_the_middle_of_work_lose_and_double_nothing() {
    let site = Site::start().await;
    let cuts = async {
        // Each cut falls into an answer: sooner or later after the one before.
        for bytes in (1..=CUTS).map(|round| 500 + round * 7_919 % 20_000) {
            site.proxy.carried(bytes).await;
            site.proxy.cut();
        }
        std::future::pending::<()>().await;
    };
    let work = async {
        site.submit().await;
        site.work(|_| {}).await;
    };
    timeout(WORK_MAX, async {
        tokio::select! {
            () = work => {}
            () = cuts => unreachable!("it never ends"),
        }
    })
    .await
    .expect("the work ends");
    assert!(site.proxy.connections() > CUTS, "{} connections", site.proxy.connections());
    timeout(WORK_MAX, site.check()).await.expect("it is checked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_cannot_be_reached_is_unavailable_and_healed_ones_serve_again() {
    let site = Site::start().await;
    site.proxy.refuse();
    site.proxy.cut();
    let lost = timeout(WORK_MAX, async {
        loop {
            // The first call may still find the connection as it was.
            if let Err(error) = site.store.submit(vec![sample::job("a").build()], None).await {
                return error;
            }
        }
    });
    let error = lost.await.expect("it is noticed");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    site.proxy.heal();
    site.proxy.delay(Duration::from_millis(30));
    let submit = again(|| site.store.submit(vec![sample::job("b").build()], None));
    timeout(WORK_MAX, submit).await.expect("it serves again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_goes_on_soon_after_a_crash_of_the_server() {
    let site = Arc::new(Site::start().await);
    timeout(WORK_MAX, site.submit()).await.expect("submitted");
    let (settled, mut settles) = tokio::sync::mpsc::unbounded_channel();
    let worker = Arc::clone(&site);
    let work = tokio::spawn(async move {
        worker.work(|_| _ = settled.send(Instant::now())).await;
    });
    let first = timeout(WORK_MAX, settles.recv()).await.expect("in time");
    assert!(first.is_some(), "it settles");
    // Not over before the server is back.
    site.proxy.delay(Duration::from_millis(20));
    let crashing = Arc::clone(&site);
    let crash = tokio::task::spawn_blocking(move || crashing.cluster.crash_and_restart());
    timeout(WORK_MAX, crash).await.expect("in time").expect("it restarts");
    let back = Instant::now();
    site.proxy.heal();
    let resumed = timeout(RESUME_MAX, async {
        while let Some(at) = settles.recv().await {
            if at > back {
                return;
            }
        }
        panic!("nothing was left to be settled after the crash");
    });
    resumed.await.expect("settling goes on");
    timeout(WORK_MAX, work).await.expect("the work ends").expect("it does not panic");
    timeout(WORK_MAX, site.check()).await.expect("it is checked");
}
