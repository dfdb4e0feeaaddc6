//! The job of an item.

use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, Label, StageId};
use waystation_core::pipeline::{Onward, Traveller};
use waystation_core::settlement::{Dedupe, NewJob};
use waystation_core::source::Item;

use crate::backend::Backend;
use crate::decide::{Plan, new_job};
use crate::graph::Graph;

/// The job of an item: it starts where the source's routes lead. An item becomes one job only,
/// unless a crawl's name is given, within which it does.
pub fn plan(
    backend: &Backend,
    graph: &Graph,
    stage: &StageId,
    item: Item,
    again: Option<&str>,
) -> Result<NewJob, Failure> {
    let contract = |message: String| Failure::new(ErrorKind::Contract, message);
    let pipeline = &graph.pipeline;
    let way = pipeline
        .onward(stage, &Label::ok(), Traveller::new(&item.params))
        .map_err(|error| contract(error.to_string()))?;
    let Onward::To(entry) = way.to else {
        return Err(contract(format!("source `{stage}` leads to no stage")));
    };
    let (job_id, now) = (JobId::generate(), backend.clock.now());
    let tracer = backend.tracer.as_ref();
    let traceparent = tracer.and_then(|one| one.job(&job_id, &pipeline.name, now));
    let key = match again {
        None => format!("{stage}/{}", item.id),
        Some(crawl) => format!("{stage}/{}@{crawl}", item.id),
    };
    let plan = Plan {
        job_id,
        params: item.params,
        entry: entry.clone(),
        entry_is_explicit: false,
        exit: None,
        dedupe: Some(Dedupe::new(key)),
        priority: 0,
        not_before: None,
        deadline: None,
        by: None,
        traceparent,
    };
    Ok(new_job(graph, plan, Some(stage), now))
}
