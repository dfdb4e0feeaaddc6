//! What is counted, and the feed of what happened.

use std::collections::BTreeMap;

use waystation_core::clock::Timestamp;
use waystation_core::event::Event;
use waystation_core::id::JobId;
use waystation_core::job::{Feed, PAGE_MAX};
use waystation_core::statistics::{self, EVER, Key, Measure, Period, Statistic, Sum, Sums, minute};

use crate::state::State;

/// All counts, by minute.
#[derive(Default)]
pub(crate) struct Counting(BTreeMap<(Timestamp, Key), Sum>);

impl Counting {
    fn add(&mut self, sums: Sums, now: Timestamp) {
        for (key, sum) in sums {
            for minute in [EVER, minute(now)] {
                let kept = self.0.entry((minute, key.clone())).or_default();
                kept.count += sum.count;
                kept.total_ms = kept.total_ms.saturating_add(sum.total_ms);
            }
        }
    }

    pub fn of(&self, period: &Period) -> Vec<Statistic> {
        let (from, to) = match period {
            Period::Ever => (EVER, EVER),
            Period::Minutes(from, to) => (minute(*from).max(Timestamp(1)), minute(*to)),
        };
        let counts = self.0.iter().filter(|((minute, _), _)| (from..=to).contains(minute));
        let statistic = |((minute, key), sum): (&(Timestamp, Key), &Sum)| Statistic {
            minute: *minute,
            key: key.clone(),
            sum: *sum,
        };
        counts.map(statistic).collect()
    }

    pub fn forget(&mut self, before: Timestamp) {
        self.0.retain(|(minute, _), _| *minute == EVER || *minute >= before);
    }
}

impl State {
    /// Writes down what happened to a job. `since` is when what ended thereby came to its place.
    pub fn note_events(
        &mut self,
        job_id: &JobId,
        events: Vec<Event>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let mut sums = Sums::new();
        statistics::count_events(&mut sums, &job.pipeline, &events, since);
        self.counting.add(sums, now);
        self.keep_events(job_id, events);
    }

    /// Writes down what a broker's journal told of a job, whose attempt was known to have begun at
    /// this moment.
    pub fn note_told(
        &mut self,
        job_id: &JobId,
        events: Vec<Event>,
        ran_since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let mut sums = Sums::new();
        statistics::count_told(&mut sums, &job.pipeline, &events, ran_since);
        self.counting.add(sums, now);
        self.keep_events(job_id, events);
    }

    fn keep_events(&mut self, job_id: &JobId, events: Vec<Event>) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        self.feed.extend(events.iter().map(|event| (job.pipeline.clone(), event.clone())));
        job.events.extend(events);
    }

    /// Counts a job that has ended, if it has.
    pub fn count_end(&mut self, job_id: &JobId, now: Timestamp) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let Some(measure) = Measure::of_end(job.state) else { return };
        let mut sums = Sums::new();
        let took = now.since(job.created_at);
        statistics::count(&mut sums, (&job.pipeline, &job.stage), measure, Some(took));
        self.counting.add(sums, now);
    }

    /// A page of what happened to all jobs.
    pub fn feed(&self, after: Option<u64>, limit: usize) -> Feed {
        let end = self.feed.len();
        let Some(after) = after else { return Feed { events: Vec::new(), next: end as u64 } };
        let from = usize::try_from(after).unwrap_or(end).min(end);
        let to = from.saturating_add(limit.min(PAGE_MAX)).min(end);
        Feed { events: self.feed[from..to].to_vec(), next: after.max(to as u64) }
    }
}
