//! What the overview shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, QueueName};
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord, TaskFilter, TaskRecord};
use waystation_core::port::{self, Depth};
use waystation_core::state::JobState;
use waystation_engine::control::Pause;

use crate::context::Context;
use crate::figures::{Of, Sums, Window};
use crate::spread::Spread;

/// How many of each kind want attention at a time.
const SHOWN: usize = 6;
/// How many minutes the charts are of, and what is told of the hour.
const HOUR_MINUTES: u32 = 60;
/// How many minutes the rate is taken over, as the API's is.
const RATE_MINUTES: u32 = 5;
/// How many minutes latencies are taken over.
const LATENCY_MINUTES: u32 = 15;

/// What the overview shows.
pub struct Overview {
    /// The present moment.
    pub now: Timestamp,
    /// What happened to jobs in each minute of the last hour, and in this one.
    pub minutes: Vec<(Timestamp, Sums)>,
    /// What happened to them within the hour.
    pub hour: Sums,
    /// How many completed a minute, of late.
    pub rate: f64,
    /// How long they took, of late.
    pub took: Spread,
    /// How many pipelines the store knows.
    pub known: u64,
    /// What is paused or drained.
    pub pauses: Vec<Pause>,
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
    let (counts, counted, depths, letters, tasks, pauses, known) = tokio::try_join!(
        context.counts(),
        context.minutes(),
        context.depths(),
        store.dead_letters(DeadLetterFilter::newest(SHOWN)),
        store.tasks(TaskFilter::first(SHOWN)),
        context.client().pauses(),
        store.pipelines(),
    )?;
    let mut by_state: BTreeMap<PipelineName, BTreeMap<JobState, u64>> = BTreeMap::new();
    for count in counts.iter() {
        let states = by_state.entry(count.pipeline.clone()).or_default();
        *states.entry(count.state).or_default() += count.jobs;
    }
    let states = by_state.into_iter().map(|(name, states)| (name, states.into_iter().collect()));
    let all = |minutes| Window::new(minutes, now).sums(&counted, Of::Jobs, |_| true);
    Ok(Overview {
        now,
        minutes: Window::new(HOUR_MINUTES, now).minutes(&counted, Of::Jobs),
        hour: all(HOUR_MINUTES),
        rate: Window::new(RATE_MINUTES, now).per_minute(all(RATE_MINUTES).completed),
        took: all(LATENCY_MINUTES).took,
        pipelines: states.collect(),
        depths,
        letters,
        tasks,
        known: known.len() as u64,
        pauses,
    })
}

impl Overview {
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
