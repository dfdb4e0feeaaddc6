//! Keys on RabbitMQ: partitions, each with one owner, and what becomes of them when owners come,
//! go and are cut off, and when their number changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use waystation_core::clock::{Clock, SystemClock};
use waystation_core::key::Key;
use waystation_core::port::{Generation, Parted, Parts, Queue};
use waystation_core::settlement::{Delivery, Settled};
use waystation_rabbitmq::RabbitMq;
use waystation_testing::conformance::keep_the_order_of_each_key;
use waystation_testing::sample;

use crate::broker::{Broker, WAIT_MAX, job_id, settle, submit, take};

/// Long enough for what is there to come, and for what must not to have come.
const MOMENT: Duration = Duration::from_millis(300);

fn generation(number: u32, partitions: u32) -> Generation {
    Generation { number, partitions: partitions.try_into().expect("above zero") }
}

/// Parts the queue of the first stage, of which these partitions are the broker's own.
async fn part(
    broker: &RabbitMq,
    current: Generation,
    former: Option<Generation>,
    mine: &[u32],
) -> Parted {
    let parts = Parts { current, former, mine: mine.iter().copied().collect() };
    let queue = sample::queue(sample::STAGE);
    let parted = broker.part(&queue, &parts);
    tokio::time::timeout(WAIT_MAX, parted).await.expect("in time").expect("parted")
}

/// Until a process owns what is its own.
async fn own(broker: &RabbitMq, current: Generation, mine: &[u32]) {
    let (until, wanted) = (Instant::now() + WAIT_MAX, mine.iter().copied().collect());
    broker.make_room(&sample::queue(sample::STAGE), 9).await.expect("room is made");
    loop {
        let got = take(broker, sample::STAGE, 9, Duration::ZERO).await;
        assert!(got.is_empty(), "nothing is there yet");
        if part(broker, current, None, mine).await.owned == wanted {
            return;
        }
        assert!(Instant::now() < until, "owned in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Jobs `k1`, `k2`, … of each key `k`, in turn.
async fn submit_each(broker: &RabbitMq, keys: &[&str], numbers: std::ops::RangeInclusive<u32>) {
    let mut jobs = Vec::new();
    for number in numbers {
        jobs.extend(keys.iter().map(|key| sample::job(&format!("{key}{number}")).key(key).into()));
    }
    submit(broker, jobs).await;
}

async fn take_some(broker: &RabbitMq) -> Vec<Delivery> {
    take(broker, sample::STAGE, 9, MOMENT).await
}

/// Takes and completes until so many are done; their ids by key, in the order of coming.
async fn work(brokers: &[&RabbitMq], count: usize) -> BTreeMap<String, Vec<String>> {
    let (mut done, mut by_key) = (0, BTreeMap::<String, Vec<String>>::new());
    let until = Instant::now() + WAIT_MAX;
    while done < count {
        assert!(Instant::now() < until, "{done} of {count}: {by_key:?}");
        for broker in brokers {
            let taken = take(broker, sample::STAGE, 9, Duration::from_millis(20)).await;
            let keys: BTreeSet<_> = taken.iter().filter_map(|one| one.key.clone()).collect();
            assert_eq!(keys.len(), taken.len(), "one of a key at a time");
            for delivery in taken {
                let key = delivery.key.clone().expect("it has a key").to_string();
                by_key.entry(key).or_default().push(job_id(&delivery));
                if settle(broker, sample::end(&delivery).complete()).await == Settled::Applied {
                    done += 1;
                }
            }
        }
    }
    by_key
}

fn numbered(key: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("{key}{number}")).collect()
}

/// A key of each of so many partitions.
fn key_of(partition: u32, partitions: u32) -> String {
    let found = ('a'..='z')
        .map(String::from)
        .find(|name| Key::new(name).expect("a key").slot() % partitions == partition);
    found.expect("one of the letters falls into it")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_with_one_owner_and_in_order() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let options = format!("queue={kind}");
        let (one, other) = (broker.open(&options).await, broker.open(&options).await);
        let now = generation(1, 2);
        own(&one, now, &[0]).await;
        own(&other, now, &[1]).await;
        let (a, b) = (key_of(0, 2), key_of(1, 2));
        submit_each(&one, &[&a, &b], 1..=5).await;
        let first = take_some(&one).await;
        assert_eq!(first.iter().map(job_id).collect::<Vec<_>>(), [format!("{a}1")], "{kind}");
        assert!(take_some(&one).await.is_empty(), "{kind}: one of a key at a time");
        // The next one goes before whatever came back meanwhile.
        settle(&one, sample::end(&first[0]).hand_back()).await;
        let done = work(&[&one, &other], 10).await;
        assert_eq!(done[&a], numbered(&a, 1..=5), "{kind}");
        assert_eq!(done[&b], numbered(&b, 1..=5), "{kind}");
    }
}

/// Random ends and runs of several, as every queue that keeps the order of keys is tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_receivers_keep_the_order_of_each_key() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    own(&ours, generation(1, 3), &[0, 1, 2]).await;
    keep_the_order_of_each_key(Arc::new(ours)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_that_was_never_parted_takes_no_keys() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    let refused = ours.submit(vec![sample::job("a1").key("a").into()], None).await;
    let error = refused.expect_err("nobody looks after it").to_string();
    assert!(error.contains("have partitions once a worker"), "{error}");
}

/// A second one waits until the first is gone, whatever it was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_out_ends_before_the_next_owner_begins() {
    let broker = Broker::new().await;
    let (one, other) = (broker.open("").await, broker.open("").await);
    let now = generation(1, 1);
    own(&one, now, &[0]).await;
    submit_each(&one, &["a", "b"], 1..=3).await;
    let out = take_some(&one).await;
    assert_eq!(out.iter().map(job_id).collect::<Vec<_>>(), ["a1", "b1"]);

    // Both mean it is theirs.
    part(&other, now, None, &[0]).await;
    assert!(take_some(&other).await.is_empty());
    // The first hears that it is not; what is out goes on, and nothing else begins.
    part(&one, now, None, &[]).await;
    assert_eq!(settle(&one, sample::end(&out[0]).complete()).await, Settled::Applied);
    assert!(take_some(&one).await.is_empty());
    assert!(take_some(&other).await.is_empty());
    assert_eq!(settle(&one, sample::end(&out[1]).complete()).await, Settled::Applied);

    let done = work(&[&other], 4).await;
    assert_eq!((&done["a"], &done["b"]), (&numbered("a", 2..=3), &numbered("b", 2..=3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_had_that_is_cut_off_comes_again_in_order() {
    let broker = Broker::new().await;
    let (one, other) = (broker.open("").await, broker.open("").await);
    let now = generation(1, 1);
    own(&one, now, &[0]).await;
    submit_each(&one, &["a", "b"], 1..=4).await;
    let out = take_some(&one).await;
    // Done, and the others are only fetched.
    settle(&one, sample::end(&out[0]).complete()).await;
    one.close().await;
    part(&other, now, None, &[0]).await;
    let done = work(&[&other], 7).await;
    assert_eq!((&done["a"], &done["b"]), (&numbered("a", 2..=4), &numbered("b", 1..=4)));
    let late = one.settle([sample::end(&out[1]).complete()].into()).await;
    late.expect_err("it has nothing to settle with");
}

/// Much more is fetched ahead than is handed out, and comes back with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_an_owner_had_out_counts_when_it_is_cut_off() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let options = format!("queue={kind}");
        let [one, other, third] =
            [broker.open(&options).await, broker.open(&options).await, broker.open(&options).await];
        let now = generation(1, 1);
        own(&one, now, &[0]).await;
        submit_each(&one, &["a", "b", "c"], 1..=2).await;
        let out = take(&one, sample::STAGE, 1, WAIT_MAX / 2).await;
        assert_eq!(job_id(&out[0]), "a1", "{kind}");
        one.close().await;

        // As many count as a process has out.
        part(&other, now, None, &[0]).await;
        let mut counted = Vec::new();
        for _ in 0..3 {
            let taken = take(&other, sample::STAGE, 1, WAIT_MAX / 2).await;
            counted.push((job_id(&taken[0]), taken[0].deliveries));
            settle(&other, sample::end(&taken[0]).complete()).await;
        }
        counted.sort();
        let expected = [("a1", 2), ("b1", 1), ("c1", 1)].map(|(id, n)| (id.to_owned(), n));
        assert_eq!(counted, expected, "{kind}");

        // Who leaves with nothing out burns nothing.
        part(&other, now, None, &[]).await;
        part(&third, now, None, &[0]).await;
        for id in ["a2", "b2", "c2"] {
            let taken = take(&third, sample::STAGE, 1, WAIT_MAX / 2).await;
            assert_eq!((job_id(&taken[0]), taken[0].deliveries), (id.to_owned(), 1), "{kind}");
            settle(&third, sample::end(&taken[0]).complete()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_keeps_the_place_of_its_key_also_with_the_next_owner() {
    for kind in ["quorum", "classic"] {
        let broker = Broker::new().await;
        let options = format!("queue={kind}");
        let (one, other) = (broker.open(&options).await, broker.open(&options).await);
        let now = generation(1, 1);
        own(&one, now, &[0]).await;
        submit_each(&one, &["a", "b"], 1..=3).await;
        let out = take_some(&one).await;
        let due = SystemClock.now().plus(Duration::from_secs(2));
        settle(&one, sample::end(&out[0]).retry_at(due)).await;
        settle(&one, sample::end(&out[1]).complete()).await;
        // The other key goes on, this one waits.
        assert_eq!(take_some(&one).await.iter().map(job_id).collect::<Vec<_>>(), ["b2"], "{kind}");
        one.close().await;
        part(&other, now, None, &[0]).await;
        let done = work(&[&other], 5).await;
        assert!(SystemClock.now() >= due, "{kind}: not before its time");
        assert_eq!(done["a"], numbered("a", 1..=3), "{kind}");
        assert_eq!(done["b"], numbered("b", 2..=3), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_at_once_and_abandoned_delivery_are_the_next_of_their_key() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    own(&ours, generation(1, 1), &[0]).await;
    submit_each(&ours, &["a"], 1..=2).await;
    let out = take_some(&ours).await;
    assert_eq!((job_id(&out[0]), out[0].deliveries), ("a1".to_owned(), 1));
    settle(&ours, sample::end(&out[0]).retry_at(SystemClock.now())).await;
    let again = take(&ours, sample::STAGE, 9, WAIT_MAX / 2).await;
    assert_eq!(again.iter().map(job_id).collect::<Vec<_>>(), ["a1"]);
    ours.abandon(&[again[0].lease.clone()]).await.expect("abandoned");
    let third = take(&ours, sample::STAGE, 9, WAIT_MAX / 2).await;
    assert_eq!((job_id(&third[0]), third[0].deliveries), ("a1".to_owned(), 2));
    settle(&ours, sample::end(&third[0]).complete()).await;
    assert_eq!(work(&[&ours], 1).await["a"], ["a2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn priority_goes_first_and_what_is_for_later_comes_when_it_is_due() {
    let broker = Broker::new().await;
    let ours = broker.open("").await;
    own(&ours, generation(1, 2), &[0, 1]).await;
    let due = SystemClock.now().plus(Duration::from_millis(700));
    submit(&ours, vec![sample::job("a9").key("a").not_before(due).into()]).await;
    submit_each(&ours, &["a"], 1..=2).await;
    let out = take_some(&ours).await;
    assert_eq!(out.iter().map(job_id).collect::<Vec<_>>(), ["a1"]);
    submit(&ours, vec![sample::job("a5").key("a").priority(5).into()]).await;
    tokio::time::sleep(MOMENT).await;
    settle(&ours, sample::end(&out[0]).complete()).await;
    let done = work(&[&ours], 3).await;
    assert_eq!(done["a"], ["a5", "a2", "a9"]);
    assert!(SystemClock.now() >= due);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_of_partitions_changes_and_each_key_stays_in_order() {
    for (from, to) in [(2, 3), (3, 1)] {
        let broker = Broker::new().await;
        let (one, other) = (broker.open("").await, broker.open("").await);
        let (before, after) = (generation(1, from), generation(2, to));
        own(&one, before, &[0]).await;
        own(&other, before, &(1..from).collect::<Vec<_>>()).await;
        let keys = ["a", "b", "c", "d", "e", "f"];
        submit_each(&one, &keys, 1..=5).await;

        // The other one has not heard of it yet, and publishes as before.
        let mut mine = vec![0];
        part(&one, after, Some(before), &mine).await;
        submit_each(&other, &keys, 6..=8).await;
        let mut done = work(&[&one, &other], keys.len() * 5).await;
        assert!(take_some(&one).await.is_empty(), "the former partitions are not gone yet");

        let until = Instant::now() + WAIT_MAX;
        let mut gone = BTreeSet::new();
        while gone.len() < from as usize {
            assert!(Instant::now() < until, "worked off in time: {gone:?} of {from}");
            gone.extend(part(&one, after, Some(before), &mine).await.emptied);
            let others: Vec<_> = (1..from).collect();
            gone.extend(part(&other, after, Some(before), &others).await.emptied);
            assert!(take(&one, sample::STAGE, 9, Duration::from_millis(20)).await.is_empty());
            assert!(take(&other, sample::STAGE, 9, Duration::from_millis(20)).await.is_empty());
        }
        mine = vec![0];
        part(&one, after, None, &mine).await;
        part(&other, after, None, &(1..to).collect::<Vec<_>>()).await;
        for (key, ids) in work(&[&one, &other], keys.len() * 3).await {
            done.entry(key).or_default().extend(ids);
        }
        for key in keys {
            assert_eq!(done[key], numbered(key, 1..=8), "{from} to {to}");
        }
        let channel = broker.fresh_channel().await;
        assert!(!broker.is_there(&channel, "samples.first.keys.1.0").await);
    }
}
