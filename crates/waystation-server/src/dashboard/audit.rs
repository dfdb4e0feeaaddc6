//! Who did what.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;
use waystation_engine::control::{AuditPage, Audited};

use super::href;
use super::page::{Page, Place};
use super::parts::{moment, value};
use super::refused::Refused;
use super::visit::Master;
use crate::context::Context;
use crate::extract::Query;

/// How many entries a page shows.
const PAGE: usize = 100;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/audit", get(show))
}

async fn show(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    Master(visit): Master,
) -> Result<Response, Refused> {
    let before = pairs.into_iter().find(|(name, _)| name == "before").map(|(_, key)| key);
    let entries = context.client().audit(AuditPage { before, limit: PAGE }).await?;
    let page = Page::new(&visit, Place::Audit, "Audit log").with(table(&entries));
    Ok(page.respond())
}

fn table(entries: &[Audited]) -> Markup {
    html! {
        section.card {
            @if entries.is_empty() {
                div.empty {
                    p { "Nobody has changed anything yet." }
                    p { "What people change here, by commands or through the API is kept." }
                }
            } @else {
                div.scroll { table {
                    thead { tr { th { "When (UTC)" } th { "Who" } th { "What" } th { "To what" }
                        th.wide { "Detail" } th { "Outcome" } } }
                    tbody { @for Audited { entry, .. } in entries { tr {
                        td.whole data-label="When" { (moment::full(entry.at)) }
                        td.whole data-label="Who" { b { (entry.by) }
                            @if let Some(role) = &entry.role { " " small.faint { (role) } } }
                        td data-label="What" { code { (entry.action) } }
                        td.break data-label="To what" { (entry.target) }
                        td.wide data-label="Detail" {
                            (detail(&entry.detail))
                        }
                        td.whole data-label="Outcome" {
                            span.text-failed[entry.outcome != "done"] { (entry.outcome) }
                        }
                    } } }
                } }
            }
            @if let Some(last) = entries.last().filter(|_| entries.len() == PAGE) {
                nav.pages aria-label="Pages of the audit log" { a.button
                    href={ "/audit" (href::query([("before", &*last.key)])) } { "Older" } }
            }
        }
    }
}

/// What is told beside the path, as names with their values.
fn detail(detail: &Value) -> Markup {
    html! {
        @match detail {
            Value::Null => {},
            Value::Object(told) => {
                @for (name, value) in told.iter().filter(|(_, value)| !value.is_null()) {
                    span.pair { span.faint { (name) } " " (value::inline(value)) } " "
                }
            },
            other => (value::inline(other)),
        }
    }
}
