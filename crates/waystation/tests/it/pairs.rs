//! The same pipeline on each queue and store that we claim to run on: the whole engine, by URL
//! alone, against the real servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use waystation::backends::Urls;
use waystation::core::event::EventKind;
use waystation::core::failure::ErrorKind;
use waystation::core::handler::typed;
use waystation::core::id::{JobId, Label};
use waystation::core::job::JobRecord;
use waystation::core::port::Abort;
use waystation::core::state::JobState;
use waystation::engine::Engine;
use waystation::engine::decide::Answer;
use waystation::{App, Completion, Context, Failure, Handler, OpenApp, Options, Params};
use waystation_testing::faults::{Call, Flaky, Moment};

use crate::leftovers;

/// Nothing takes longer than this.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// Where an app's jobs are.
pub struct Pair {
    store: String,
    queue: Option<String>,
    _folder: tempfile::TempDir,
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server: `cargo xtask services up` starts one")
    })
}

impl Pair {
    pub fn new(store: &str, queue: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!("pair_{}_{:08x}", std::process::id(), fastrand::u32(..));
        let store = match store {
            "sqlite" => format!("sqlite://{}", folder.path().join("pair.db").display()),
            "postgres" => format!("{}?schema={name}", server("WAYSTATION_TEST_POSTGRES")),
            other => panic!("no store {other}"),
        };
        let queue = queue.map(|queue| match queue {
            "rabbitmq" => format!("{}?prefix={name}.", server("WAYSTATION_TEST_RABBITMQ")),
            "redis" => format!("{}?prefix={name}.", server("WAYSTATION_TEST_REDIS")),
            other => panic!("no queue {other}"),
        });
        Self { store, queue, _folder: folder }
    }

    /// What opens it.
    pub fn urls(&self) -> Urls {
        Urls { queue: self.queue.clone(), ..Urls::store(&self.store) }
    }

    /// The variables by which the program finds it.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let queue = self.queue.as_deref().map(|queue| ("WAYSTATION_QUEUE", queue));
        [("WAYSTATION_STORE", self.store.as_str())].into_iter().chain(queue)
    }

    pub fn has_broker(&self) -> bool {
        self.queue.is_some()
    }

    /// Its URL, and where it listens.
    pub fn broker(&self) -> (&str, SocketAddr) {
        let url = self.queue.as_deref().expect("a broker");
        let host = url.rsplit_once('@').map_or(url, |(_, host)| host);
        let host = host.split("//").last().and_then(|host| host.split(['/', '?']).next());
        (url, host.and_then(|host| host.parse().ok()).expect("an address and a port"))
    }

    pub fn app(&self, name: &str) -> App {
        let app = App::new(name).store(&self.store);
        match &self.queue {
            Some(queue) => app.queue(queue),
            None => app,
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            leftovers::forget(queue, &QUEUES);
        }
    }
}

/// The queues of all scenarios.
const QUEUES: [&str; 20] = [
    "family.cut",
    "family.measure",
    "family.sum",
    "walk.judge",
    "walk.finish",
    "flaky.flaky",
    "abort.work",
    "running.patient",
    "stop.work",
    "long.work",
    "broken.work",
    "served.work",
    "served.far",
    "load.first",
    "load.second",
    "passing.long",
    "passing.broken",
    "passing.last",
    "ordered.apply",
    "aside.apply",
];

/// One test a scenario and pair: `on_pairs!([sqlite, postgres] { one_scenario, another })`.
macro_rules! on_pairs {
    ([$($pair:ident),*] $scenarios:tt) => {
        $($crate::pairs::on_pairs!(@ $pair $scenarios);)*
    };
    (@ sqlite $scenarios:tt) => {
        $crate::pairs::on_pairs!(@ sqlite: "sqlite", None, [] $scenarios);
    };
    (@ postgres $scenarios:tt) => {
        $crate::pairs::on_pairs! {
            @ postgres: "postgres", None,
            [#[ignore = "needs the server named by WAYSTATION_TEST_POSTGRES"]] $scenarios
        }
    };
    (@ rabbitmq_with_sqlite $scenarios:tt) => {
        $crate::pairs::on_pairs! {
            @ rabbitmq_with_sqlite: "sqlite", Some("rabbitmq"),
            [#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]] $scenarios
        }
    };
    (@ rabbitmq_with_postgres $scenarios:tt) => {
        $crate::pairs::on_pairs! {
            @ rabbitmq_with_postgres: "postgres", Some("rabbitmq"),
            [#[ignore = "needs the servers of WAYSTATION_TEST_RABBITMQ and _POSTGRES"]] $scenarios
        }
    };
    (@ redis_with_sqlite $scenarios:tt) => {
        $crate::pairs::on_pairs! {
            @ redis_with_sqlite: "sqlite", Some("redis"),
            [#[ignore = "needs the server named by WAYSTATION_TEST_REDIS"]] $scenarios
        }
    };
    (@ redis_with_postgres $scenarios:tt) => {
        $crate::pairs::on_pairs! {
            @ redis_with_postgres: "postgres", Some("redis"),
            [#[ignore = "needs the servers of WAYSTATION_TEST_REDIS and _POSTGRES"]] $scenarios
        }
    };
    (@ $pair:ident: $store:literal, $queue:expr, $ignored:tt { $($scenario:ident),* $(,)? }) => {
        mod $pair {
            $($crate::pairs::on_pairs!(@@ $store, $queue, $ignored $scenario);)*
        }
    };
    (@@ $store:literal, $queue:expr, [$($ignored:tt)*] $scenario:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $($ignored)*
        async fn $scenario() {
            super::$scenario(&$crate::pairs::Pair::new($store, $queue)).await;
        }
    };
}
pub(crate) use on_pairs;

on_pairs!(
    [sqlite, postgres, rabbitmq_with_sqlite, rabbitmq_with_postgres, redis_with_postgres] {
        job_goes_through_code_and_people_to_its_end,
        failing_job_is_tried_again_then_lies_with_the_dead_letters,
        waiting_job_is_aborted_when_a_worker_meets_it,
        running_job_is_aborted,
        what_runs_at_a_shutdown_is_handed_back_uncounted,
        long_attempt_is_shown_as_running,
        what_a_broken_engine_had_goes_on_in_the_same_process,
        job_becomes_several_and_one_again,
        stages_are_passed_by_and_failures_let_pass,
    }
);

async fn until(app: &OpenApp, job_id: &JobId, state: JobState) -> JobRecord {
    let reaching = async {
        let mut signals = app.client().backend().bus.subscribe();
        loop {
            let job = app.job(job_id).await.expect("the job is known");
            if job.state == state {
                return job;
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), signals.next()).await;
        }
    };
    if let Ok(job) = tokio::time::timeout(WAIT_MAX, reaching).await {
        return job;
    }
    panic!("not {state} in time: {:?}", app.job(job_id).await)
}

async fn idle(app: &OpenApp) {
    let worked = tokio::time::timeout(WAIT_MAX, app.run_until_idle()).await;
    worked.expect("idle in time").expect("the engine ends well");
}

async fn timeline(app: &OpenApp, job_id: &JobId) -> Vec<(String, EventKind, u32)> {
    let events = app.client().backend().store.events(job_id).await.expect("listed");
    events.into_iter().map(|one| (one.stage.to_string(), one.kind, one.attempt)).collect()
}

async fn job_goes_through_code_and_people_to_its_end(pair: &Pair) {
    let app = pair.app("walk");
    let judge = |_: Context, params: Params| async move {
        let label = if params["n"].as_i64() > Some(1) { "ko" } else { "ok" };
        let mut output = Params::new();
        output.insert("judged".to_owned(), json!(true));
        Ok::<_, Failure>(Completion { output, label: Label::from(label) })
    };
    let app = app
        .handler("judge", Arc::new(Judge(judge)))
        .settings(json!({ "id": "check", "type": "manual", "form": { "fine": "boolean" } }))
        .stage("finish", |_, params: Value| async move {
            Ok::<_, Failure>(json!({ "seen": params["fine"] }))
        })
        .open()
        .await
        .expect("it opens");
    let job = app.submit(json!({ "n": 1, "kept": [1, 2] })).await.expect("submitted");
    idle(&app).await;
    assert_eq!(app.job(&job).await.expect("known").state, JobState::Waiting);
    let tasks = app
        .client()
        .backend()
        .store
        .tasks(waystation_core::job::TaskFilter::first(9))
        .await
        .expect("listed");
    let [task] = &tasks[..] else { panic!("one task, not {tasks:?}") };
    let fields = json!({ "fine": true }).as_object().cloned().expect("an object");
    let answer = Answer { fields, by: Some("somebody".to_owned()) };
    app.client().answer(task.task_id, answer).await.expect("answered");
    idle(&app).await;
    let record = app.job(&job).await.expect("known");
    assert_eq!((record.state, record.stage.as_str()), (JobState::Completed, "finish"));
    let params = json!({ "n": 1, "kept": [1, 2], "judged": true, "fine": true, "seen": true });
    assert_eq!(Value::Object(record.params), params);
    let told = timeline(&app, &job).await;
    let told: Vec<_> = told.iter().map(|(stage, kind, _)| (stage.as_str(), *kind)).collect();
    let expected = [
        ("judge", EventKind::Created),
        ("judge", EventKind::Started),
        ("judge", EventKind::Completed),
        ("check", EventKind::Waiting),
        ("check", EventKind::Completed),
        ("finish", EventKind::Started),
        ("finish", EventKind::Completed),
    ];
    assert_eq!(told, expected);
}

/// A handler made of a function over params.
struct Judge<F>(F);

#[async_trait::async_trait]
impl<F, Fut> Handler for Judge<F>
where
    F: Fn(Context, Params) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Completion, Failure>> + Send,
{
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        (self.0)(context, params).await
    }
}

async fn failing_job_is_tried_again_then_lies_with_the_dead_letters(pair: &Pair) {
    let [calls, orders] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let (counted, ordered) = (Arc::clone(&calls), Arc::clone(&orders));
    let flaky = typed(move |context: Context, _: Value| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let ordered = Arc::clone(&ordered);
        async move {
            let order = || async { Ok(ordered.fetch_add(1, Ordering::SeqCst) + 1) };
            assert_eq!(context.step("order", order).await?, 1);
            if call <= 3 {
                return Err(Failure::transient(format!("no network at call {call}")));
            }
            Ok(json!({ "calls": call }))
        }
    });
    let retry = json!({ "retry": { "max_retries": 2, "delay_seconds": 0.15, "backoff": "fixed" } });
    let app = pair.app("flaky").handler_with("flaky", Arc::new(flaky), retry);
    let app = app.open().await.expect("it opens");
    let job = app.submit(json!({})).await.expect("submitted");
    idle(&app).await;
    let record = app.job(&job).await.expect("known");
    assert_eq!(record.state, JobState::Failed);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let failure = record.failure.expect("a reason");
    assert_eq!(failure.message, "no network at call 3");
    assert_eq!((failure.stage, failure.attempt), (Some("flaky".into()), Some(3)));
    let letters = app
        .client()
        .backend()
        .store
        .dead_letters(waystation_core::job::DeadLetterFilter::of_job(&job))
        .await
        .expect("listed");
    assert_eq!(letters.len(), 1);

    app.client().retry(&job).await.expect("tried again");
    idle(&app).await;
    let record = app.job(&job).await.expect("known");
    assert_eq!((record.state, &record.params["calls"]), (JobState::Completed, &json!(4)));
    assert_eq!(orders.load(Ordering::SeqCst), 1, "a step that is done is not done again");
    let told = timeline(&app, &job).await;
    let told: Vec<_> = told.iter().map(|(_, kind, attempt)| (*kind, *attempt)).collect();
    let expected = [
        (EventKind::Created, 1),
        (EventKind::Started, 1),
        (EventKind::Retried, 1),
        (EventKind::Started, 2),
        (EventKind::Retried, 2),
        (EventKind::Started, 3),
        (EventKind::Failed, 3),
        (EventKind::Requeued, 3),
        (EventKind::Started, 1),
        (EventKind::Completed, 1),
    ];
    assert_eq!(told, expected);
}

async fn waiting_job_is_aborted_when_a_worker_meets_it(pair: &Pair) {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let app = pair
        .app("abort")
        .stage("work", move |_, _: Value| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Failure>(json!({})) }
        })
        .open()
        .await
        .expect("it opens");
    let job = app.submit(json!({})).await.expect("submitted");
    // Only what carries jobs to a broker runs here.
    let nobody = Options { stages: Some(Vec::new()), ..Options::default() };
    let carrying = app.start(nobody).await.expect("started");
    carried(&app).await;
    let aborted = app.client().abort(&job, "not wanted").await.expect("asked");
    let at_once = pair.queue.is_none();
    assert_eq!(aborted, if at_once { Abort::Done } else { Abort::Requested });
    let engine = app.start(Options::default()).await.expect("started");
    let record = until(&app, &job, JobState::Aborted).await;
    let failure = record.failure.expect("a reason");
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Aborted, "not wanted"));
    for handle in [engine, carrying] {
        handle.stop();
        handle.join().await.expect("ended");
    }
}

/// Until nothing waits in the store for a courier.
async fn carried(app: &OpenApp) {
    let Some(books) = &app.client().backend().books else { return };
    let carrying = async {
        loop {
            let depth = books.ledger.depth(&"abort.work".into()).await.expect("depth");
            if depth.ready + depth.leased == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, carrying).await.expect("carried in time");
}

/// Waits for its cancellation, and tells when it begins.
struct Patient {
    began: Arc<Notify>,
}

#[async_trait::async_trait]
impl Handler for Patient {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        self.began.notify_one();
        context.cancellation.cancelled().await;
        Err(Failure::transient("cancelled"))
    }
}

async fn running_job_is_aborted(pair: &Pair) {
    let began = Arc::new(Notify::new());
    let patient = Arc::new(Patient { began: Arc::clone(&began) });
    let app = pair.app("running").handler("patient", patient).open().await.expect("it opens");
    let job = app.submit(json!({})).await.expect("submitted");
    let engine = app.start(Options::default()).await.expect("started");
    tokio::time::timeout(WAIT_MAX, began.notified()).await.expect("it runs in time");
    let aborted = app.client().abort(&job, "not wanted").await.expect("asked");
    assert_eq!(aborted, Abort::Requested);
    let record = until(&app, &job, JobState::Aborted).await;
    assert_eq!(record.failure.expect("a reason").message, "not wanted");
    engine.stop();
    engine.join().await.expect("ended");
}

async fn what_runs_at_a_shutdown_is_handed_back_uncounted(pair: &Pair) {
    let began = Arc::new(Notify::new());
    let patient = Arc::new(Patient { began: Arc::clone(&began) });
    let app = pair.app("stop").handler("work", patient).open().await.expect("it opens");
    let job = app.submit(json!({})).await.expect("submitted");
    let hurried = Options {
        drain: Duration::from_millis(50),
        grace: Duration::from_millis(50),
        ..Options::default()
    };
    for _ in 0..3 {
        let engine = app.start(hurried.clone()).await.expect("started");
        tokio::time::timeout(WAIT_MAX, began.notified()).await.expect("it runs in time");
        engine.stop();
        engine.join().await.expect("ended");
    }
    let deliveries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&deliveries);
    let calm = pair
        .app("stop")
        .stage("work", move |context: Context, _: Value| {
            seen.store(context.attempt as usize, Ordering::SeqCst);
            async { Ok::<_, Failure>(json!({ "done": true })) }
        })
        .open()
        .await
        .expect("it opens");
    idle(&calm).await;
    let record = calm.job(&job).await.expect("known");
    assert_eq!(record.state, JobState::Completed);
    assert_eq!(deliveries.load(Ordering::SeqCst), 1, "no attempt was burnt");
}

async fn long_attempt_is_shown_as_running(pair: &Pair) {
    let began = Arc::new(Notify::new());
    let patient = Arc::new(Patient { began: Arc::clone(&began) });
    let app = pair.app("long").handler("work", patient).open().await.expect("it opens");
    let job = app.submit(json!({})).await.expect("submitted");
    let engine = app.start(Options::default()).await.expect("started");
    let record = until(&app, &job, JobState::Running).await;
    assert!(record.running_since.is_some());
    app.client().abort(&job, "enough").await.expect("asked");
    until(&app, &job, JobState::Aborted).await;
    engine.stop();
    engine.join().await.expect("ended");
}

async fn stages_are_passed_by_and_failures_let_pass(pair: &Pair) {
    let marks = |name: &'static str| {
        Arc::new(typed(move |_, _: Value| async move { Ok::<_, Failure>(json!({ name: true })) }))
    };
    let breaks = typed(|_, _: Value| async {
        Err::<Value, _>(Failure::new(ErrorKind::Permanent, "no such page"))
    });
    let app = pair
        .app("passing")
        .handler_with("long", marks("long"), json!({ "when": "pages > 3" }))
        .handler_with("broken", Arc::new(breaks), json!({ "on_failure": "pass" }))
        .handler_with("last", marks("last"), json!({}));
    let app = app.open().await.expect("it opens");
    let mut jobs = Vec::new();
    for pages in [1, 9] {
        jobs.push(app.submit(json!({ "pages": pages })).await.expect("submitted"));
    }
    idle(&app).await;
    for (job, expected) in jobs.iter().zip([
        json!({ "pages": 1, "last": true }),
        json!({ "pages": 9, "long": true, "last": true }),
    ]) {
        let record = until(&app, job, JobState::Completed).await;
        assert_eq!(json!(record.params), expected);
    }
    let told = timeline(&app, &jobs[0]).await;
    let skipped = told.iter().filter(|(_, kind, _)| *kind == EventKind::Skipped);
    assert_eq!(skipped.map(|(stage, ..)| stage.as_str()).collect::<Vec<_>>(), ["long"]);
}

async fn what_a_broken_engine_had_goes_on_in_the_same_process(pair: &Pair) {
    let began = Arc::new(Notify::new());
    let (begin, calls) = (Arc::clone(&began), AtomicUsize::new(0));
    // The first attempt never ends.
    let work = typed(move |_, _: Value| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        let begin = Arc::clone(&begin);
        async move {
            if first {
                begin.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(json!({}))
        }
    });
    let app = pair.app("broken").handler_with("work", Arc::new(work), json!({ "concurrency": 2 }));
    let app = app.open().await.expect("it opens");
    let mut backend = app.client().backend().clone();
    let flaky = Flaky::new(Arc::clone(&backend.queue));
    flaky.fail(Call::Settle, Moment::ForGood, 1);
    backend.queue = Arc::new(flaky);
    let registry = app.client().registry().clone();
    let definition = registry.version(&"broken".into(), 1).await.expect("it is installed");
    // Where leases run out by themselves, that is soon.
    let short = Options { lease: Duration::from_secs(1), ..Options::default() };
    let engine = Engine::start(backend, registry, definition, short).await.expect("started");
    let running = app.submit(json!({})).await.expect("submitted");
    tokio::time::timeout(WAIT_MAX, began.notified()).await.expect("it runs in time");
    let unsettled = app.submit(json!({})).await.expect("submitted");
    let ended = tokio::time::timeout(WAIT_MAX, engine.join()).await.expect("it ends in time");
    ended.expect_err("it cannot settle");
    idle(&app).await;
    for job in [running, unsettled] {
        assert_eq!(app.job(&job).await.expect("known").state, JobState::Completed);
    }
}

/// A child for each item, one of which fails at first: it is tried again, and then its parent.
async fn job_becomes_several_and_one_again(pair: &Pair) {
    let broken = Arc::new(AtomicUsize::new(1));
    let repaired = Arc::clone(&broken);
    let cut = |_: Context, _: Value| async { Ok(json!({ "tiles": [1, 2, 3] })) };
    let measure = move |_: Context, params: Value| {
        let fails = params["item"] == 2 && broken.load(Ordering::SeqCst) == 1;
        async move {
            if fails {
                return Err(Failure::new(ErrorKind::NotFound, "no such tile"));
            }
            Ok(json!({ "stars": params["item"] }))
        }
    };
    let sum = |_: Context, params: Value| async move {
        let stars = params["all"].as_array().into_iter().flatten();
        Ok(json!({ "total": stars.filter_map(Value::as_u64).sum::<u64>() }))
    };
    let app = pair
        .app("family")
        .stage("cut", cut)
        .stage("measure", measure)
        .stage_with("sum", sum, json!({ "join": { "collect": { "all": "stars" } } }))
        .route(json!({ "from": "cut", "to": "measure", "each": "tiles" }))
        .route(json!({ "from": "measure", "to": "sum" }));
    let app = app.open().await.expect("the app opens");
    let job_id = app.submit(json!({})).await.expect("submitted");
    let engine = app.start(Options::default()).await.expect("started");
    let job = until(&app, &job_id, JobState::Failed).await;
    let failure = job.failure.expect("it tells why");
    assert_eq!(failure.kind, ErrorKind::Child, "{failure}");

    repaired.store(0, Ordering::SeqCst);
    let child: JobId = format!("{job_id}.1-1").as_str().into();
    app.client().retry(&child).await.expect("the child is tried again");
    until(&app, &child, JobState::Completed).await;
    app.client().retry(&job_id).await.expect("the job is tried again");
    let job = until(&app, &job_id, JobState::Completed).await;
    assert_eq!(Value::Object(job.params), json!({ "all": [1, 2, 3], "total": 6 }));
    engine.stop();
    engine.join().await.expect("it ends");
}
