//! Sources: when they look, who looks, and that nothing they find is lost or doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use waystation_core::Params;
use waystation_core::clock::{Clock, SystemClock, Timestamp};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::job::{JobFilter, PAGE_MAX};
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::source::{Discovery, Item, Source};
use waystation_engine::sources::{Ask, Crawl, CrawlPage, CrawlState, SourceId, Start};
use waystation_engine::{Backend, Client, Engine, Handle, Options, Registry};
use waystation_memory::Memory;
use waystation_testing::{FakeClock, TimerClock};

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A list that grows at its end; the checkpoint is how much of it was found.
#[derive(Clone)]
struct Listing {
    items: Arc<Mutex<Vec<String>>>,
    batch: usize,
    looks: Arc<AtomicU32>,
    /// When each look began, by the clock.
    moments: Arc<Mutex<Vec<Timestamp>>>,
    clock: Arc<dyn Clock>,
    fails: Arc<AtomicU32>,
    /// Where there is one, each batch waits for a permit of it.
    gate: Option<Arc<Semaphore>>,
}

impl Listing {
    fn new(clock: Arc<dyn Clock>, count: usize, batch: usize) -> Self {
        let items = (0..count).map(|number| format!("item {number}")).collect();
        Self {
            items: Arc::new(Mutex::new(items)),
            batch,
            looks: Arc::default(),
            moments: Arc::default(),
            clock,
            fails: Arc::default(),
            gate: None,
        }
    }

    fn looks(&self) -> u32 {
        self.looks.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Source for Listing {
    async fn discover(&self, checkpoint: Option<Value>) -> Result<Discovery, Failure> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.moments.lock().expect("sound").push(self.clock.now());
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("it is open").forget();
        }
        tokio::task::yield_now().await;
        if self.fails.load(Ordering::SeqCst) > 0 {
            self.fails.fetch_sub(1, Ordering::SeqCst);
            return Err(Failure::new(ErrorKind::Transient, "the list is away"));
        }
        let from = checkpoint.as_ref().and_then(Value::as_u64).unwrap_or(0) as usize;
        let items = self.items.lock().expect("sound");
        let to = items.len().min(from + self.batch);
        let found = items[from.min(to)..to].iter().map(|name| {
            let mut params = Params::new();
            params.insert("name".into(), json!(name));
            Item { id: name.clone(), params }
        });
        let found = found.collect();
        let checkpoint = Some(json!(to));
        Ok(Discovery { items: found, checkpoint, more: to < items.len(), ..Discovery::default() })
    }
}

/// Sources by type; what they find waits for a person.
struct Sources(BTreeMap<&'static str, Listing>);

impl Catalog for Sources {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "manual" => Some(StageKind::Manual),
            other => self.0.get(other).map(|_| StageKind::Source),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        let source = self.0.get(stage.kind.as_str());
        let source = source.map(|source| Executor::Source(Arc::new(source.clone())));
        Ok(source.unwrap_or(Executor::Manual))
    }
}

/// One host: what it knows of a backend that it shares with others.
struct Host {
    client: Client,
    definition: Arc<waystation_engine::Definition>,
}

impl Host {
    async fn new(backend: &Backend, pipeline: &str, sources: &[(&'static str, &Listing)]) -> Self {
        let sources = sources.iter().map(|(name, source)| (*name, (*source).clone())).collect();
        let catalog = Arc::new(Sources(sources));
        let registry = Registry::new(Arc::clone(&backend.store), catalog, Arc::new(|_| None));
        let definition = registry.install("test", pipeline).await.expect("a good pipeline");
        Self { client: Client::new(backend.clone(), registry), definition }
    }

    async fn start(&self, options: Options) -> Handle {
        let (backend, registry) = (self.client.backend().clone(), self.client.registry().clone());
        let definition = Arc::clone(&self.definition);
        Engine::start(backend, registry, definition, options).await.expect("started")
    }

    /// The source's crawls, oldest first.
    async fn crawls(&self) -> Vec<Crawl> {
        let page = CrawlPage { before: None, limit: PAGE_MAX };
        let mut crawls = self.client.crawls(&find(), page).await.expect("readable");
        crawls.reverse();
        crawls
    }

    /// The names of all jobs, each of which is one of its own.
    async fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
        loop {
            let page = self.client.backend().store.jobs(filter.clone()).await.expect("readable");
            for job in page.jobs {
                let name = job.params["name"].as_str().expect("a name").to_owned();
                assert!(names.insert(name.clone()), "{name} is there twice");
            }
            if page.next.is_none() {
                return names;
            }
            filter.before = page.next;
        }
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let mut signals = self.client.backend().bus.subscribe();
        let waiting = async {
            while !holds().await {
                let look_again = Duration::from_millis(20);
                let _ = tokio::time::timeout(look_again, signals.next()).await;
            }
        };
        tokio::time::timeout(WAIT_MAX, waiting).await.unwrap_or_else(|_| panic!("not so: {what}"));
    }
}

fn backend<C: Clock + Clone + 'static>(clock: &C) -> Backend {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    Backend::whole(Memory::new(Arc::clone(&clock)), clock)
}

fn find() -> SourceId {
    SourceId { pipeline: "test".into(), stage: "find".into() }
}

fn chain(schedule: &str) -> String {
    format!(
        "name: test\nstages:\n  - {{ id: find, type: list, schedule: {schedule} }}\n  \
         - {{ id: check, type: manual }}\nroutes: [{{ from: find, to: check }}]"
    )
}

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

/// A whole day on two hosts, of two workers each: the night in which the clocks of Rome go back.
#[tokio::test(start_paused = true)]
async fn each_source_is_crawled_once_when_it_is_due_by_however_many_workers() {
    let clock = TimerClock::at(moment("2026-10-24T22:00:00Z"));
    let backend = backend(&clock);
    let shared: Arc<dyn Clock> = Arc::new(clock);
    let listings: Vec<Listing> = (0..4).map(|_| Listing::new(shared.clone(), 3, 2)).collect();
    let types = ["often", "hourly", "nightly", "never"];
    let sources: Vec<_> = types.iter().copied().zip(&listings).collect();
    let pipeline = "
name: test
stages:
  - { id: often, type: often, schedule: { every_seconds: 300 } }
  - { id: hourly, type: hourly, schedule: { cron: '5 * * * *', time_zone: Europe/Rome } }
  - { id: nightly, type: nightly, schedule: { cron: '30 2 * * *', time_zone: Europe/Rome } }
  - { id: never, type: never, schedule: on_demand }
  - { id: check, type: manual }
routes:
  - { from: often, to: check }
  - { from: hourly, to: check }
  - { from: nightly, to: check }
  - { from: never, to: check }";
    let mut engines = Vec::new();
    for _ in 0..4 {
        let host = Host::new(&backend, pipeline, &sources).await;
        engines.push((host.start(Options::default()).await, host));
    }
    tokio::time::sleep(Duration::from_mins(24 * 60 + 1)).await;
    for (engine, _) in &engines {
        engine.stop();
    }
    let host = &engines[0].1;
    let id = |stage: &str| SourceId { pipeline: "test".into(), stage: stage.into() };
    let mut crawls = BTreeMap::new();
    for name in types {
        let page = CrawlPage { before: None, limit: PAGE_MAX };
        crawls.insert(name, host.client.crawls(&id(name), page).await.expect("readable"));
    }
    let counts: Vec<_> = types.iter().map(|name| crawls[name].len()).collect();
    // The day has 25 hours, of which 24 pass.
    assert_eq!(counts, [24 * 12 + 1, 24, 1, 0]);
    assert_eq!(crawls["nightly"][0].started_at.to_string(), "2026-10-25T00:30:00.000Z");
    let workers: BTreeSet<_> = crawls["often"].iter().map(|crawl| &crawl.worker_id).collect();
    assert!(workers.len() > 1, "one worker does all of it: {workers:?}");
    let first = crawls["often"].last().expect("the first");
    assert_eq!((first.tally.found, first.tally.new, first.to.clone()), (3, 3, Some(json!(3))));
    assert!(crawls["often"].iter().all(|crawl| crawl.state == CrawlState::Completed));
    for (engine, _) in engines {
        engine.join().await.expect("it ends well");
    }
}

/// A crawler that stands still until its lock has expired writes nothing any more.
#[tokio::test]
async fn stalled_crawler_whose_lock_expired_writes_neither_jobs_nor_checkpoint() {
    let clock = FakeClock::new();
    let backend = backend(&clock);
    let mut stalled = Listing::new(clock.shared(), 4, 4);
    let gate = Arc::new(Semaphore::new(0));
    stalled.gate = Some(Arc::clone(&gate));
    let lively = Listing { gate: None, ..stalled.clone() };
    // Its lock is renewed so seldom that it never is in this test.
    let seldom = Options { source_lock: Duration::from_hours(1), ..Options::default() };
    let first = Host::new(&backend, &chain("on_demand"), &[("list", &stalled)]).await;
    let second = Host::new(&backend, &chain("on_demand"), &[("list", &lively)]).await;
    let ask = Ask { by: "ann".into(), ..Ask::default() };
    first.client.crawl(&find(), ask.clone()).await.expect("asked");
    let stalls = first.start(seldom.clone()).await;
    first.until("it looks", async || stalled.looks() == 1).await;

    clock.advance(Duration::from_hours(2));
    let takes_over = second.start(seldom).await;
    let through = async || {
        let crawls = second.crawls().await;
        crawls.len() == 2 && crawls[1].state == CrawlState::Completed
    };
    second.until("somebody else crawls", through).await;
    assert_eq!(second.names().await.len(), 4);
    {
        let mut items = stalled.items.lock().expect("sound");
        items.push("item 4".into());
    }
    gate.add_permits(10);
    let refused = async || first.crawls().await[0].state == CrawlState::Interrupted;
    first.until("the stalled one is refused", refused).await;
    assert_eq!(second.names().await.len(), 4, "what it found late is not written");
    let checkpoint = backend.store.checkpoint("test/find").await.expect("readable");
    assert_eq!(checkpoint, Some(json!(4)));
    for engine in [stalls, takes_over] {
        engine.stop();
        engine.join().await.expect("it ends well");
    }
}

/// Engines are dropped in the middle of crawls, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crawlers_that_are_killed_anywhere_neither_lose_nor_double_an_item() {
    let clock = SystemClock;
    let backend = backend(&clock);
    let listing = Listing::new(Arc::new(clock), 5_000, 50);
    let options = Options { source_lock: Duration::from_millis(60), ..Options::default() };
    let pipeline = chain("{ every_seconds: 0.01 }");
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20 {
        let host = Host::new(&backend, &pipeline, &[("list", &listing)]).await;
        // A runtime of its own ends as a process does: wherever it is.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let options = options.clone();
        let started = runtime.spawn(async move { host.start(options).await });
        let _engine = started.await.expect("started");
        let lives = Duration::from_micros(random.u64(200..9_000));
        tokio::time::sleep(lives).await;
        runtime.shutdown_background();
    }
    let host = Host::new(&backend, &pipeline, &[("list", &listing)]).await;
    let engine = host.start(options).await;
    let all_there = async || {
        let checkpoint = backend.store.checkpoint("test/find").await.expect("readable");
        checkpoint == Some(json!(5_000))
    };
    host.until("everything is found", all_there).await;
    engine.stop();
    engine.join().await.expect("it ends well");
    assert_eq!(host.names().await.len(), 5_000);
    let interrupted =
        host.crawls().await.iter().filter(|crawl| crawl.state != CrawlState::Completed).count();
    assert!(interrupted > 0, "no crawl was cut short, so that nothing was shown");
}

#[tokio::test]
async fn whoever_asks_has_it_look_now_from_where_they_say() {
    let clock = SystemClock;
    let backend = backend(&clock);
    let listing = Listing::new(Arc::new(clock), 3, 10);
    let host = Host::new(&backend, &chain("on_demand"), &[("list", &listing)]).await;
    let engine = host.start(Options::default()).await;
    let ask = Ask { by: "ann".into(), ..Ask::default() };
    let cases = [
        (ask.clone(), (3, 3, 0)),
        (ask.clone(), (0, 0, 0)),
        (Ask { from: Some(Start::Beginning), ..ask.clone() }, (3, 0, 3)),
        (Ask { from: Some(Start::Checkpoint(json!(1))), ..ask.clone() }, (2, 0, 2)),
        (Ask { from: Some(Start::Checkpoint(json!(1))), again: true, ..ask }, (2, 2, 0)),
    ];
    for (number, (ask, (found, new, skipped))) in cases.into_iter().enumerate() {
        host.client.crawl(&find(), ask).await.expect("asked");
        let through = async || {
            let crawls = host.crawls().await;
            crawls.get(number).is_some_and(|crawl| crawl.state == CrawlState::Completed)
        };
        host.until("it looked", through).await;
        let crawl = &host.crawls().await[number];
        let tally = (crawl.tally.found, crawl.tally.new, crawl.tally.skipped);
        assert_eq!((tally, crawl.by.as_deref()), ((found, new, skipped), Some("ann")), "{number}");
        let done = async || host.client.source(&find()).await.expect("known").ask.is_none();
        host.until("what was asked is done", done).await;
    }
    let unknown = SourceId { stage: "other".into(), ..find() };
    let error = host.client.crawl(&unknown, Ask::default()).await.expect_err("there is none");
    assert_eq!(error.to_string(), "pipeline `test` has no source `other` (its sources: find)");
    engine.stop();
    engine.join().await.expect("it ends well");
}

/// What became no job is told with the reason, and is in nobody's way.
#[tokio::test]
async fn items_that_become_no_jobs_stand_in_the_crawl_and_stop_no_other() {
    const BYTES_MAX: usize = 64 * 1024;
    let clock = SystemClock;
    let memory = Memory::new(Arc::new(clock)).with_payload_bytes_max(BYTES_MAX);
    let backend = Backend::whole(memory, Arc::new(clock));
    let listing = Listing::new(Arc::new(clock), 4, 10);
    listing.items.lock().expect("sound")[1] = "x".repeat(BYTES_MAX);
    let host = Host::new(&backend, &chain("on_demand"), &[("list", &listing)]).await;
    let engine = host.start(Options::default()).await;
    host.client.crawl(&find(), Ask::default()).await.expect("asked");
    let through = async || {
        let crawls = host.crawls().await;
        crawls.first().is_some_and(|crawl| crawl.state == CrawlState::Completed)
    };
    host.until("it looked", through).await;
    let tally = host.crawls().await.remove(0).tally;
    assert_eq!((tally.found, tally.new, tally.skipped, tally.failed), (4, 3, 0, 1));
    let [fault] = tally.faults.as_slice() else { panic!("one is told of: {tally:?}") };
    assert!(fault.item.starts_with("xxx"), "{}", &fault.item[..20]);
    assert!(fault.message.ends_with("bytes, more than the 65536 allowed"), "{}", fault.message);
    assert_eq!(host.names().await.len(), 3);
    engine.stop();
    engine.join().await.expect("it ends well");
}

/// A source that fails is tried again sooner than its schedule says, and says so meanwhile.
#[tokio::test(start_paused = true)]
async fn a_look_that_failed_is_tried_again_soon() {
    let clock = TimerClock::at(moment("2026-06-01T00:00:00Z"));
    let backend = backend(&clock);
    let listing = Listing::new(Arc::new(clock), 1, 10);
    let daily = chain("{ cron: '0 6 * * *' }");
    let host = Host::new(&backend, &daily, &[("list", &listing)]).await;
    let engine = host.start(Options::default()).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    listing.fails.store(2, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_mins(5 * 60 + 2)).await;
    let standing = host.client.source(&find()).await.expect("known");
    assert_eq!(standing.failures, 2);
    let last = standing.last.expect("it looked");
    assert_eq!(last.state, CrawlState::Failed);
    assert!(last.failure.as_deref().is_some_and(|why| why.contains("the list is away")));
    tokio::time::sleep(Duration::from_hours(1)).await;
    let minutes: Vec<_> = listing.moments.lock().expect("sound").iter().copied().collect();
    let six = moment("2026-06-01T06:00:00Z");
    let after: Vec<u64> = minutes.iter().map(|moment| moment.since(six).as_secs() / 60).collect();
    assert_eq!(after, [0, 1, 3]);
    let standing = host.client.source(&find()).await.expect("known");
    assert_eq!(standing.failures, 0);
    assert_eq!(standing.due_at, Some(moment("2026-06-02T06:00:00Z")));
    engine.stop();
    engine.join().await.expect("it ends well");
}
