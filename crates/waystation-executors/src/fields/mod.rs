//! `fields.map` and `fields.select`: which params go on, under which names, and what new ones hold.

mod map;
mod select;

use waystation_core::pipeline::{ParamsMode, Stage};

pub use map::{Settings as MapSettings, build as build_map};
pub use select::{Settings as SelectSettings, build as build_select};

/// What a stage gives is merged into the params unless it says otherwise, and merging takes
/// nothing away: a stage that is to do so must say `params: replace`.
pub fn check_mode(stage: &Stage) -> Result<(), Vec<String>> {
    let said = |name: &str| stage.settings.get(name).is_some_and(|value| !value.is_null());
    let takes_away = match stage.kind.as_str() {
        "fields.select" => true,
        "fields.map" => said("rename") || said("drop"),
        _ => false,
    };
    if takes_away && stage.params == ParamsMode::Merge {
        let kind = &stage.kind;
        return Err(vec![format!("`{kind}` takes params away: say `params: replace` beside it")]);
    }
    Ok(())
}
