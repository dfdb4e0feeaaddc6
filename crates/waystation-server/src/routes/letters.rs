//! Dead letters.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::job::DeadLetterFilter;

use super::limits;
use crate::access::Viewer;
use crate::context::Context;
use crate::extract::Query;
use crate::problem::Problem;
use crate::wire::{DeadLetter, DeadLetterPage};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which letters are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedLetters {
    /// Only of this pipeline.
    pipeline: Option<String>,
    /// Only of jobs that failed at this stage.
    stage: Option<String>,
    /// Only of this job.
    job_id: Option<String>,
    /// Only before this letter: the `next` of a page.
    before: Option<i64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// List the dead letters
///
/// Newest first: jobs that failed for good and that nobody has tried again or dropped.
#[utoipa::path(
    get, path = "/dead-letters", tag = "jobs", operation_id = "list_dead_letters",
    extensions(("x-role" = json!("viewer"))), params(WantedLetters),
    responses((status = 200, body = DeadLetterPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<WantedLetters>,
) -> Result<axum::Json<DeadLetterPage>, Problem> {
    let limit = limits::page(wanted.limit)?;
    let filter = DeadLetterFilter {
        pipeline: wanted.pipeline.map(Into::into),
        stage: wanted.stage.map(Into::into),
        job_id: wanted.job_id.map(Into::into),
        before: wanted.before,
        limit,
    };
    let letters = context.backend().store.dead_letters(filter).await?;
    let is_full = letters.len() == limit;
    let next = letters.last().filter(|_| is_full).map(|letter| letter.dead_letter_id);
    let dead_letters = letters.into_iter().map(DeadLetter::from).collect();
    Ok(axum::Json(DeadLetterPage { dead_letters, next }))
}
