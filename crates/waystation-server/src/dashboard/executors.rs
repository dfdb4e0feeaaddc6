//! What the stages of a pipeline may be here: the types, and what each is told.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::pipeline::StageType;

use super::page::{Page, Place};
use super::parts::setting;
use super::parts::words::sentence;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::routes::kind_name;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/executors", get(list))
}

async fn list(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let types = context.client().registry().catalog().types();
    let page = Page::new(&visit, Place::Pipelines, "Executors").below().head(html! {
        p.about { "What a stage's " code { "type" } " may be in this server's program." }
    });
    Ok(page.with(html! { section.card { @for one in &types { (executor(one)) } } }).respond())
}

fn executor(one: &StageType) -> Markup {
    html! {
        details.executor id=(one.name) {
            summary {
                b { (one.name) } " " span.faint { (kind_name(one.kind)) } " "
                @if let Some(summary) = &one.summary { (sentence(summary)) }
            }
            (setting::of_type(one.settings.as_ref()))
        }
    }
}
