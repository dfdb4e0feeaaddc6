//! Bulk operations: one act on all jobs that match, which goes on in the server.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_engine::control::operations::{Page, Request};

use super::limits;
use crate::access::{Operator, Viewer};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::wire::{DryRun, Operation, OperationPage, OperationRequest};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(dry_run))
        .routes(routes!(get))
        .routes(routes!(cancel))
}

/// Which operations are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedOperations {
    /// Only older than this one: the `next` of a page.
    before: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// List the bulk operations
///
/// Newest first.
#[utoipa::path(
    get, path = "/operations", tag = "operations", operation_id = "list_operations",
    extensions(("x-role" = json!("viewer"))), params(WantedOperations),
    responses((status = 200, body = OperationPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<WantedOperations>,
) -> Result<axum::Json<OperationPage>, Problem> {
    let limit = limits::page(wanted.limit)?;
    let found = context.client().operations(Page { before: wanted.before, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.clone());
    let operations = found.into_iter().map(Operation::from).collect();
    Ok(axum::Json(OperationPage { operations, next }))
}

/// Count what an operation would be about
///
/// Nothing is done.
#[utoipa::path(
    post, path = "/operations/dry-run", tag = "operations", operation_id = "dry_run_operation",
    extensions(("x-role" = json!("operator"))), request_body = OperationRequest,
    responses((status = 200, body = DryRun), Problem)
)]
async fn dry_run(
    State(context): State<Context>,
    _: Operator,
    Json(request): Json<OperationRequest>,
) -> Result<axum::Json<DryRun>, Problem> {
    let (kind, selection, _) = request.parts()?;
    Ok(axum::Json(context.client().dry_run(&kind, &selection).await?.into()))
}

/// Begin a bulk operation
///
/// On the jobs that match now. It goes on whatever becomes of this server, and tells how far it is.
#[utoipa::path(
    post, path = "/operations", tag = "operations", operation_id = "start_operation",
    extensions(("x-role" = json!("operator"))), request_body = OperationRequest,
    responses((status = 201, body = Operation), Problem)
)]
async fn start(
    State(context): State<Context>,
    Operator(by): Operator,
    Json(request): Json<OperationRequest>,
) -> Result<(StatusCode, Detail, axum::Json<Operation>), Problem> {
    let asked = json!(request);
    let (kind, selection, reason) = request.parts()?;
    let reason = limits::reason(reason, "")?;
    let request = Request { kind, selection, by: by.name, reason };
    let operation = context.client().start_operation(request).await?;
    let detail = Detail(json!({ "id": operation.id, "request": asked }));
    Ok((StatusCode::CREATED, detail, axum::Json(operation.into())))
}

/// Get a bulk operation
#[utoipa::path(
    get, path = "/operations/{id}", tag = "operations", operation_id = "get_operation",
    extensions(("x-role" = json!("viewer"))), params(("id" = String, Path)),
    responses((status = 200, body = Operation), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(id): Path<String>,
) -> Result<axum::Json<Operation>, Problem> {
    let operation = context.client().operation(&id).await?;
    let operation = operation.ok_or_else(|| Problem::not_found("operation", id))?;
    Ok(axum::Json(operation.into()))
}

/// Cancel a bulk operation
///
/// What it has done stays done.
#[utoipa::path(
    post, path = "/operations/{id}/cancel", tag = "operations", operation_id = "cancel_operation",
    extensions(("x-role" = json!("operator"))), params(("id" = String, Path)),
    responses(
        (status = 200, body = Operation),
        (status = 409, description = "It has ended", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn cancel(
    State(context): State<Context>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<axum::Json<Operation>, Problem> {
    Ok(axum::Json(context.client().cancel_operation(&id).await?.into()))
}
