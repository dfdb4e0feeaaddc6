//! A stage whose work another pipeline does.

use std::time::Duration;

use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Completion;
use waystation_core::id::PipelineName;
use waystation_core::pipeline::Stage;

use crate::decide::{Descent, Outcome};
use crate::definition::{DefinitionError, Registry};
use crate::stop::{Cause, Stop};

/// The wait before the store is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

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
    loop {
        let error = match registry.graph_to_act_on(name, None).await {
            Ok(graph) => {
                return Some(match graph.pipeline.default_entry(registry.catalog()) {
                    Ok(entry) => Outcome::Descends(Descent { graph, entry }),
                    Err(error) => Outcome::Failed(Failure::from_error(ErrorKind::Contract, &error)),
                });
            }
            Err(error) => error,
        };
        match error {
            DefinitionError::Store(error) if error.retryable() => {
                tracing::warn!(job = %contract.job_id, %error, "pipeline not read, trying on");
            }
            error => {
                return Some(Outcome::Failed(Failure::from_error(ErrorKind::NotFound, &error)));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(STORE_PAUSE) => {}
            cause = stop.stopped() => return match cause {
                Cause::LeaseLost => None,
                Cause::Abort(reason) => Some(Outcome::Aborted(reason)),
                Cause::Shutdown => Some(Outcome::HandedBack),
            },
        }
    }
}

/// Those of the params that the stage declares to give.
fn declared(stage: &Stage, params: &Params) -> Params {
    let keys = stage.output_params.iter().flatten();
    keys.filter_map(|key| Some((key.clone(), params.get(key)?.clone()))).collect()
}
