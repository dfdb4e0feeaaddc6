//! What lower priorities get of any queue, whether or not it is a store as well.

use std::sync::Arc;
use std::time::Duration;

use waystation_core::port::{NORMAL_SHARE, Queue};
use waystation_core::settlement::NewJob;

use super::backend::{job_id_of, request};
use super::bounded;
use crate::sample;

/// While what goes before others never ends, one in sixteen of what is handed out is of those that
/// are passed over, whether one is taken at a time or many; else all goes by priority. The queue
/// must have nothing in it.
pub async fn hand_out_the_share(queue: Arc<dyn Queue>) {
    const ROUNDS: usize = 4;
    const URGENT: usize = 100;
    const NORMAL: usize = 20;
    submit(&queue, (0..NORMAL).map(|n| sample::job(&format!("normal-{n:02}")).build())).await;
    submit(&queue, (0..URGENT).map(urgent)).await;
    for round in 0..ROUNDS * NORMAL_SHARE {
        let is_due = (round + 1) % NORMAL_SHARE == 0;
        let taken = take(&queue, 1).await;
        let expected = format!("normal-{:02}", round / NORMAL_SHARE);
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0] == expected, is_due, "{taken:?} in round {round}");
        submit(&queue, [urgent(URGENT + round)]).await;
    }

    assert!(take(&queue, 40).await.iter().all(|id| id.starts_with("urgent")), "it is 40 behind");
    let taken = take(&queue, 40).await;
    let is_normal = |id: &&String| id.starts_with("normal");
    assert_eq!(taken.iter().filter(is_normal).collect::<Vec<_>>(), ["normal-04", "normal-05"]);
    let rest = take(&queue, 1_000).await;
    assert_eq!(rest.len(), URGENT + NORMAL - 2 * 40);
    let first_normal = rest.iter().position(|id| id.starts_with("normal")).expect("one is there");
    assert!(rest[first_normal..].iter().all(|id| id.starts_with("normal")), "by priority");

    // Nobody is passed over any more: what was counted before is forgotten.
    submit(&queue, (300..315).map(urgent)).await;
    submit(&queue, [sample::job("normal-99").build()]).await;
    for _ in 0..15 {
        assert!(take(&queue, 1).await[0].starts_with("urgent"));
    }
    assert_eq!(take(&queue, 1).await, ["normal-99"]);
}

fn urgent(n: usize) -> NewJob {
    sample::job(&format!("urgent-{n:03}")).priority(9).build()
}

async fn submit(queue: &Arc<dyn Queue>, jobs: impl IntoIterator<Item = NewJob>) {
    let jobs = jobs.into_iter().collect();
    bounded(queue.submit(jobs, None)).await.expect("the jobs are submitted");
}

async fn take(queue: &Arc<dyn Queue>, max: usize) -> Vec<String> {
    let received = bounded(queue.receive(request(sample::STAGE, max, Duration::ZERO))).await;
    received.expect("deliveries are received").iter().map(job_id_of).collect()
}
