//! Having a source look now.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use waystation_engine::sources::SourceId;

use super::address;
use crate::audit::Detail;
use crate::context::Context;
use crate::dashboard::flash;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::Actor;
use crate::extract::Path;
use crate::wire::{CrawlRequest, Source};

/// What somebody wants.
#[derive(Deserialize)]
pub struct Wanted {
    /// `here`, `beginning` or `checkpoint`.
    #[serde(default)]
    from: String,
    /// The checkpoint, as JSON.
    #[serde(default)]
    checkpoint: String,
    /// Whether items that are jobs already become jobs again.
    #[serde(default)]
    again: Option<String>,
}

/// Has it look.
pub async fn crawl(
    State(context): State<Context>,
    Path((pipeline, stage)): Path<(String, String)>,
    Actor(visit): Actor,
    Form(wanted): Form<Wanted>,
) -> Result<(Detail, Response), Refused> {
    let id = SourceId { pipeline: pipeline.into(), stage: stage.into() };
    let source = crate::routes::source(&context, &id).await?;
    let here = address(&source);
    let from = match (&*wanted.from, serde_json::from_str(wanted.checkpoint.trim())) {
        ("checkpoint", Ok(checkpoint)) => Some(checkpoint),
        ("checkpoint", Err(error)) => {
            let message = format!("the checkpoint is no JSON: {error}");
            return Ok((Detail(json!(null)), flash::failed(&here, message)));
        }
        _ => None,
    };
    let from_beginning = wanted.from == "beginning";
    let request = CrawlRequest { from_beginning, from, again: wanted.again.is_some() };
    let detail = Detail(json!(request));
    let asked = context.client().crawl(&id, request.ask(&visit.identity.name)).await;
    Ok((
        detail,
        match asked {
            Ok(_) if source.workers.is_empty() => {
                flash::done(&here, "it looks as soon as somebody looks after it")
            }
            Ok(_) => flash::done(&here, format!("source `{}` looks now", id.stage)),
            Err(error) => flash::failed(&here, error.to_string()),
        },
    ))
}

/// A button that has it look from where it stands.
pub fn button(source: &Source) -> Markup {
    html! {
        form.inline method="post" action={ (address(source)) "/crawl" } {
            button.small { "Look now" }
        }
    }
}

/// A form that says from where, and whether again.
pub fn form(source: &Source) -> Markup {
    let checkpoint = source.checkpoint.as_ref().map(ToString::to_string).unwrap_or_default();
    html! {
        section.card {
            h2 { "Look now" }
            form.stacked method="post" action={ (address(source)) "/crawl" } {
                fieldset.ways {
                    legend { "From" }
                    label { input type="radio" name="from" value="here" checked;
                        " where it stands" }
                    label { input type="radio" name="from" value="beginning";
                        " the beginning" }
                    label { input type="radio" name="from" value="checkpoint";
                        " this checkpoint" }
                    input name="checkpoint" value=(checkpoint) aria-label="Checkpoint as JSON"
                        spellcheck="false";
                }
                label.way { input type="checkbox" name="again" value="yes";
                    " items that are jobs already become jobs again" }
                div { button.primary { "Look now" } }
            }
        }
    }
}
