//! What finds items by itself and makes jobs of them.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use waystation_core::clock::Timestamp;

use super::href;
use super::page::{Page, Place};
use super::parts::value;
use super::pausing;
use super::refused::Refused;
use super::visit::Visit;
use crate::context::Context;
use crate::live::Topic;
use crate::wire::Source;
use waystation_engine::control::{Pause, Target};

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/sources", get(show))
}

async fn show(State(context): State<Context>, visit: Visit) -> Result<Response, Refused> {
    let sources = crate::routes::sources(&context).await?;
    let pauses = context.client().pauses().await?;
    let (now, may_act) = (context.now(), visit.may_act());
    let page = Page::new(&visit, Place::Sources, "Sources").follow(&Topic::All).live(
        "sources",
        "card",
        || table(&sources, &pauses, now, may_act),
    );
    Ok(page.respond())
}

fn table(sources: &[Source], pauses: &[Pause], now: Timestamp, may_act: bool) -> Markup {
    let of = |target: &Target| -> Vec<_> {
        pauses.iter().filter(|pause| pause.target == *target).collect()
    };
    html! {
        h2.hidden { "Sources" }
        @if sources.is_empty() { p.empty { "No pipeline has a source." } } @else {
            div.scroll { table {
                thead { tr { th { "Source" } th { "Type" } th.number { "Looks every" }
                    th.number { "Workers" } th.wide { "Stands at" } th {} } }
                tbody { @for source in sources {
                    @let name = source.pipeline.as_str().into();
                    @let stage = source.stage.as_str().into();
                    @let target = Target::Stage(source.pipeline.as_str().into(), stage);
                    @let unserved = source.workers.is_empty();
                    @let paused = of(&target);
                    tr {
                        td data-label="Source" {
                            a href=(href::pipeline(&name)) { (source.pipeline) }
                            " · " b { (source.stage) } }
                        td data-label="Type" { (source.source_type) }
                        td.number data-label="Looks every" { @match source.interval_seconds {
                            Some(seconds) => { (seconds) " s" }
                            None => "–",
                        } }
                        td.number data-label="Workers" {
                            span.text-failed[unserved] { (source.workers.len()) }
                        }
                        td.wide data-label="Stands at" { @match &source.checkpoint {
                            Some(checkpoint) => (value::inline(checkpoint)),
                            None => span.faint { "at the beginning" },
                        } }
                        td.number {
                            @if !paused.is_empty() {
                                (pausing::notices(&paused, now, "/sources", may_act))
                            } @else if may_act {
                                (pausing::button(&target, "pause", "Pause", "/sources"))
                            }
                        }
                    }
                } }
            } }
        }
    }
}
