use std::time::Duration;

use serde_json::Value;
use waystation_core::port::{Bus, Signal, Subscription};
use waystation_testing::conformance::bounded;

use crate::world::Corner;

fn progress(percent: f64) -> Signal {
    Signal::Progress { job_id: "a".into(), stage: "s".into(), percent, message: "half".into() }
}

fn abort(job: &str) -> Signal {
    Signal::Abort { job_id: job.into(), reason: "not wanted".into() }
}

async fn next(signals: &mut Subscription) -> Signal {
    bounded(signals.next()).await.expect("the bus is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_are_heard_here_at_once_there_soon_and_nowhere_twice() {
    let corner = Corner::new();
    let (here, there) = (corner.open().await, corner.open().await);
    let (mut heard_here, mut heard_there) = (here.subscribe(), there.subscribe());
    here.publish(progress(40.0));
    here.publish(Signal::Changed);
    for expected in [progress(40.0), Signal::Changed] {
        assert_eq!(next(&mut heard_here).await, expected);
    }
    assert_eq!(next(&mut heard_there).await, progress(40.0));
    // What comes back from the server would come before this one.
    there.publish(abort("b"));
    assert_eq!(next(&mut heard_there).await, abort("b"));
    assert_eq!(next(&mut heard_here).await, abort("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_progress_is_kept_for_a_day() {
    let corner = Corner::new();
    let (here, there) = (corner.open().await, corner.open().await);
    let mut heard = there.subscribe();
    for percent in 0..=100 {
        here.publish(progress(f64::from(percent)));
    }
    // Those in between need not come; the last one does.
    let mut count = 0;
    while next(&mut heard).await != progress(100.0) {
        count += 1;
    }
    assert!(count <= 20, "{count} of a hundred came");
    let key = format!("{}job:a:progress:last", corner.prefix);
    let last: String = corner.ask(&["GET", &key]).await;
    assert_eq!(Signal::parse(last.as_bytes()), Some(progress(100.0)));
    let lives = corner.ask::<u64>(&["TTL", &key]).await;
    assert!((86_000..=86_400).contains(&lives), "{lives}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_program_is_heard_on_its_jobs_channel() {
    let corner = Corner::new();
    let redis = corner.open().await;
    let mut heard = redis.subscribe();
    let channel = format!("{}job:a:progress", corner.prefix);
    let body = r#"{"event":"progress","progress":40,"message":"half"}"#;
    assert_eq!(corner.ask::<u64>(&["PUBLISH", &channel, body]).await, 1);
    let Signal::Progress { job_id, percent, .. } = next(&mut heard).await else { panic!() };
    assert_eq!((job_id.as_str(), percent), ("a", 40.0));
    let channel = format!("{}waystation:abort", corner.prefix);
    let body = r#"{"event":"abort","job_id":"a","reason":"not wanted"}"#;
    corner.ask::<u64>(&["PUBLISH", &channel, body]).await;
    assert_eq!(next(&mut heard).await, abort("a"));
    let sent: Value = serde_json::from_slice(&abort("a").to_bytes()).expect("JSON");
    assert_eq!(sent, serde_json::from_str::<Value>(body).expect("JSON"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_was_cut_off_listens_again_and_looks() {
    let server = crate::server::Server::durable();
    let corner = Corner::on(&server.url(), "always");
    let (here, there) = (corner.open().await, corner.open().await);
    let mut heard = here.subscribe();
    corner.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(next(&mut heard).await, Signal::Changed);
    tokio::time::timeout(Duration::from_secs(1), async { there.publish(abort("a")) })
        .await
        .expect("publishing never waits");
    assert_eq!(next(&mut heard).await, abort("a"));
}
