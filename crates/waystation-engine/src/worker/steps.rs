//! Keeps the results of a stage run's steps in the store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::StepKeeper;
use waystation_core::id::StageId;
use waystation_core::port::{Error, Store};
use waystation_core::step::StepKey;

/// The wait before a store that is unavailable is asked again: the first, and the longest. The
/// attempt's own end ends it.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The steps of one stage run.
pub struct RunSteps {
    store: Arc<dyn Store>,
    /// Without its name.
    run: StepKey,
}

impl RunSteps {
    /// The steps of the stage run that this contract is for.
    pub fn new(store: Arc<dyn Store>, contract: &Contract, stage: &StageId) -> Self {
        let run = StepKey {
            job_id: contract.job_id.clone(),
            stage: stage.clone(),
            first_visit: contract.first_visit(),
            name: String::new(),
        };
        Self { store, run }
    }

    fn step(&self, name: &str) -> StepKey {
        StepKey { name: name.to_owned(), ..self.run.clone() }
    }
}

#[async_trait]
impl StepKeeper for RunSteps {
    async fn kept(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let step = self.step(name);
        insist(name, || self.store.step_result(&step)).await
    }

    async fn keep(&self, name: &str, result: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let step = self.step(name);
        // The work is done: it would be a pity to do it again for a store that is away.
        insist(name, || self.store.keep_step(&step, &result)).await
    }
}

/// Asks the store until it answers.
async fn insist<T, Asked>(name: &str, ask: impl Fn() -> Asked) -> Result<T, Failure>
where
    Asked: Future<Output = Result<T, Error>>,
{
    let mut pause = PAUSE;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.retryable() => {
                tracing::warn!(step = name, %error, "store not reached, trying on");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => {
                let message = format!("step `{name}` cannot be kept: {error}");
                return Err(Failure::new(ErrorKind::Error, message));
            }
        }
    }
}
