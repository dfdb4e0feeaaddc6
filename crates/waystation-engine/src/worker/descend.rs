//! A stage whose work another pipeline does.

use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Completion;
use waystation_core::id::PipelineName;
use waystation_core::pipeline::Stage;

use super::ask::{Unanswered, ask, stopped};
use crate::decide::{Descent, Outcome};
use crate::definition::{DefinitionError, Registry};
use crate::stop::Stop;

/// The job's child goes through the newest version of the pipeline; once it came through, what it
/// gave is among the params already. `None` when the lease was lost.
pub async fn descend(
    registry: &Registry,
    name: &PipelineName,
    stage: &Stage,
    contract: &Contract,
    stop: &Stop,
) -> Option<Outcome> {
    if contract.gathered.is_some() {
        return Some(Outcome::Completed(Completion::ok(declared(stage, &contract.params))));
    }
    let graph = match ask(stop, || registry.graph_to_act_on(name, None)).await {
        Ok(graph) => graph,
        Err(Unanswered::Refused(error)) => return Some(Outcome::Failed(refused(&error))),
        Err(Unanswered::Stopped(cause)) => return stopped(cause),
    };
    Some(match graph.pipeline.default_entry(registry.catalog()) {
        Ok(entry) => Outcome::Descends(Descent { graph, entry }),
        Err(error) => Outcome::Failed(Failure::from_error(ErrorKind::Contract, &error)),
    })
}

fn refused(error: &DefinitionError) -> Failure {
    let kind = match error {
        DefinitionError::Unknown(_) | DefinitionError::UnknownVersion { .. } => ErrorKind::NotFound,
        DefinitionError::Problems(_) => ErrorKind::Contract,
        DefinitionError::Store(_) => ErrorKind::Transient,
    };
    Failure::from_error(kind, error)
}

/// Those of the params that the stage declares to give.
fn declared(stage: &Stage, params: &Params) -> Params {
    let keys = stage.output_params.iter().flatten();
    keys.filter_map(|key| Some((key.clone(), params.get(key)?.clone()))).collect()
}
