//! Figures out of what was counted: rates, failures and latencies over the last minutes.

use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::statistics::{MINUTE_MS, Measure, Statistic, minute};

use crate::spread::Spread;
use crate::wire::Flow;

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

    /// What happened in it of what `ours` lets through, to jobs as wholes.
    pub fn of_jobs(self, counted: &[Statistic], ours: impl Fn(&Statistic) -> bool) -> Flow {
        self.flow(counted, ours, Measure::Created, Measure::JobCompleted, Measure::JobFailed)
    }

    /// The same, to stage runs.
    pub fn of_runs(self, counted: &[Statistic], ours: impl Fn(&Statistic) -> bool) -> Flow {
        self.flow(counted, ours, Measure::Started, Measure::Completed, Measure::Failed)
    }

    fn flow(
        self,
        counted: &[Statistic],
        ours: impl Fn(&Statistic) -> bool,
        begin: Measure,
        complete: Measure,
        fail: Measure,
    ) -> Flow {
        let (mut begun, mut completed, mut flow) = (0, 0, Flow::default());
        let mut took = Spread::default();
        for one in counted.iter().filter(|one| self.from <= one.minute && ours(one)) {
            let (measure, count) = (one.key.measure, one.sum.count);
            match measure {
                _ if measure == begin => begun += count,
                _ if measure == complete => completed += count,
                _ if measure == fail => flow.failed += count,
                Measure::Retried => flow.retried += count,
                _ => {}
            }
            // Failed ones count: whoever waits for them waits as long.
            if measure == complete || measure == fail {
                took.add(one.key.bucket, count);
            }
        }
        let minutes = self.length().as_secs_f64() / 60.0;
        flow.begun_per_minute = begun as f64 / minutes;
        flow.completed_per_minute = completed as f64 / minutes;
        let within_ms = |share| took.percentile(share).map(|took| took.as_secs_f64() * 1_000.0);
        flow.p50_ms = within_ms(0.5);
        flow.p99_ms = within_ms(0.99);
        flow
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
        // 100 between 50 and 100 ms, and one beyond every bound.
        assert_eq!(flow.p50_ms, Some(75.25));
        let jobs = window.of_jobs(&all, |_| true).completed_per_minute;
        assert!((jobs - 3.6).abs() < 1e-9, "{jobs}");
        let none = window.of_runs(&all, |_| false);
        assert_eq!((none.p50_ms, none.begun_per_minute), (None, 0.0));
    }
}
