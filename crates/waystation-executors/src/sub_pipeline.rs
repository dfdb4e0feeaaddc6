//! `pipeline`: another pipeline does the stage's work.

use schemars::JsonSchema;
use serde::Deserialize;
use waystation_core::Params;
use waystation_core::pipeline::Executor;

use crate::settings;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name of a pipeline that the store has.
    #[schemars(length(min = 1))]
    pipeline: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let Settings { pipeline } = settings::read(params)?;
    Ok(Executor::Pipeline(pipeline.into()))
}
