//! What the page of jobs shows.

use std::collections::BTreeSet;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::JobPage;
use waystation_core::port;
use waystation_core::state::JobState;

use super::filter::Filter;
use crate::context::Context;
use crate::problem::Problem;

/// What the page of jobs shows.
pub struct Jobs {
    /// The present moment.
    pub now: Timestamp,
    /// Which jobs.
    pub filter: Filter,
    /// They themselves, or what of the filter means nothing.
    pub page: Result<JobPage, Problem>,
    /// The pipelines that there are jobs of.
    pub pipelines: BTreeSet<PipelineName>,
    /// The stages at which jobs of the wanted pipelines stand.
    pub stages: BTreeSet<StageId>,
    /// How many jobs stand in each state, of the wanted pipeline and stage.
    pub states: Vec<(JobState, u64)>,
}

/// Reads it.
pub async fn read(context: &Context, filter: Filter) -> Result<Jobs, port::Error> {
    let store = &context.backend().store;
    let page = async {
        match filter.to_store() {
            Ok(wanted) => store.jobs(wanted).await.map(Ok),
            Err(problem) => Ok(Err(problem)),
        }
    };
    let (counts, page) = tokio::try_join!(context.counts(), page)?;
    let pipelines = counts.iter().map(|count| count.pipeline.clone()).collect();
    let is_wanted = |wanted: &str, name: &str| wanted.is_empty() || wanted == name;
    let of_pipeline =
        || counts.iter().filter(|count| is_wanted(&filter.pipeline, count.pipeline.as_str()));
    let stages = of_pipeline().map(|count| count.stage.clone()).collect();
    let at_stage = || of_pipeline().filter(|count| is_wanted(&filter.stage, count.stage.as_str()));
    let standing = |state: JobState| {
        let jobs = at_stage().filter(|count| count.state == state).map(|count| count.jobs).sum();
        (state, jobs)
    };
    let states = JobState::ALL.into_iter().map(standing).filter(|(_, jobs)| *jobs > 0).collect();
    Ok(Jobs { now: context.now(), filter, page, pipelines, stages, states })
}
