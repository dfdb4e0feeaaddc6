//! How a topic stands now.

use waystation_core::port;

use super::message::{Happening, Snapshot, Written};
use super::topic::Topic;
use crate::context::Context;

/// The most events of a job that are shown: the last ones.
const EVENTS_MAX: usize = 200;
/// The most log lines that are shown: the last ones.
const LINES_MAX: usize = 200;

impl Snapshot {
    /// Reads how a topic stands.
    pub async fn read(context: &Context, topic: &Topic) -> Result<Self, port::Error> {
        let Topic::Job(job_id) = topic else {
            let counts = context.counts().await?;
            let ours = counts.iter().filter(|count| topic.counts(&count.pipeline));
            return Ok(Self { counts: ours.cloned().collect(), ..Self::default() });
        };
        let store = &context.backend().store;
        let Some(job) = store.job(job_id).await? else { return Ok(Self::default()) };
        let (events, log) = (store.events(job_id).await?, store.log(job_id).await?);
        let events = last(&events, EVENTS_MAX).iter();
        let events = events.map(|event| Happening::whole(&job.pipeline, event)).collect();
        let log = last(&log, LINES_MAX).iter().map(Written::from).collect();
        Ok(Self { counts: Vec::new(), job: Some(job.into()), events, log })
    }
}

fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}
