//! Figures out of what was counted: rates, failures and latencies over the last minutes.
//!
//! Pages and the API take theirs from here, so that both say the same. How long things took is told
//! of those that completed: one that fails at once would make a slow stage look fast.

use std::collections::BTreeMap;
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::statistics::{MINUTE_MS, Measure, Statistic, minute};

use crate::spread::Spread;
use crate::wire::Flow;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Jobs as wholes, from submitting to their end.
    Jobs,
    /// Stage runs; what is timed is their last attempt.
    Runs,
}

impl Of {
    /// What is counted when one begins, when one completes, and when one fails for good.
    fn measures(self) -> [Measure; 3] {
        match self {
            Self::Jobs => [Measure::Created, Measure::JobCompleted, Measure::JobFailed],
            Self::Runs => [Measure::Started, Measure::Completed, Measure::Failed],
        }
    }
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many began.
    pub begun: u64,
    /// How many completed.
    pub completed: u64,
    /// How many failed for good.
    pub failed: u64,
    /// How many attempts failed and are made again.
    pub retried: u64,
    /// How long those took that completed.
    pub took: Spread,
}

impl Sums {
    fn add(&mut self, of: Of, one: &Statistic) {
        let [begin, complete, fail] = of.measures();
        let (measure, count) = (one.key.measure, one.sum.count);
        if measure == begin {
            self.begun += count;
        } else if measure == complete {
            self.completed += count;
            self.took.add(one.key.bucket, count);
        } else if measure == fail {
            self.failed += count;
        } else if measure == Measure::Retried {
            self.retried += count;
        }
    }
}

/// So many whole minutes, and what there is of the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The window that ends now.
    pub fn new(minutes: u32, now: Timestamp) -> Self {
        let from = Timestamp(minute(now).0 - i64::from(minutes) * MINUTE_MS);
        Self { from, to: now }
    }

    /// How long it is.
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }

    /// So many within the window, as so many a minute.
    pub fn per_minute(self, count: u64) -> f64 {
        count as f64 * 60.0 / self.length().as_secs_f64().max(1.0)
    }

    /// What happened in it, of what `ours` lets through.
    pub fn sums(self, counted: &[Statistic], of: Of, ours: impl Fn(&Statistic) -> bool) -> Sums {
        let mut sums = Sums::default();
        self.counted(counted).filter(|one| ours(one)).for_each(|one| sums.add(of, one));
        sums
    }

    /// What happened in each of its minutes, also in those in which nothing did.
    pub fn minutes(self, counted: &[Statistic], of: Of) -> Vec<(Timestamp, Sums)> {
        let number = |at: Timestamp| at.0.div_euclid(MINUTE_MS);
        let (first, last) = (number(self.from), number(self.to));
        let empty = |number| (Timestamp(number * MINUTE_MS), Sums::default());
        let mut minutes: Vec<_> = (first..=last).map(empty).collect();
        for one in self.counted(counted) {
            let index = usize::try_from(number(one.minute) - first).ok();
            if let Some((_, sums)) = index.and_then(|index| minutes.get_mut(index)) {
                sums.add(of, one);
            }
        }
        minutes
    }

    /// What each stage of a pipeline did in it.
    pub fn stages(self, counted: &[Statistic], name: &PipelineName) -> BTreeMap<StageId, Sums> {
        let mut stages: BTreeMap<StageId, Sums> = BTreeMap::new();
        for one in self.counted(counted).filter(|one| one.key.pipeline == *name) {
            stages.entry(one.key.stage.clone()).or_default().add(Of::Runs, one);
        }
        stages
    }

    /// What happened in it to jobs as wholes, as it travels.
    pub fn of_jobs(self, counted: &[Statistic], ours: impl Fn(&Statistic) -> bool) -> Flow {
        self.flow(&self.sums(counted, Of::Jobs, ours))
    }

    /// The same, to stage runs.
    pub fn of_runs(self, counted: &[Statistic], ours: impl Fn(&Statistic) -> bool) -> Flow {
        self.flow(&self.sums(counted, Of::Runs, ours))
    }

    fn flow(self, sums: &Sums) -> Flow {
        let within_ms =
            |share| sums.took.percentile(share).map(|took| took.as_secs_f64() * 1_000.0);
        Flow {
            begun_per_minute: self.per_minute(sums.begun),
            completed_per_minute: self.per_minute(sums.completed),
            failed: sums.failed,
            retried: sums.retried,
            p50_ms: within_ms(0.5),
            p99_ms: within_ms(0.99),
        }
    }

    fn counted(self, counted: &[Statistic]) -> impl Iterator<Item = &Statistic> {
        counted.iter().filter(move |one| self.from <= one.minute)
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::statistics::{BEYOND, Key, Sum, UNTIMED};

    use super::*;

    fn counted(minute: i64, measure: Measure, bucket: u8, count: u64) -> Statistic {
        let key = Key { pipeline: "p".into(), stage: "s".into(), measure, bucket };
        let minute = Timestamp(minute * MINUTE_MS);
        Statistic { minute, key, sum: Sum { count, total_ms: 0 } }
    }

    #[test]
    fn window_leaves_out_what_was_before_and_divides_by_its_own_length() {
        let all = [
            counted(7, Measure::Completed, 6, 1_000),
            counted(9, Measure::Started, UNTIMED, 30),
            counted(9, Measure::Completed, 6, 100),
            counted(10, Measure::Completed, UNTIMED, 50),
            counted(10, Measure::Failed, BEYOND, 1),
            counted(10, Measure::Retried, 3, 4),
            counted(10, Measure::JobCompleted, 3, 9),
        ];
        let window = Window::new(2, Timestamp(10 * MINUTE_MS + 30_000));
        assert_eq!(window.length(), Duration::from_secs(150));
        let flow = window.of_runs(&all, |_| true);
        assert_eq!((flow.begun_per_minute, flow.completed_per_minute), (12.0, 60.0));
        assert_eq!((flow.failed, flow.retried), (1, 4));
        // 100 between 50 and 100 ms. The one that failed beyond every bound does not count.
        assert_eq!((flow.p50_ms, flow.p99_ms), (Some(75.0), Some(99.5)));
        let jobs = window.of_jobs(&all, |_| true).completed_per_minute;
        assert!((jobs - 3.6).abs() < 1e-9, "{jobs}");
        let none = window.of_runs(&all, |_| false);
        assert_eq!((none.p50_ms, none.begun_per_minute), (None, 0.0));
    }
    #[test]
    fn minutes_and_stages_add_up_to_the_window() {
        let all = [
            counted(7, Measure::JobCompleted, 3, 5),
            counted(10, Measure::JobCompleted, 3, 7),
            counted(12, Measure::JobFailed, 3, 2),
            counted(12, Measure::Failed, 3, 2),
        ];
        let window = Window::new(2, Timestamp(12 * MINUTE_MS + 5));
        let minutes = window.minutes(&all, Of::Jobs);
        let told: Vec<_> = minutes.iter().map(|(_, one)| (one.completed, one.failed)).collect();
        assert_eq!(told, [(7, 0), (0, 0), (0, 2)]);
        assert_eq!(minutes[1].0, Timestamp(11 * MINUTE_MS));
        assert_eq!(window.stages(&all, &"p".into())[&StageId::from("s")].failed, 2);
        assert_eq!(window.sums(&all, Of::Jobs, |_| true).completed, 7);
    }
}
