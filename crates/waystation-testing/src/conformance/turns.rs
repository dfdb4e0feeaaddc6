//! Order within keys on any queue, whether or not it is a store as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::port::{Queue, Receive};
use waystation_core::settlement::{NewJob, Next, Settled};

use super::backend::request;
use super::bounded;
use crate::sample;

const JOBS: usize = 400;
const KEYS: usize = 7;
const RECEIVERS: usize = 6;

/// By key, which jobs have ended.
type Done = Arc<Mutex<BTreeMap<usize, Vec<usize>>>>;

/// Order within keys is kept while several receivers work, fail and give back, and jobs come. The
/// queue must have nothing in it.
pub async fn keep_the_order_of_each_key(queue: Arc<dyn Queue>) {
    let done = Done::default();
    let submitter = {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            for start in (0..JOBS).step_by(20) {
                let jobs = (start..start + 20).map(job).collect();
                bounded(queue.submit(jobs, None)).await.expect("the jobs are submitted");
            }
        })
    };
    let receivers: Vec<_> = (0..RECEIVERS)
        .map(|_| tokio::spawn(work_in_order(Arc::clone(&queue), Arc::clone(&done))))
        .collect();
    bounded(submitter).await.expect("all is submitted");
    for receiver in receivers {
        bounded(receiver).await.expect("the receiver ends well");
    }
    for (key, numbers) in &*done.lock().await {
        let expected: Vec<usize> = (0..JOBS).filter(|n| n % KEYS == *key).collect();
        assert_eq!(*numbers, expected, "key {key}");
    }
}

fn job(n: usize) -> NewJob {
    let key = (n % KEYS).to_string();
    sample::job(&format!("job-{n:03}")).key(&key).param("n", n).build()
}

/// Ends what it receives, in one of three ways, until all is done. What is behind one that stays
/// in its place is given back.
async fn work_in_order(queue: Arc<dyn Queue>, done: Done) {
    let mut random = fastrand::Rng::new();
    loop {
        let together = if random.bool() { 1 } else { 5 };
        let request = request(sample::STAGE, 3, Duration::from_millis(20));
        let received = bounded(queue.receive(Receive { together, ..request })).await;
        let mut stopped = BTreeSet::new();
        for delivery in received.expect("deliveries are received") {
            let key = delivery.key.clone().expect("it has a key");
            let params = Contract::parse(&delivery.body).expect("a contract").params;
            let number = params["n"].as_u64().expect("a number") as usize;
            let ending = sample::end(&delivery);
            let is_rest = stopped.contains(&key);
            let settlement = match random.u32(..10) {
                _ if is_rest => ending.hand_back(),
                0 => ending.hand_back(),
                1 => ending.retry_at(Timestamp(0)),
                _ => {
                    let key = key.as_str().parse().expect("a number");
                    done.lock().await.entry(key).or_default().push(number);
                    ending.complete()
                }
            };
            if !matches!(settlement.next, Next::End { .. }) {
                stopped.insert(key);
            }
            let answer = bounded(queue.settle([settlement].into())).await.expect("settled")[0];
            // Of the rest of a run, given back one by one, some may have gone back by then.
            assert!(answer == Settled::Applied || is_rest, "{answer:?}");
        }
        if done.lock().await.values().map(Vec::len).sum::<usize>() == JOBS {
            return;
        }
    }
}
