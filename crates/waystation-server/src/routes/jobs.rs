//! Jobs.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{JobFilter, PAGE_MAX};
use waystation_core::state::JobState;

use crate::access::Viewer;
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::problem::{Code, Problem};
use crate::wire::{Job, JobPage, Moment};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// How many jobs a page has, unless the query says.
const PAGE: usize = 50;

/// Which jobs are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of this pipeline.
    pub pipeline: Option<String>,
    /// Only in one of these states: names with commas between.
    pub state: Option<String>,
    /// Only at this stage.
    pub stage: Option<String>,
    /// Only those that were submitted at this moment or later.
    #[param(value_type = Option<String>, format = DateTime)]
    pub created_from: Option<Moment>,
    /// Only those that were submitted before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    pub created_before: Option<Moment>,
    /// Only those with this text in their id or params.
    pub text: Option<String>,
    /// Only older than this job: the `next` of a page.
    pub before: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

impl Wanted {
    /// The store's filter.
    pub fn filter(self) -> Result<JobFilter, Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            let why = format!("limit {limit} is not between 1 and {PAGE_MAX}");
            return Err(Problem::new(Code::Invalid, why));
        }
        let names = self.state.iter().flat_map(|states| states.split(','));
        let states = names.map(state).collect::<Result<_, _>>()?;
        Ok(JobFilter {
            pipeline: self.pipeline.map(PipelineName::from),
            states,
            stage: self.stage.map(StageId::from),
            created_from: self.created_from.map(|moment| moment.0),
            created_before: self.created_before.map(|moment| moment.0),
            text: self.text.filter(|text| !text.is_empty()),
            before: self.before.map(JobId::from),
            limit,
            ..JobFilter::default()
        })
    }
}

fn state(name: &str) -> Result<JobState, Problem> {
    JobState::parse(name).ok_or_else(|| {
        let known = JobState::ALL.map(JobState::as_str).join(", ");
        Problem::new(Code::Invalid, format!("{name} is no state of a job (known: {known})"))
    })
}

/// List jobs
///
/// Newest first. A page may be shorter than `limit` and still have a `next`.
#[utoipa::path(
    get, path = "/jobs", tag = "jobs", params(Wanted),
    responses((status = 200, body = JobPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<JobPage>, Problem> {
    let page = context.backend().store.jobs(wanted.filter()?).await?;
    Ok(axum::Json(page.into()))
}

/// Get a job
#[utoipa::path(
    get, path = "/jobs/{job_id}", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = Job), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(job_id): Path<String>,
) -> Result<axum::Json<Job>, Problem> {
    let job = context.backend().store.job(&JobId::from(job_id.as_str())).await?;
    let job = job.ok_or_else(|| Problem::not_found("job", job_id))?;
    Ok(axum::Json(job.into()))
}
