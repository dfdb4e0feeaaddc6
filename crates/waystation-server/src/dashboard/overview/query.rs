//! What the overview shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, QueueName};
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord, TaskFilter, TaskRecord};
use waystation_core::port::{self, Depth};
use waystation_core::state::JobState;

use crate::context::{Context, MINUTES_BACK};
use crate::dashboard::figures::{self, Minute};
use crate::spread::Spread;

/// How many of each kind want attention at a time.
const SHOWN: usize = 6;
/// How many minutes a rate is taken over.
const RATE_MINUTES: usize = 5;
/// How many minutes latencies are taken over.
const LATENCY_MINUTES: usize = 15;

/// What the overview shows.
pub struct Overview {
    /// The present moment.
    pub now: Timestamp,
    /// The last hour and this minute.
    pub minutes: Vec<Minute>,
    /// How many jobs of each pipeline stand in each state.
    pub pipelines: BTreeMap<PipelineName, Vec<(JobState, u64)>>,
    /// How much waits in each queue.
    pub depths: Arc<Vec<(QueueName, Depth)>>,
    /// What failed last.
    pub letters: Vec<DeadLetterRecord>,
    /// What waits for a person the longest.
    pub tasks: Vec<TaskRecord>,
}

/// Reads it.
pub async fn read(context: &Context) -> Result<Overview, port::Error> {
    let (now, store) = (context.now(), &context.backend().store);
    let (counts, counted, depths, letters, tasks) = tokio::try_join!(
        context.counts(),
        context.minutes(),
        context.depths(),
        store.dead_letters(DeadLetterFilter::newest(SHOWN)),
        store.tasks(TaskFilter::first(SHOWN)),
    )?;
    let mut by_state: BTreeMap<PipelineName, BTreeMap<JobState, u64>> = BTreeMap::new();
    for count in counts.iter() {
        let states = by_state.entry(count.pipeline.clone()).or_default();
        *states.entry(count.state).or_default() += count.jobs;
    }
    let states = by_state.into_iter().map(|(name, states)| (name, states.into_iter().collect()));
    let minutes = figures::minutes(&counted, now.minus(MINUTES_BACK), now, |_| true);
    Ok(Overview { now, minutes, pipelines: states.collect(), depths, letters, tasks })
}

impl Overview {
    /// How many jobs completed a minute, of late.
    pub fn rate(&self) -> f64 {
        let from = self.minutes.len().saturating_sub(RATE_MINUTES);
        let of_late = &self.minutes[from..];
        let Some(first) = of_late.first() else { return 0.0 };
        let completed: u64 = of_late.iter().map(|one| one.completed).sum();
        completed as f64 * 60.0 / self.now.since(first.at).as_secs_f64().max(1.0)
    }

    /// How many jobs completed, failed and were retried within the hour.
    pub fn hour(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&Minute) -> u64| self.minutes.iter().map(of).sum();
        (sum(|one| one.completed), sum(|one| one.failed), sum(|one| one.retried))
    }

    /// How long jobs took, of late: half of them, and nearly all.
    pub fn latency(&self) -> Option<(Duration, Duration)> {
        let from = self.minutes.len().saturating_sub(LATENCY_MINUTES);
        let mut spread = Spread::default();
        self.minutes[from..].iter().for_each(|minute| spread.add_all(&minute.took));
        Some((spread.percentile(0.5)?, spread.percentile(0.99)?))
    }

    /// How many jobs stand in this state.
    pub fn standing(&self, state: JobState) -> u64 {
        let all = self.pipelines.values().flatten();
        all.filter(|(known, _)| *known == state).map(|(_, jobs)| jobs).sum()
    }

    /// How many deliveries wait, and since when the oldest one does.
    pub fn backlog(&self) -> (u64, Option<Timestamp>) {
        let ready = self.depths.iter().map(|(_, depth)| depth.ready).sum();
        (ready, self.depths.iter().filter_map(|(_, depth)| depth.oldest).min())
    }
}
