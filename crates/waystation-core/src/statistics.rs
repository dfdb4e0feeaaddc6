//! What is counted of jobs, minute by minute and since ever: how many, and how long it took.
//!
//! Stores count in the commits that are made anyway. A count that is wrong for a moment would do;
//! these are exact, since a commit either holds with its counts or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::{PipelineName, StageId};
use crate::settlement::Settlement;
use crate::state::JobState;

/// The upper bounds of the buckets, in milliseconds, ends included. What is longer goes into one
/// more; what took no known time goes into [`UNTIMED`].
pub const BOUNDS_MS: [u64; 18] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
    1_800_000, 21_600_000,
];
/// The bucket of what is longer than every bound.
pub const BEYOND: u8 = BOUNDS_MS.len() as u8;
/// The bucket of what took no known time.
pub const UNTIMED: u8 = BEYOND + 1;
/// The length of what is counted apart.
pub const MINUTE_MS: i64 = 60_000;
/// The minute under which everything since ever is counted.
pub const EVER: Timestamp = Timestamp(0);
/// How long minutes are kept.
pub const KEPT: Duration = Duration::from_hours(24 * 8);
/// What took longer is counted as if it had taken this long: a journal may tell any moment, and
/// sums are to stay within what databases can add.
pub const TOOK_MAX: Duration = Duration::from_hours(24 * 365);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Jobs that were submitted.
    Created,
    /// Attempts that began. Their time is the wait in the queue before.
    Started,
    /// Stage runs that completed. Their time is the last attempt's, or the person's.
    Completed,
    /// Attempts that failed and are made again. Their time is the attempt's.
    Retried,
    /// Stage runs that failed for good. Their time is the last attempt's.
    Failed,
    /// Leases that ran out.
    Abandoned,
    /// Jobs that completed, at their last stage. Their time is from submitting to the end, as it
    /// is with all jobs that end.
    JobCompleted,
    /// Jobs that failed.
    JobFailed,
    /// Jobs that were aborted.
    JobAborted,
    /// Jobs that were passed over.
    JobSkipped,
}

impl Measure {
    /// Every measure. Its place in this list is the number that stores may keep for it, so new ones
    /// go to the end.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Started,
        Self::Completed,
        Self::Retried,
        Self::Failed,
        Self::Abandoned,
        Self::JobCompleted,
        Self::JobFailed,
        Self::JobAborted,
        Self::JobSkipped,
    ];

    /// Its place in [`Self::ALL`].
    pub fn number(self) -> u8 {
        Self::ALL.iter().position(|known| *known == self).unwrap_or_default() as u8
    }

    /// What is counted of an event.
    pub fn of_event(kind: EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::Created => Self::Created,
            EventKind::Started => Self::Started,
            EventKind::Completed => Self::Completed,
            EventKind::Retried => Self::Retried,
            EventKind::Failed => Self::Failed,
            EventKind::Abandoned => Self::Abandoned,
            EventKind::Skipped
            | EventKind::Aborted
            | EventKind::Waiting
            | EventKind::HandedBack
            | EventKind::Requeued
            | EventKind::Dropped => return None,
        })
    }

    /// What is counted of a job that comes to stand in this state.
    pub fn of_end(state: JobState) -> Option<Self> {
        Some(match state {
            JobState::Completed => Self::JobCompleted,
            JobState::Failed => Self::JobFailed,
            JobState::Aborted => Self::JobAborted,
            JobState::Skipped => Self::JobSkipped,
            _ => return None,
        })
    }
}

/// What a count is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage.
    pub stage: StageId,
    /// What is counted there.
    pub measure: Measure,
    /// How long it took: an index of [`BOUNDS_MS`], [`BEYOND`] or [`UNTIMED`].
    pub bucket: u8,
}

/// How many there were, and how long they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Milliseconds, of all of them.
    pub total_ms: u64,
}

/// What one commit counts. Ordered, so that commits that wait for each other's rows take them in
/// the same order.
pub type Sums = BTreeMap<Key, Sum>;

/// A count as the store tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// The beginning of the minute, or [`EVER`].
    pub minute: Timestamp,
    /// What was counted.
    pub key: Key,
    /// How many.
    pub sum: Sum,
}

/// Which counts are wanted.
#[derive(Clone, Debug)]
pub enum Period {
    /// Since ever.
    Ever,
    /// Minute by minute, from the minute of the first moment to that of the last one.
    Minutes(Timestamp, Timestamp),
}

/// The minute that a moment is in.
pub fn minute(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(MINUTE_MS) * MINUTE_MS)
}

/// The bucket of what took this long.
pub fn bucket(took: Option<Duration>) -> u8 {
    let Some(took) = took else { return UNTIMED };
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    BOUNDS_MS.iter().position(|bound| ms <= *bound).map_or(BEYOND, |index| index as u8)
}

/// Counts one thing more.
pub fn count(
    sums: &mut Sums,
    (pipeline, stage): (&PipelineName, &StageId),
    measure: Measure,
    took: Option<Duration>,
) {
    let bucket = bucket(took);
    let key = Key { pipeline: pipeline.clone(), stage: stage.clone(), measure, bucket };
    let sum = sums.entry(key).or_default();
    sum.count += 1;
    let took_ms = took.map_or(0, |took| took.min(TOOK_MAX).as_millis() as u64);
    sum.total_ms = sum.total_ms.saturating_add(took_ms);
}

/// Counts what a settlement that was applied tells, but for the job's end. `since` is when what it
/// ends came into its queue or into the inbox.
pub fn count_settlement(sums: &mut Sums, settlement: &Settlement, since: Option<Timestamp>) {
    count_events(sums, &settlement.pipeline, &settlement.events, since);
}

/// Counts events that were written together, oldest first.
pub fn count_events(
    sums: &mut Sums,
    pipeline: &PipelineName,
    events: &[Event],
    since: Option<Timestamp>,
) {
    for (index, event) in events.iter().enumerate() {
        let Some(measure) = Measure::of_event(event.kind) else { continue };
        let began = match measure {
            Measure::Started => since,
            Measure::Created | Measure::Abandoned => None,
            _ => began(&events[..index], event).or(since),
        };
        let took = began.map(|began| event.at.since(began));
        count(sums, (pipeline, &event.stage), measure, took);
    }
}

/// Counts events that a broker's journal told of one job. How long they waited there is not known.
/// `running_since` is when the attempt began that the job was known to be in before.
pub fn count_told(
    sums: &mut Sums,
    pipeline: &PipelineName,
    events: &[Event],
    running_since: Option<Timestamp>,
) {
    for (index, event) in events.iter().enumerate() {
        let Some(measure) = Measure::of_event(event.kind) else { continue };
        let began = match measure {
            Measure::Created | Measure::Started | Measure::Abandoned => None,
            _ => began(&events[..index], event).or(running_since),
        };
        let took = began.map(|began| event.at.since(began));
        count(sums, (pipeline, &event.stage), measure, took);
    }
}

/// When the attempt began that this event ends.
fn began(earlier: &[Event], event: &Event) -> Option<Timestamp> {
    let same = |other: &&Event| {
        other.kind == EventKind::Started
            && other.stage == event.stage
            && other.visit == event.visit
            && other.attempt == event.attempt
    };
    earlier.iter().rev().find(same).map(|started| started.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, attempt: u32, at: i64) -> Event {
        let (job_id, stage) = ("a".into(), "first".into());
        Event { job_id, kind, stage, visit: 1, attempt, at: Timestamp(at), detail: None }
    }

    /// What was counted, as `measure bucket count total`.
    fn told(sums: &Sums) -> Vec<(Measure, u8, u64, u64)> {
        let of = |(key, sum): (&Key, &Sum)| (key.measure, key.bucket, sum.count, sum.total_ms);
        sums.iter().map(of).collect()
    }

    #[test]
    fn bucket_is_the_first_that_is_long_enough() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let cases = [(0, 0), (1, 0), (2, 1), (3, 2), (60_000, 14), (21_600_000, 17)];
        for (took, expected) in cases {
            assert_eq!(bucket(ms(took)), expected, "{took} ms");
        }
        assert_eq!(bucket(ms(21_600_001)), BEYOND);
        assert_eq!(bucket(Some(Duration::MAX)), BEYOND);
        assert_eq!(bucket(None), UNTIMED);
    }

    #[test]
    fn waits_are_counted_of_starts_and_attempts_of_their_ends() {
        let events = [
            event(EventKind::Started, 1, 1_003),
            event(EventKind::Retried, 1, 1_053),
            event(EventKind::Waiting, 1, 1_053),
        ];
        let mut sums = Sums::new();
        count_events(&mut sums, &"p".into(), &events, Some(Timestamp(1_000)));
        let expected = [(Measure::Started, 2, 1, 3), (Measure::Retried, 5, 1, 50)];
        assert_eq!(told(&sums), expected);
    }

    #[test]
    fn attempt_that_a_journal_told_of_before_began_when_it_said() {
        let events = [event(EventKind::Completed, 1, 1_010), event(EventKind::Started, 1, 1_011)];
        let mut sums = Sums::new();
        count_told(&mut sums, &"p".into(), &events, Some(Timestamp(1_000)));
        let expected = [(Measure::Started, UNTIMED, 1, 0), (Measure::Completed, 3, 1, 10)];
        assert_eq!(told(&sums), expected);
    }

    #[test]
    fn what_took_unbelievably_long_keeps_sums_within_bounds() {
        let mut sums = Sums::new();
        let place = (&"p".into(), &"first".into());
        count(&mut sums, place, Measure::Completed, Some(Duration::MAX));
        let year = TOOK_MAX.as_millis() as u64;
        assert_eq!(told(&sums), [(Measure::Completed, BEYOND, 1, year)]);
    }
}
