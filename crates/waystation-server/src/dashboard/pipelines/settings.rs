//! What the stages of a pipeline are told.

use maud::{Markup, html};
use waystation_core::pipeline::{Pipeline, Stage, StageType};

use crate::dashboard::parts::setting;
use crate::redact;

/// Each stage's settings, as the pipeline's author wrote them, beside what holds otherwise.
pub fn card(written: &Pipeline, types: &[StageType]) -> Markup {
    html! {
        section.card {
            div.title { h2 { "Settings" } a href="/executors" { "All executors" } }
            @for stage in &written.stages { (of(stage, types)) }
        }
    }
}

fn of(stage: &Stage, types: &[StageType]) -> Markup {
    let known = types.iter().find(|one| one.name == stage.kind);
    let schema = known.and_then(|known| known.settings.as_ref());
    html! {
        details.executor {
            summary {
                b { (stage.id) } " "
                (stage.kind) " "
                span.faint { @match stage.settings.len() {
                    0 => "nothing said",
                    1 => "1 setting said",
                    said => { (said) " settings said" }
                } }
            }
            (setting::of_stage(schema, &redact::settings(&stage.settings)))
        }
    }
}
