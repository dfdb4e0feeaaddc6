//! The audit log: who did what.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_engine::control::AuditPage as Page;

use super::limits;
use crate::access::Admin;
use crate::context::Context;
use crate::extract::Query;
use crate::problem::Problem;
use crate::wire::{AuditEntry, AuditPage};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which entries are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedEntries {
    /// Only older than this one: the `next` of a page.
    before: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Read the audit log
///
/// Newest first. Entries are kept for ninety days.
#[utoipa::path(
    get, path = "/audit", tag = "access", operation_id = "list_audit",
    extensions(("x-role" = json!("admin"))), params(WantedEntries),
    responses((status = 200, body = AuditPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Admin,
    Query(wanted): Query<WantedEntries>,
) -> Result<axum::Json<AuditPage>, Problem> {
    let limit = limits::page(wanted.limit)?;
    let found = context.client().audit(Page { before: wanted.before, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.key.clone());
    let entries = found.into_iter().map(AuditEntry::from).collect();
    Ok(axum::Json(AuditPage { entries, next }))
}
