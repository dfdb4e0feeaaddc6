//! Deliveries: their order, their counts, and how they come back.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port::{Extended, Queue};
use waystation_core::settlement::{NewJob, Settled};
use waystation_testing::sample;

use crate::broker::{Broker, WAIT_MAX, job_id, settle, submit, take, take_one};

fn jobs(ids: impl IntoIterator<Item = String>) -> Vec<NewJob> {
    ids.into_iter().map(|id| sample::job(&id).into()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_come_in_their_order_and_those_with_priority_first() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let ours = broker.open(&format!("queue={kind}&prefetch=100")).await;
        let mut all = jobs((0..5).map(|n| format!("n{n}")));
        all.push(sample::job("urgent").priority(5).into());
        submit(&ours, all).await;
        let mut ids = Vec::new();
        while ids.len() < 6 {
            // Both lanes are fetched before the first is taken, or the one comes a little later.
            let got = take(&ours, sample::STAGE, 1, WAIT_MAX / 2).await;
            ids.extend(got.iter().map(job_id));
        }
        let normal: Vec<_> = ids.iter().filter(|id| *id != "urgent").collect();
        assert_eq!(normal, ["n0", "n1", "n2", "n3", "n4"], "{kind}");
        let place = ids.iter().position(|id| id == "urgent").expect("it came");
        assert!(place < 5, "{kind}: {ids:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_fetched_than_can_be_worked_on() {
    let broker = Broker::new().await;
    let (one, other) = (broker.open("").await, broker.open("").await);
    submit(&one, jobs((0..4).map(|n| format!("n{n}")))).await;
    let mine = take(&one, sample::STAGE, 2, WAIT_MAX / 2).await;
    assert!(!mine.is_empty());
    // The other two are for whoever has room.
    let mut ids: Vec<_> = mine.iter().map(job_id).collect();
    while ids.len() < 2 {
        let more = take(&one, sample::STAGE, 2 - ids.len(), WAIT_MAX / 2).await;
        ids.extend(more.iter().map(job_id));
    }
    let mut others = Vec::new();
    while others.len() < 2 {
        let more = take(&other, sample::STAGE, 2, WAIT_MAX / 2).await;
        assert!(!more.is_empty(), "the rest is not held back by the first");
        others.extend(more.iter().map(job_id));
    }
    ids.extend(others);
    ids.sort();
    assert_eq!(ids, ["n0", "n1", "n2", "n3"]);
}

/// What one has in hand does not keep another one waiting who receives here, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_is_made_for_several_who_receive_a_few_each() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    submit(&ours, jobs((0..2).map(|n| format!("n{n}")))).await;
    assert_eq!(job_id(&take_one(&ours, sample::STAGE).await), "n0");
    assert!(take(&ours, sample::STAGE, 1, Duration::from_millis(100)).await.is_empty());
    ours.make_room(&sample::queue(sample::STAGE), 2).await.expect("room is made");
    assert_eq!(job_id(&take_one(&ours, sample::STAGE).await), "n1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_job_comes_at_its_time() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let ours = broker.open(&format!("queue={kind}&prefetch=9")).await;
        let due = SystemClock.now().plus(Duration::from_millis(1_350));
        submit(&ours, vec![sample::job("later").not_before(due).into()]).await;
        submit(&ours, vec![sample::job("now").into()]).await;
        assert_eq!(job_id(&take_one(&ours, sample::STAGE).await), "now");
        let delivery = take_one(&ours, sample::STAGE).await;
        let early = due.since(SystemClock.now());
        assert_eq!(job_id(&delivery), "later");
        assert_eq!(early, Duration::ZERO, "{kind}: it came too early");
        assert_eq!(delivery.deliveries, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_of_a_dead_process_comes_back_and_is_counted() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let ours = broker.open(&format!("queue={kind}")).await;
        submit(&ours, vec![sample::job("a").into()]).await;
        for deliveries in 1..=3 {
            let worker = broker.open(&format!("queue={kind}")).await;
            let delivery = take_one(&worker, sample::STAGE).await;
            assert_eq!(delivery.deliveries, deliveries, "{kind}");
            worker.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hand_back_is_not_counted() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let ours = broker.open(&format!("queue={kind}")).await;
        submit(&ours, vec![sample::job("a").into()]).await;
        for _ in 0..3 {
            let delivery = take_one(&ours, sample::STAGE).await;
            assert_eq!(delivery.deliveries, 1, "{kind}");
            let back = settle(&ours, sample::end(&delivery).hand_back()).await;
            assert_eq!(back, Settled::Applied);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_ahead_returns_uncounted_when_a_worker_leaves() {
    let broker = Broker::new().await;
    let (leaving, staying) = (broker.open("prefetch=9").await, broker.open("prefetch=9").await);
    submit(&leaving, jobs((0..4).map(|n| format!("n{n}")))).await;
    let kept = take_one(&leaving, sample::STAGE).await;
    let queue = sample::queue(sample::STAGE);
    let left = leaving.leave(&queue);
    tokio::time::timeout(WAIT_MAX, left).await.expect("in time").expect("it left");
    let mut ids = Vec::new();
    while ids.len() < 3 {
        let delivery = take_one(&staying, sample::STAGE).await;
        assert_eq!(delivery.deliveries, 1);
        ids.push(job_id(&delivery));
    }
    ids.sort();
    assert_eq!(ids, ["n1", "n2", "n3"]);
    // What it works on is still its own.
    let extended = leaving.extend(vec![kept.lease.clone()], WAIT_MAX).await.expect("extended");
    assert_eq!(extended, [Extended::Held]);
    assert_eq!(settle(&leaving, sample::end(&kept).complete()).await, Settled::Applied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_abandoned_returns_counted_though_the_process_lives_on() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let ours = broker.open(&format!("queue={kind}&prefetch=9")).await;
        submit(&ours, jobs((0..3).map(|n| format!("n{n}")))).await;
        let given_up = take_one(&ours, sample::STAGE).await;
        let half_settled = take_one(&ours, sample::STAGE).await;
        let kept = take_one(&ours, sample::STAGE).await;
        // Somebody began to settle it and was not waited for.
        let settling = ours.settle([sample::end(&half_settled).complete()].into());
        assert!(settling.now_or_never().is_none(), "the broker is not that quick");
        let leases = [given_up.lease, half_settled.lease];
        for _ in 0..2 {
            ours.abandon(&leases).await.expect("abandoned");
        }
        let back = [take_one(&ours, sample::STAGE).await, take_one(&ours, sample::STAGE).await];
        assert_eq!(back.each_ref().map(|one| one.deliveries), [2, 2], "{kind}");
        let mut ids = back.each_ref().map(job_id);
        ids.sort();
        assert_eq!(ids, ["n0", "n1"], "{kind}");
        let extended = ours.extend(leases.to_vec(), WAIT_MAX).await.expect("extended");
        assert_eq!(extended, [Extended::Lost, Extended::Lost]);
        let all = [&back[0], &back[1], &kept].map(|one| sample::end(one).complete());
        assert_eq!(ours.settle(all.into()).await.expect("settled"), [Settled::Applied; 3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_settlement_and_one_of_another_time_are_lost() {
    let broker = Broker::new().await;
    let ours = broker.open("prefetch=9").await;
    submit(&ours, jobs(["a".to_owned(), "b".to_owned()])).await;
    let first = take_one(&ours, sample::STAGE).await;
    let second = take_one(&ours, sample::STAGE).await;
    let both = [sample::end(&first).complete(), sample::end(&first).complete()];
    let settled = ours.settle(both.into()).await.expect("settled");
    assert_eq!(settled, [Settled::Applied, Settled::Lost]);
    let mut stale = second.clone();
    stale.lease.token += 1;
    assert_eq!(settle(&ours, sample::end(&stale).complete()).await, Settled::Lost);
    let extended = ours.extend(vec![stale.lease], WAIT_MAX).await.expect("extended");
    assert_eq!(extended, [Extended::Lost]);
    assert_eq!(settle(&ours, sample::end(&second).complete()).await, Settled::Applied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receive_is_woken_at_once_and_depth_tells_what_waits() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    let queue = sample::queue(sample::STAGE);
    assert_eq!(ours.depth(&queue).await.expect("depth").ready, 0);
    let waiting = tokio::spawn({
        let ours = ours.clone();
        async move { (take_one(&ours, sample::STAGE).await, Instant::now()) }
    });
    let publisher = broker.open("").await;
    // Once the consumer is there.
    while ours.depth(&queue).await.expect("depth").leased == 0 {
        submit(&publisher, vec![sample::job("a").into()]).await;
        if waiting.is_finished() {
            break;
        }
    }
    let (delivery, _) = waiting.await.expect("it was woken");
    assert_eq!(job_id(&delivery), "a");
    assert_eq!(ours.depth(&queue).await.expect("depth").leased, 1);
}
