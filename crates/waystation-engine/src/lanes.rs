//! Bounded lanes: what comes from outside is held back where enough waits already.
//!
//! A stage's queue has two lanes: the normal one is for outsiders, and priorities above 0 are the
//! one for what workers make themselves. With a `lane_limit` no outsider adds to the normal lane
//! while as many wait in the queue; what goes on from another stage, children, and what has
//! priority always come in, so that no worker ever waits for itself. Two who submit at the same
//! moment may both find room, so that the limit is exceeded by as much as they bring.

use std::collections::BTreeMap;

use waystation_core::id::StageId;
use waystation_core::port;
use waystation_core::settlement::{NewJob, Start};

use crate::backend::Backend;
use crate::graph::Graph;

/// There is no room for what was to come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the lane of stage `{stage}` is full: {waiting} jobs wait there, {new} more would be above \
     its limit of {limit} (hint: try again in a moment)"
)]
pub struct Full {
    /// The stage.
    pub stage: StageId,
    /// How many wait in its queue.
    pub waiting: u64,
    /// How many were to come.
    pub new: u64,
    /// As many may wait there.
    pub limit: u64,
}

/// Whether there is room for these jobs where they start: the first stage that has none. What is
/// more than a whole lane takes comes in while the lane is not full.
pub async fn look<'a>(
    backend: &Backend,
    graph: &Graph,
    jobs: impl Iterator<Item = &'a NewJob>,
) -> Result<Option<Full>, port::Error> {
    for (stage, new) in outsiders(graph, jobs) {
        let Some(limit) = graph.pipeline.stage(stage).and_then(|stage| stage.lane_limit) else {
            continue;
        };
        let (limit, depth) = (u64::from(limit), backend.queue.depth(&graph.queue_of(stage)).await?);
        // What is held back until a time is no work yet.
        let waiting = depth.ready + depth.behind;
        if waiting >= limit || (new <= limit && waiting + new > limit) {
            return Ok(Some(Full { stage: stage.clone(), waiting, new, limit }));
        }
    }
    Ok(None)
}

/// How many of these jobs come into the normal lane of which bounded stage.
fn outsiders<'a>(
    graph: &Graph,
    jobs: impl Iterator<Item = &'a NewJob>,
) -> BTreeMap<&'a StageId, u64> {
    let mut counts = BTreeMap::new();
    let is_bounded = |stage: &StageId| {
        graph.pipeline.stage(stage).is_some_and(|stage| stage.lane_limit.is_some())
    };
    for job in jobs {
        if let Start::Queue(message) = &job.start
            && message.priority <= 0
            && is_bounded(&message.stage)
        {
            *counts.entry(&message.stage).or_default() += 1;
        }
    }
    counts
}
