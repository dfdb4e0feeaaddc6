//! Live signals between processes.

use std::time::Duration;

use waystation_core::port::{Bus, Signal, Subscription};

use crate::broker::{Broker, WAIT_MAX};

async fn next(signals: &mut Subscription) -> Signal {
    loop {
        let next = tokio::time::timeout(WAIT_MAX, signals.next()).await.expect("in time");
        match next.expect("the bus is there") {
            Signal::Changed => {}
            signal => return signal,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_reach_other_processes_and_come_back_to_none() {
    let broker = Broker::new().await;
    let (one, other) = (broker.open("").await, broker.open("").await);
    let (mut own, mut theirs) = (one.subscribe(), other.subscribe());
    let abort = |n: usize| Signal::Abort { job_id: format!("{n}").into(), reason: "no".into() };
    // Until both listen, signals are lost, as is their nature.
    let mut sent = 0;
    let heard = loop {
        one.publish(abort(sent));
        sent += 1;
        let heard = tokio::time::timeout(Duration::from_millis(200), next(&mut theirs)).await;
        if let Ok(heard) = heard {
            break heard;
        }
        assert!(sent < 50, "the other process hears nothing");
    };
    assert_eq!(heard, abort(sent - 1));
    for n in 0..sent {
        assert_eq!(next(&mut own).await, abort(n), "each is heard here once");
    }
    one.publish(Signal::Changed);
    one.publish(abort(99));
    assert_eq!(next(&mut own).await, abort(99));
}
