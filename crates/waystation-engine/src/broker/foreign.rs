//! What follows from the events of a stage that knows only its own work.

use std::sync::Arc;

use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, Label, StageId};
use waystation_core::job::JobRecord;
use waystation_core::journal::{Change, Entry};
use waystation_core::pipeline::Onward;
use waystation_core::port::{Error, Ledger};
use waystation_core::settlement::Next;
use waystation_core::state::{JobState, Step, transition};

use crate::decide::{ends_at, hand_to};
use crate::definition::{DefinitionError, Registry};
use crate::graph::Graph;

/// Whether an entry leaves nothing out, as those of our own workers.
pub fn is_whole(entry: &Entry) -> bool {
    let told = matches!(entry.change, Change::Told { .. });
    entry.origin.is_some() && entry.step.visit.is_some() && !told
}

/// What an entry of such a stage turned out to be.
pub enum Resolved {
    /// It has the pipeline, the stage run and what became of the job.
    Whole(Entry),
    /// The same, but the ledger does not have the job at that stage yet: whoever passed it on may
    /// be about to tell, and knows its params.
    Early(Entry),
    /// It belongs nowhere, and why. The ledger does not have the job yet: whoever passed it on may
    /// be about to tell of which pipeline it is.
    Unplaced(Entry, String),
    /// It belongs nowhere, and why.
    Stray(String),
}

/// Finds out what an entry leaves out.
pub async fn resolve(
    entry: Entry,
    ledger: &dyn Ledger,
    running: &Arc<Graph>,
    registry: &Registry,
) -> Result<Resolved, Error> {
    let Some(job) = ledger.job(&entry.job_id).await? else {
        return resolve_new(entry, running, registry).await;
    };
    let graph = match known(registry.graph(&job.pipeline, job.pipeline_version).await)? {
        Ok(graph) => graph,
        Err(why) => return Ok(Resolved::Stray(why)),
    };
    Ok(match place(entry, Some(&job), &graph) {
        Ok(entry) if is_early(&entry, &job, ledger).await? => Resolved::Early(entry),
        Ok(entry) => Resolved::Whole(entry),
        Err(why) => Resolved::Stray(why),
    })
}

/// An entry of a job that the ledger has never heard of: of the pipeline that it names, or else of
/// one that has the stage.
async fn resolve_new(
    entry: Entry,
    running: &Arc<Graph>,
    registry: &Registry,
) -> Result<Resolved, Error> {
    let graph = match &entry.origin {
        Some((name, version)) => {
            let version = Some(*version).filter(|version| *version > 0);
            known(registry.graph_of(name, version).await)?
        }
        None => graph_with(&entry, running, registry).await?,
    };
    Ok(match graph.and_then(|graph| place(entry.clone(), None, &graph)) {
        Ok(entry) => Resolved::Early(entry),
        Err(why) => Resolved::Unplaced(entry, why),
    })
}

/// The one graph that has the entry's stage; of several the one that runs here.
async fn graph_with(
    entry: &Entry,
    running: &Arc<Graph>,
    registry: &Registry,
) -> Result<Result<Arc<Graph>, String>, Error> {
    let (job, stage) = (&entry.job_id, &entry.step.stage);
    if running.kind(stage).is_some() {
        return Ok(Ok(Arc::clone(running)));
    }
    let mut found = registry.graphs_with(stage).await?;
    let names: Vec<_> = found.iter().map(|graph| graph.pipeline.name.as_str()).collect();
    let names = names.join(", ");
    Ok(match found.pop() {
        Some(graph) if found.is_empty() => Ok(graph),
        Some(_) => Err(format!(
            "job `{job}` is not known, and stage `{stage}` is in several pipelines: {names} \
             (hint: name one in the event, as `pipeline`)"
        )),
        None => Err(format!(
            "job `{job}` is not known, and stage `{stage}` is in no pipeline of this store"
        )),
    })
}

/// A graph, or why there is none; an error only if the store could not be asked.
fn known(graph: Result<Arc<Graph>, DefinitionError>) -> Result<Result<Arc<Graph>, String>, Error> {
    match graph {
        Err(DefinitionError::Store(error)) => Err(error),
        graph => Ok(graph.map_err(|error| error.to_string())),
    }
}

/// Whether a job may be on its way to the stage that the entry tells of.
async fn is_early(entry: &Entry, job: &JobRecord, ledger: &dyn Ledger) -> Result<bool, Error> {
    let stage = &entry.step.stage;
    if job.state.is_terminal() || job.state == JobState::Waiting || job.stage == *stage {
        return Ok(false);
    }
    let ends = |kind| matches!(kind, EventKind::Completed | EventKind::Skipped);
    let events = ledger.events(&entry.job_id).await?;
    let passed = events.iter().any(|event| {
        event.stage == *stage && Some(event.visit) == entry.step.visit && ends(event.kind)
    });
    Ok(!passed)
}

fn place(entry: Entry, job: Option<&JobRecord>, graph: &Graph) -> Result<Entry, String> {
    let pipeline = &graph.pipeline;
    let stage = entry.step.stage.clone();
    if pipeline.stage(&stage).is_none() {
        let (job, name) = (&entry.job_id, &pipeline.name);
        return Err(format!("job `{job}` is told of at stage `{stage}`, which `{name}` has not"));
    }
    let contract = contract_of(&entry.job_id, job);
    let visit = entry.step.visit.unwrap_or(contract.visit);
    let mut entry = entry.in_visit(visit);
    entry.origin = Some((pipeline.name.clone(), graph.version));
    if let Change::Told { kind, response, failure } = entry.change {
        let failure = failure.map(|failure| failure.at(&stage, entry.step.attempt));
        entry.change = land(kind, response, failure, contract, graph, &stage)?;
    }
    Ok(entry)
}

/// What became of the job. Of kinds that say nothing about it, it stays where it is.
fn land(
    kind: EventKind,
    response: Params,
    failure: Option<Failure>,
    mut contract: Contract,
    graph: &Graph,
    stage: &StageId,
) -> Result<Change, String> {
    let landed = |step, stage, next| {
        // Each step taken here is allowed from `running`.
        let state = transition(JobState::Running, step).unwrap_or(JobState::Failed);
        Change::Landed { state, stage, next }
    };
    match kind {
        EventKind::Completed | EventKind::Skipped => {
            contract.params.extend(response);
            contract.retry_count = 0;
            let way = graph
                .pipeline
                .onward(stage, &Label::ok(), (&contract).into())
                .map_err(|error| error.to_string())?;
            let body = contract.to_bytes();
            Ok(match way.to {
                Onward::FanOut(_) => return Err(format!("foreign stage `{stage}` fans out")),
                Onward::To(next) if ends_at(&contract, next) => {
                    landed(Step::Complete, stage.clone(), Next::End { body, failure: None })
                }
                Onward::Done => {
                    landed(Step::Complete, stage.clone(), Next::End { body, failure: None })
                }
                // Its next stage run has the same number: it forwarded the contract as it came.
                Onward::To(next) => {
                    let (step, place) = hand_to(graph, next, &contract, 0);
                    landed(step, next.clone(), place)
                }
            })
        }
        EventKind::Failed | EventKind::Aborted => {
            let aborted = kind == EventKind::Aborted;
            let kind = if aborted { ErrorKind::Aborted } else { ErrorKind::Error };
            let failure = failure.unwrap_or_else(|| Failure::new(kind, "gave no reason"));
            let step = if aborted { Step::Abort } else { Step::Fail };
            let next = Next::End { body: contract.to_bytes(), failure: Some(failure) };
            Ok(landed(step, stage.clone(), next))
        }
        _ => Ok(Change::Told { kind, response, failure }),
    }
}

/// The contract as the ledger has it; an empty one for a job that it has never heard of.
fn contract_of(job_id: &JobId, job: Option<&JobRecord>) -> Contract {
    let known = job.and_then(|job| Contract::parse(&job.body).ok());
    known.unwrap_or_else(|| Contract::new(job_id.clone(), Params::new()))
}
