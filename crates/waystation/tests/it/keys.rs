//! Stages that take jobs by key, on each pair that keeps their order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use waystation::core::failure::ErrorKind;
use waystation::core::handler::typed;
use waystation::core::settlement::priority;
use waystation::core::state::JobState;
use waystation::{App, Context, Failure, JobId, OpenApp, Options, Submission};

use crate::pairs::{Pair, on_pairs};

/// Nothing takes longer than this.
const WAIT_MAX: Duration = Duration::from_secs(40);
const KEYS: [&str; 3] = ["a", "b", "c"];
const JOBS: usize = 60;

on_pairs!(
    [
        sqlite, postgres, redis_with_sqlite, redis_with_postgres, rabbitmq_with_sqlite,
        rabbitmq_with_postgres
    ] {
        jobs_of_a_key_go_in_order_on_several_engines_also_when_one_is_tried_again,
        a_job_that_steps_aside_fails_or_is_aborted_lets_its_key_go_on,
    }
);

/// What came of each key, in its order.
#[derive(Default)]
struct Came {
    numbers: Mutex<HashMap<String, Vec<u64>>>,
    busy: Mutex<HashMap<String, u64>>,
    /// Two of a key were worked on at a time.
    overlapped: AtomicBool,
}

impl Came {
    /// Whether the attempt is to come to something is said by `ends`.
    async fn work(&self, params: Value, ends: Result<(), Failure>) -> Result<Value, Failure> {
        let key = params["key"].as_str().expect("a text").to_owned();
        let Some(number) = params["n"].as_u64() else {
            return Err(Failure::new(ErrorKind::Permanent, "no number"));
        };
        let before = self.busy.lock().expect("whole").insert(key.clone(), number);
        // A panic here would be an attempt that failed, and nothing more.
        self.overlapped.fetch_or(before.is_some(), Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.busy.lock().expect("whole").remove(&key);
        ends?;
        self.numbers.lock().expect("whole").entry(key).or_default().push(number);
        Ok(json!({}))
    }

    fn of(&self, key: &str) -> Vec<u64> {
        assert!(!self.overlapped.load(Ordering::Relaxed), "one of a key at a time");
        self.numbers.lock().expect("whole").get(key).cloned().unwrap_or_default()
    }
}

/// Jobs come by a stage without a key to one that has one, where these fail until their last
/// attempt.
fn app(pair: &Pair, name: &str, came: &Arc<Came>, fails: &'static [u64], key: &Value) -> App {
    let came = Arc::clone(came);
    let apply = typed(move |context: Context, params: Value| {
        let came = Arc::clone(&came);
        let fails = params["n"].as_u64().is_some_and(|n| fails.contains(&n));
        let ends = match context.attempt {
            1 | 2 if fails => Err(Failure::transient("not yet")),
            _ => Ok(()),
        };
        async move { came.work(params, ends).await }
    });
    let retry = json!({ "max_retries": 5, "backoff": "fixed", "delay_seconds": 0.1 });
    let said = json!({ "key": key, "concurrency": 8, "retry": retry });
    pair.app(name).handler_with("apply", Arc::new(apply), said)
}

async fn submit(app: &OpenApp) -> Vec<JobId> {
    let mut submitted = Vec::new();
    for n in 0..JOBS {
        let job = app.submit(json!({ "key": KEYS[n % KEYS.len()], "n": n })).await;
        submitted.push(job.expect("submitted"));
    }
    submitted
}

fn in_order(first: usize) -> Vec<u64> {
    (first..JOBS).step_by(KEYS.len()).map(|n| n as u64).collect()
}

async fn reach(app: &OpenApp, jobs: &[JobId], state: JobState) {
    let reaching = async {
        for job in jobs {
            while app.job(job).await.expect("known").state != state {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, reaching).await.expect("all are there in time");
}

async fn jobs_of_a_key_go_in_order_on_several_engines_also_when_one_is_tried_again(pair: &Pair) {
    let came = Arc::new(Came::default());
    let open = || app(pair, "ordered", &came, &[9, 31], &json!("key")).open();
    let (here, there) = (open().await.expect("it opens"), open().await.expect("it opens"));
    let jobs = submit(&here).await;
    let engines = [
        here.start(Options::default()).await.expect("started"),
        there.start(Options::default()).await.expect("started"),
    ];
    reach(&here, &jobs, JobState::Completed).await;
    for (first, key) in KEYS.iter().enumerate() {
        assert_eq!(came.of(key), in_order(first), "{key}");
    }
    for engine in engines {
        engine.stop();
        engine.join().await.expect("ended");
    }
}

async fn a_job_that_steps_aside_fails_or_is_aborted_lets_its_key_go_on(pair: &Pair) {
    let came = Arc::new(Came::default());
    let key = json!({ "by": "key", "on_failure": "skip" });
    let app = app(pair, "aside", &came, &[9], &key).open().await.expect("it opens");
    let mut jobs = submit(&app).await;
    let none = app.submit(json!({ "key": "b", "n": "no number" })).await.expect("submitted");
    let params = json!({ "key": "c", "n": 99 }).as_object().cloned().expect("an object");
    let first = Submission { params, priority: priority::HIGH, ..Submission::default() };
    jobs.push(app.submit_as(first).await.expect("submitted"));
    let unwanted = jobs.remove(JOBS - 1);
    app.client().abort(&unwanted, "not wanted").await.expect("asked");
    let engine = app.start(Options::default()).await.expect("started");
    reach(&app, &jobs, JobState::Completed).await;
    reach(&app, &[none], JobState::Failed).await;
    reach(&app, &[unwanted], JobState::Aborted).await;

    let mut stepped = came.of("a");
    let place = stepped.iter().position(|n| *n == 9).expect("it came");
    assert!(place > 3, "others went before it: {stepped:?}");
    stepped.remove(place);
    let others: Vec<u64> = in_order(0).into_iter().filter(|n| *n != 9).collect();
    assert_eq!(stepped, others);
    assert_eq!(came.of("b"), in_order(1));
    let mut last = in_order(2);
    last.pop();
    let urgent = came.of("c");
    assert_eq!(urgent.first(), Some(&99), "a priority goes first within its key");
    assert_eq!(urgent[1..], last);
    engine.stop();
    engine.join().await.expect("ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the server named by WAYSTATION_TEST_REDIS"]
async fn keys_that_a_broker_cannot_keep_are_refused() {
    let pair = Pair::new("sqlite", Some("redis"));
    let inner =
        pair.app("inner").stage("work", |_, _: Value| async { Ok::<_, Failure>(json!({})) });
    inner.open().await.expect("it opens");
    let settings = json!({ "pipeline": "inner" });
    let outer = pair.app("outer").settings(json!({
        "id": "leave", "type": "pipeline", "key": "key", "settings": settings
    }));
    let outer = outer.open().await.expect("it opens");
    let Err(error) = outer.start(Options::default()).await else { panic!("it starts") };
    let why = "stage `leave` takes jobs by key and leaves its work to another pipeline";
    assert!(error.to_string().contains(why), "{error}");
}
