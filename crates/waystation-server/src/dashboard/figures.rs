//! What pages show of what was counted: minute by minute, and stage by stage.

use std::collections::BTreeMap;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::statistics::{MINUTE_MS, Measure, Statistic};

use crate::spread::Spread;

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
