//! Jobs and attempts, as the store counted them since ever.

use std::collections::BTreeMap;

use prometheus::proto::MetricFamily;
use waystation_core::job::Count;
use waystation_core::statistics::{BEYOND, BOUNDS_MS, Measure, Statistic, Sum, UNTIMED};

use super::family::Family;

/// A pipeline, a stage, and what came of it.
type Labels<'a> = (&'a str, &'a str, &'static str);

/// How many jobs stand where.
pub fn standing(counts: &[Count]) -> Option<MetricFamily> {
    let help = "Jobs that stand at a stage in a state.";
    let mut jobs = Family::gauge("waystation_jobs", help);
    for count in counts {
        let labels = [
            ("pipeline", count.pipeline.as_str()),
            ("stage", count.stage.as_str()),
            ("state", count.state.as_str()),
        ];
        jobs.add(labels, count.jobs as f64);
    }
    jobs.done()
}

/// What was counted since ever.
pub fn ever(statistics: &[Statistic]) -> Vec<MetricFamily> {
    let created = |measure| (measure == Measure::Created).then_some("created");
    let abandoned = |measure| (measure == Measure::Abandoned).then_some("abandoned");
    let started = |measure| (measure == Measure::Started).then_some("started");
    let families = [
        plain(
            Family::counter("waystation_jobs_created_total", "Jobs that were submitted."),
            &gathered(statistics, created),
        ),
        by_outcome(
            Family::counter(
                "waystation_jobs_ended_total",
                "Jobs that ended, by the stage and the way in which they did.",
            ),
            &gathered(statistics, job_end),
        ),
        timed(
            Family::histogram(
                "waystation_job_duration_seconds",
                "Time of jobs from being submitted to their end.",
            ),
            &gathered(statistics, job_end),
        ),
        plain(
            Family::counter("waystation_attempts_started_total", "Attempts that began."),
            &gathered(statistics, started),
        ),
        by_outcome(
            Family::counter("waystation_attempts_ended_total", "Attempts that ended."),
            &gathered(statistics, attempt_end),
        ),
        waits(
            Family::histogram(
                "waystation_queue_wait_seconds",
                "Time that attempts waited in their queue before they began.",
            ),
            &gathered(statistics, started),
        ),
        timed(
            Family::histogram("waystation_attempt_duration_seconds", "Time of attempts."),
            &gathered(statistics, attempt_end),
        ),
        plain(
            Family::counter(
                "waystation_leases_lost_total",
                "Leases that ran out while a worker had the job.",
            ),
            &gathered(statistics, abandoned),
        ),
    ];
    families.into_iter().flatten().collect()
}

fn job_end(measure: Measure) -> Option<&'static str> {
    Some(match measure {
        Measure::JobCompleted => "completed",
        Measure::JobFailed => "failed",
        Measure::JobAborted => "aborted",
        Measure::JobSkipped => "skipped",
        _ => return None,
    })
}

fn attempt_end(measure: Measure) -> Option<&'static str> {
    Some(match measure {
        Measure::Completed => "completed",
        Measure::Retried => "retried",
        Measure::Failed => "failed",
        _ => return None,
    })
}

/// How many there were in each bucket.
#[derive(Default)]
struct Spread {
    buckets: [u64; BOUNDS_MS.len()],
    beyond: u64,
    untimed: u64,
    total_ms: u64,
}

impl Spread {
    fn add(&mut self, bucket: u8, sum: Sum) {
        let place = match bucket {
            UNTIMED => &mut self.untimed,
            BEYOND => &mut self.beyond,
            known => match self.buckets.get_mut(usize::from(known)) {
                Some(place) => place,
                None => return,
            },
        };
        *place += sum.count;
        self.total_ms = self.total_ms.saturating_add(sum.total_ms);
    }

    fn timed(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.beyond
    }

    fn count(&self) -> u64 {
        self.timed() + self.untimed
    }
}

fn gathered(
    statistics: &[Statistic],
    named: impl Fn(Measure) -> Option<&'static str>,
) -> BTreeMap<Labels<'_>, Spread> {
    let mut spreads: BTreeMap<Labels<'_>, Spread> = BTreeMap::new();
    for Statistic { key, sum, .. } in statistics {
        if let Some(outcome) = named(key.measure) {
            let labels = (key.pipeline.as_str(), key.stage.as_str(), outcome);
            spreads.entry(labels).or_default().add(key.bucket, *sum);
        }
    }
    spreads
}

fn plain(mut family: Family, spreads: &BTreeMap<Labels<'_>, Spread>) -> Option<MetricFamily> {
    for ((pipeline, stage, _), spread) in spreads {
        family.add([("pipeline", *pipeline), ("stage", *stage)], spread.count() as f64);
    }
    family.done()
}

fn by_outcome(mut family: Family, spreads: &BTreeMap<Labels<'_>, Spread>) -> Option<MetricFamily> {
    for ((pipeline, stage, outcome), spread) in spreads {
        let labels = [("pipeline", *pipeline), ("stage", *stage), ("outcome", *outcome)];
        family.add(labels, spread.count() as f64);
    }
    family.done()
}

fn timed(mut family: Family, spreads: &BTreeMap<Labels<'_>, Spread>) -> Option<MetricFamily> {
    for ((pipeline, stage, outcome), spread) in spreads {
        let labels = [("pipeline", *pipeline), ("stage", *stage), ("outcome", *outcome)];
        fill(&mut family, labels, spread);
    }
    family.done()
}

fn waits(mut family: Family, spreads: &BTreeMap<Labels<'_>, Spread>) -> Option<MetricFamily> {
    for ((pipeline, stage, _), spread) in spreads {
        fill(&mut family, [("pipeline", *pipeline), ("stage", *stage)], spread);
    }
    family.done()
}

fn fill<const N: usize>(family: &mut Family, labels: [(&str, &str); N], spread: &Spread) {
    if spread.timed() == 0 {
        return;
    }
    let bounds = BOUNDS_MS.iter().map(|ms| *ms as f64 / 1_000.0);
    let buckets: Vec<(f64, u64)> = bounds.zip(spread.buckets).collect();
    family.add_buckets(labels, &buckets, spread.beyond, spread.total_ms as f64 / 1_000.0);
}

#[cfg(test)]
mod tests {
    use waystation_core::statistics::{EVER, Key};

    use super::*;

    fn statistic(measure: Measure, bucket: u8, count: u64, total_ms: u64) -> Statistic {
        let key = Key { pipeline: "p".into(), stage: "s".into(), measure, bucket };
        Statistic { minute: EVER, key, sum: Sum { count, total_ms } }
    }

    #[test]
    fn buckets_are_cumulated_and_what_took_no_known_time_is_only_counted() {
        let families = ever(&[
            statistic(Measure::Started, 0, 2, 2),
            statistic(Measure::Started, 3, 1, 9),
            statistic(Measure::Started, BEYOND, 1, 30_000_000),
            statistic(Measure::Started, UNTIMED, 5, 0),
        ]);
        let find = |name: &str| families.iter().find(|family| family.name() == name);
        let began = find("waystation_attempts_started_total").expect("counted");
        assert!((began.get_metric()[0].get_counter().get_value() - 9.0).abs() < f64::EPSILON);
        let waits = find("waystation_queue_wait_seconds").expect("counted");
        let histogram = waits.get_metric()[0].get_histogram();
        assert_eq!(histogram.get_sample_count(), 4);
        let cumulated = histogram.get_bucket().iter().map(Bucket::cumulative_count);
        assert_eq!(cumulated.take(5).collect::<Vec<_>>(), [2, 2, 2, 3, 3]);
        assert!(find("waystation_jobs_ended_total").is_none(), "nothing of it was counted");
    }

    use prometheus::proto::Bucket;
}
