//! Two openings of one file, as two processes have them.

use std::sync::Arc;
use std::time::Duration;

use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::port::{Abort, Bus, Extended, Purpose, Queue, Receive, Signal, Store};
use waystation_sqlite::{Options, Sqlite};
use waystation_testing::conformance::bounded;
use waystation_testing::sample;

fn open(path: &std::path::Path) -> Sqlite {
    Sqlite::open(Options::new(path), Arc::new(SystemClock)).expect("the store opens")
}

fn request(max: usize, wait: Duration) -> Receive {
    Receive {
        queue: sample::queue("work"),
        max,
        wait,
        lease: Duration::from_mins(10),
        purpose: Purpose::Work,
        together: 1,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_is_woken_by_the_other_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shared.db");
    let (here, there) = (open(&path), open(&path));
    let waiting = tokio::spawn({
        let here = here.clone();
        async move { here.receive(request(1, Duration::from_secs(15))).await }
    });
    there.submit(vec![sample::job("a").at("work").into()], None).await.expect("submitted");
    let deliveries = bounded(waiting).await.expect("no panic").expect("received");
    assert_eq!(deliveries.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_one_file_without_losing_or_doubling() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shared.db");
    let (here, there) = (open(&path), open(&path));
    let submit = |store: Sqlite, side: &'static str| async move {
        for number in 0..200 {
            let job = sample::job(&format!("{side}-{number}")).at("work");
            store.submit(vec![job.into()], None).await.expect("never locked out");
        }
    };
    let submitting = tokio::join!(
        tokio::spawn(submit(here.clone(), "here")),
        tokio::spawn(submit(there.clone(), "there"))
    );
    submitting.0.and(submitting.1).expect("no panic");
    let take = |store: Sqlite| async move {
        let mut taken = Vec::new();
        loop {
            let some = store.receive(request(7, Duration::ZERO)).await.expect("never locked out");
            if some.is_empty() {
                return taken;
            }
            taken.extend(some.into_iter().map(|delivery| delivery.lease.delivery_id));
        }
    };
    let (first, second) = tokio::join!(tokio::spawn(take(here)), tokio::spawn(take(there)));
    let mut all = first.expect("no panic");
    all.extend(second.expect("no panic"));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_by_the_other_process_reaches_the_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shared.db");
    let (here, there) = (open(&path), open(&path));
    here.submit(vec![sample::job("a").at("work").into()], None).await.expect("submitted");
    let delivery = here.receive(request(1, Duration::ZERO)).await.expect("received").remove(0);
    let mut signals = here.subscribe();
    let answer = there.abort(&JobId::from("a"), "not wanted").await.expect("asked");
    assert_eq!(answer, Abort::Requested);
    let heard = bounded(async {
        loop {
            if let Some(Signal::Abort { job_id, reason }) = signals.next().await {
                return (job_id, reason);
            }
        }
    });
    assert_eq!(heard.await, (JobId::from("a"), "not wanted".to_owned()));
    let extended =
        here.extend(vec![delivery.lease], Duration::from_secs(1)).await.expect("extended");
    assert_eq!(extended, [Extended::AbortRequested { reason: "not wanted".into() }]);
}

#[tokio::test]
async fn deliveries_of_a_dead_process_return_at_once_when_nobody_else_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shared.db");
    let dead = open(&path);
    dead.submit(vec![sample::job("a").at("work").into()], None).await.expect("submitted");
    let first = dead.receive(request(1, Duration::ZERO)).await.expect("received").remove(0);
    // While the other one lives, its lease holds.
    let here = open(&path);
    assert!(here.receive(request(1, Duration::ZERO)).await.expect("asked").is_empty());
    drop((here, dead));
    let here = open(&path);
    let again = here.receive(request(1, Duration::ZERO)).await.expect("received").remove(0);
    assert_eq!(again.deliveries, 2);
    assert_ne!(again.lease.token, first.lease.token);
}
