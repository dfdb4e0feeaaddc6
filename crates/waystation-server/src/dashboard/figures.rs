//! Figures out of what was counted: rates and latencies, minute by minute.

use std::collections::BTreeMap;
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::statistics::{BEYOND, BOUNDS_MS, MINUTE_MS, Measure, Statistic, UNTIMED};

/// How long so many things took: a number for each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread([u64; UNTIMED as usize + 1]);

/// What happened in a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub at: Timestamp,
    /// How many jobs were submitted.
    pub created: u64,
    /// How many jobs completed.
    pub completed: u64,
    /// How many jobs failed.
    pub failed: u64,
    /// How many attempts failed and are made again.
    pub retried: u64,
    /// How long the jobs took that completed.
    pub took: Spread,
}

impl Spread {
    /// Takes in so many of a bucket.
    pub fn add(&mut self, bucket: u8, count: u64) {
        if let Some(sum) = self.0.get_mut(usize::from(bucket)) {
            *sum += count;
        }
    }

    /// Takes in all of another one.
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// About how long it took at most for this share of them, from 0 to 1: as if they lay evenly
    /// within their bucket. `None` when there are none.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let timed = &self.0[..=usize::from(BEYOND)];
        let total: u64 = timed.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = share * total as f64;
        let mut below = 0.0;
        for (bucket, count) in timed.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if below + count >= rank {
                let bound = |index: usize| BOUNDS_MS.get(index).copied().unwrap_or(LONGEST_MS);
                let low = bucket.checked_sub(1).map_or(0, bound) as f64;
                let part = ((rank - below) / count).clamp(0.0, 1.0);
                let ms = low + (bound(bucket) as f64 - low) * part;
                return Some(Duration::from_micros((ms * 1_000.0) as u64));
            }
            below += count;
        }
        None
    }
}

/// What stands for everything that took longer than the last bound.
const LONGEST_MS: u64 = BOUNDS_MS[BOUNDS_MS.len() - 1];

/// The minutes from one moment's to another's, also those in which nothing happened, of what `ours`
/// lets through.
pub fn minutes(
    counted: &[Statistic],
    from: Timestamp,
    to: Timestamp,
    ours: impl Fn(&Statistic) -> bool,
) -> Vec<Minute> {
    let first = from.0.div_euclid(MINUTE_MS);
    let last = to.0.div_euclid(MINUTE_MS).max(first);
    let minute = |number: i64| Minute { at: Timestamp(number * MINUTE_MS), ..Minute::default() };
    let mut minutes: Vec<Minute> = (first..=last).map(minute).collect();
    for one in counted.iter().filter(|one| ours(one)) {
        let index = usize::try_from(one.minute.0.div_euclid(MINUTE_MS) - first);
        let Some(minute) = index.ok().and_then(|index| minutes.get_mut(index)) else { continue };
        let count = one.sum.count;
        match one.key.measure {
            Measure::Created => minute.created += count,
            Measure::JobCompleted => {
                minute.completed += count;
                minute.took.add(one.key.bucket, count);
            }
            Measure::JobFailed => minute.failed += count,
            Measure::Retried => minute.retried += count,
            _ => {}
        }
    }
    minutes
}

/// What a stage did of late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How many stage runs completed.
    pub completed: u64,
    /// How many stage runs failed for good.
    pub failed: u64,
    /// How many attempts are made again.
    pub retried: u64,
    /// How long those took that completed.
    pub took: Spread,
}

/// What each stage of a pipeline did from this moment on.
pub fn work(
    counted: &[Statistic],
    pipeline: &PipelineName,
    from: Timestamp,
) -> BTreeMap<StageId, Work> {
    let mut stages: BTreeMap<StageId, Work> = BTreeMap::new();
    let ours = counted.iter().filter(|one| one.key.pipeline == *pipeline && one.minute >= from);
    for one in ours {
        let work = stages.entry(one.key.stage.clone()).or_default();
        match one.key.measure {
            Measure::Completed => {
                work.completed += one.sum.count;
                work.took.add(one.key.bucket, one.sum.count);
            }
            Measure::Failed => work.failed += one.sum.count,
            Measure::Retried => work.retried += one.sum.count,
            _ => {}
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystation_core::statistics::{Key, Sum};

    fn counted(minute: i64, measure: Measure, bucket: u8, count: u64) -> Statistic {
        let key = Key { pipeline: "p".into(), stage: "s".into(), measure, bucket };
        let minute = Timestamp(minute * MINUTE_MS);
        Statistic { minute, key, sum: Sum { count, total_ms: 0 } }
    }

    #[test]
    fn percentiles_lie_within_their_buckets() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(0.5), None);
        spread.add(UNTIMED, 5);
        assert_eq!(spread.percentile(0.5), None, "nobody knows how long these took");
        // 100 between 50 and 100 ms, and one beyond every bound.
        spread.add(6, 100);
        spread.add(BEYOND, 1);
        assert_eq!(spread.percentile(0.5), Some(Duration::from_micros(75_250)));
        assert_eq!(spread.percentile(1.0), Some(Duration::from_millis(LONGEST_MS)));
        let mut other = Spread::default();
        other.add_all(&spread);
        assert_eq!(other, spread);
    }

    #[test]
    fn minutes_without_anything_are_there_too() {
        let all = [
            counted(10, Measure::JobCompleted, 3, 7),
            counted(12, Measure::JobFailed, 3, 2),
            counted(12, Measure::Started, 3, 9),
            counted(99, Measure::JobCompleted, 3, 1),
        ];
        let (from, to) = (Timestamp(10 * MINUTE_MS), Timestamp(12 * MINUTE_MS + 5));
        let minutes = minutes(&all, from, to, |_| true);
        let told: Vec<_> = minutes.iter().map(|one| (one.completed, one.failed)).collect();
        let work = work(&[counted(12, Measure::Failed, 3, 2)], &"p".into(), from);
        assert_eq!(work[&StageId::from("s")].failed, 2);
        assert_eq!(told, [(7, 0), (0, 0), (0, 2)]);
    }
}
