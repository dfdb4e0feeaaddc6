//! What is counted, in the commits that are made anyway.

use std::collections::BTreeMap;
use std::time::Duration;

use waystation_core::clock::Clock;
use waystation_core::settlement::{Delivery, OnDuplicate, Quorum, Settled, Settlement};
use waystation_core::statistics::{EVER, Key, Measure, Period, Statistic, Sum, UNTIMED, bucket};

use super::{Backend, Harness, LEASE, bounded};
use crate::sample;

/// What was counted in a period.
pub(super) async fn counted(backend: &Backend, period: Period) -> Vec<Statistic> {
    bounded(backend.store.statistics(period)).await.expect("the counts are told")
}

/// How many of each there were since ever, at each stage.
async fn ever(backend: &Backend) -> BTreeMap<(String, Measure), u64> {
    let mut sums = BTreeMap::new();
    for statistic in counted(backend, Period::Ever).await {
        assert_eq!(statistic.minute, EVER);
        let key = (statistic.key.stage.to_string(), statistic.key.measure);
        *sums.entry(key).or_default() += statistic.sum.count;
    }
    sums
}

/// How many of each there are to be.
fn sums<const N: usize>(of: [(&str, Measure, u64); N]) -> BTreeMap<(String, Measure), u64> {
    of.into_iter().map(|(stage, measure, count)| ((stage.to_owned(), measure), count)).collect()
}

fn key(stage: &str, measure: Measure, took: Option<Duration>) -> Key {
    let (pipeline, stage) = (sample::PIPELINE.into(), stage.into());
    Key { pipeline, stage, measure, bucket: bucket(took) }
}

fn once(took: Duration) -> Sum {
    Sum { count: 1, total_ms: took.as_millis() as u64 }
}

/// A settlement with the beginning of the attempt, which was so long before.
fn begun(delivery: &Delivery, mut settlement: Settlement, before: Duration) -> Settlement {
    let at = settlement.events[0].at.minus(before);
    settlement.events.splice(..0, sample::running(delivery, at).events);
    settlement
}

/// A hop counts how long the job waited and how long the attempt took, in its minute and since
/// ever.
pub async fn hop_counts_the_wait_and_the_attempt(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let (wait, work) = (Duration::from_secs(3), Duration::from_millis(40));
    backend.submit(sample::job("a")).await;
    harness.clock().advance(wait);
    let delivery = backend.take_one(sample::STAGE).await;
    harness.clock().advance(work);
    let now = harness.clock().now();
    let hop = sample::end(&delivery).happening_at(now).forward_to("second");
    assert_eq!(backend.settle(begun(&delivery, hop, work)).await, Settled::Applied);

    let expected = [
        (key("first", Measure::Created, None), Sum { count: 1, total_ms: 0 }),
        (key("first", Measure::Started, Some(wait)), once(wait)),
        (key("first", Measure::Completed, Some(work)), once(work)),
    ];
    for (period, minute) in [
        (Period::Ever, EVER),
        (Period::Minutes(now, now), waystation_core::statistics::minute(now)),
    ] {
        let found = counted(&backend, period).await;
        let found: Vec<_> = found.into_iter().map(|one| (one.minute, one.key, one.sum)).collect();
        assert_eq!(found, expected.clone().map(|(key, sum)| (minute, key, sum)));
    }
}

/// Every end of a job is counted where it ended, with the time since it was submitted. A job that
/// is tried again and fails again has failed twice.
pub async fn ends_of_jobs_are_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["completes", "skips", "fails", "aborts"] {
        backend.submit(sample::job(id)).await;
    }
    harness.clock().advance(Duration::from_secs(2));
    let taken = backend.take(sample::STAGE, 3).await;
    backend.settle(sample::end(&taken[0]).complete()).await;
    backend.settle(sample::end(&taken[1]).skip()).await;
    backend.settle(sample::end(&taken[2]).fail("no such page")).await;
    backend.abort("aborts").await;
    let ends = [
        (sample::STAGE, Measure::Created, 4),
        (sample::STAGE, Measure::Completed, 1),
        (sample::STAGE, Measure::Failed, 1),
        (sample::STAGE, Measure::JobCompleted, 1),
        (sample::STAGE, Measure::JobFailed, 1),
        (sample::STAGE, Measure::JobAborted, 1),
        (sample::STAGE, Measure::JobSkipped, 1),
    ];
    assert_eq!(ever(&backend).await, sums(ends));
    let took = Duration::from_secs(2);
    let all = counted(&backend, Period::Ever).await;
    for one in all.iter().filter(|one| one.key.measure >= Measure::JobCompleted) {
        assert_eq!((one.key.bucket, one.sum), (bucket(Some(took)), once(took)), "{:?}", one.key);
    }

    let letter = backend.letters("fails").await.remove(0);
    backend.settle(sample::resolve(&letter).requeue()).await;
    let again = backend.take_one(sample::STAGE).await;
    backend.settle(sample::end(&again).fail("no such page")).await;
    let letter = backend.letters("fails").await.remove(0);
    backend.settle(sample::resolve(&letter).drop_letter()).await;
    let found = ever(&backend).await;
    assert_eq!(found[&(sample::STAGE.to_owned(), Measure::JobFailed)], 2);
    assert_eq!(found[&(sample::STAGE.to_owned(), Measure::Created)], 4);
}

/// What does not hold is not counted, and a failed attempt that is made again is no end.
pub async fn what_does_not_hold_is_not_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let retry = sample::end(&delivery).retry_at(harness.clock().now());
    assert_eq!(backend.settle(retry.clone()).await, Settled::Applied);
    assert_eq!(backend.settle(retry).await, Settled::Lost);
    let delivery = backend.take_one(sample::STAGE).await;
    let hop = sample::end(&delivery).forward_to("second");
    let twice = backend.queue.settle([hop.clone(), hop].into());
    let answers = bounded(twice).await.expect("the batch is taken");
    assert_eq!(answers, [Settled::Applied, Settled::Lost]);
    backend.abort("a").await;
    backend.abort("a").await;
    let expected = [
        (sample::STAGE, Measure::Created, 1),
        (sample::STAGE, Measure::Retried, 1),
        (sample::STAGE, Measure::Completed, 1),
        ("second", Measure::JobAborted, 1),
    ];
    assert_eq!(ever(&backend).await, sums(expected));
}

/// Leases that ran out are counted, and so is the end of a job that was to be aborted then.
pub async fn abandoned_leases_are_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    backend.submit(sample::job("b")).await;
    backend.take(sample::STAGE, 2).await;
    backend.abort("b").await;
    harness.clock().advance(LEASE);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["a"]);
    let expected = [
        (sample::STAGE, Measure::Created, 2),
        (sample::STAGE, Measure::Abandoned, 2),
        (sample::STAGE, Measure::JobAborted, 1),
    ];
    assert_eq!(ever(&backend).await, sums(expected));
}

/// A person's time is from the task's opening to the answer. A job that ends by an abort that was
/// asked for while somebody worked on it is counted as aborted, not as what it would have been.
pub async fn answers_and_aborts_are_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("asks").waiting_at("review")).await;
    backend.submit(sample::job("runs")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    backend.abort("runs").await;
    let hop = sample::end(&delivery).forward_to("second");
    assert_eq!(backend.settle(hop).await, Settled::Aborted);
    let thought = Duration::from_mins(20);
    harness.clock().advance(thought);
    let task = backend.tasks().await.remove(0);
    let answer = sample::answer(&task).happening_at(harness.clock().now());
    backend.settle(answer.complete()).await;
    let expected = [
        (sample::STAGE, Measure::Created, 1),
        (sample::STAGE, Measure::Completed, 1),
        (sample::STAGE, Measure::JobAborted, 1),
        ("review", Measure::Created, 1),
        ("review", Measure::Completed, 1),
        ("review", Measure::JobCompleted, 1),
    ];
    assert_eq!(ever(&backend).await, sums(expected));
    let all = counted(&backend, Period::Ever).await;
    let wanted = key("review", Measure::Completed, Some(thought));
    let found = all.iter().find(|one| one.key == wanted).map(|one| one.sum);
    assert_eq!(found, Some(once(thought)));
}

/// Children and jobs that take another's place are jobs that were submitted; who gives way has
/// ended.
pub async fn jobs_that_others_make_are_counted(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("parent")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    let quorum = |visit| Quorum { visit, completed: 2, failed: 1, ended: 2 };
    let fan_out = sample::end(&delivery).fan_out(&["x", "y", "y"], "second", "third", quorum);
    assert_eq!(backend.settle(fan_out).await, Settled::Applied);
    let keyed = |id| sample::job(id).dedupe_key("red").on_duplicate(OnDuplicate::Replace);
    backend.submit_all(vec![keyed("a").build(), keyed("b").build()]).await;
    let found = ever(&backend).await;
    let of = |stage: &str, measure| found.get(&(stage.to_owned(), measure)).copied();
    assert_eq!(of(sample::STAGE, Measure::Created), Some(3));
    assert_eq!(of("second", Measure::Created), Some(2));
    assert_eq!(of(sample::STAGE, Measure::JobAborted), Some(1));
}

/// Minutes are told apart, and forgotten; what was counted since ever stays.
pub async fn minutes_are_apart_and_forgotten(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let start = harness.clock().now();
    let minute = Duration::from_mins(1);
    for id in ["a", "b", "c", "d"] {
        backend.submit(sample::job(id)).await;
        harness.clock().advance(minute);
    }
    let seen = async |from: u32, to: u32| {
        let period = Period::Minutes(start.plus(minute * from), start.plus(minute * to));
        let found = counted(&backend, period).await;
        let minutes = found.into_iter().map(|one| {
            assert_eq!((one.key.measure, one.key.bucket), (Measure::Created, UNTIMED));
            assert_eq!(one.sum.count, 1);
            one.minute.since(start).as_secs() / 60
        });
        minutes.collect::<Vec<_>>()
    };
    assert_eq!(seen(0, 9).await, [0, 1, 2, 3]);
    assert_eq!(seen(1, 2).await, [1, 2]);
    let inside = start.plus(minute).plus(Duration::from_secs(59));
    let one = counted(&backend, Period::Minutes(inside, inside)).await;
    assert_eq!(one.len(), 1);
    assert!(seen(3, 2).await.is_empty());

    bounded(backend.store.forget_statistics(start.plus(minute * 2))).await.expect("forgotten");
    assert_eq!(seen(0, 9).await, [2, 3]);
    let all = counted(&backend, Period::Minutes(EVER, harness.clock().now())).await;
    assert_eq!(all.len(), 2, "what was counted since ever is no minute");
    assert_eq!(ever(&backend).await, sums([(sample::STAGE, Measure::Created, 4)]));
    bounded(backend.store.forget_statistics(harness.clock().now())).await.expect("forgotten");
    assert!(seen(0, 9).await.is_empty());
    assert_eq!(ever(&backend).await, sums([(sample::STAGE, Measure::Created, 4)]));
}
