//! `pipeline`: another pipeline does the stage's work.

use waystation_core::pipeline::Executor;

use crate::settings::Settings;

/// What a stage of this type is told: `pipeline`, the name of one that the store has.
pub fn build(settings: &mut Settings<'_>) -> Option<Executor> {
    let name = settings.text("pipeline")?;
    Some(Executor::Pipeline(name.into()))
}
