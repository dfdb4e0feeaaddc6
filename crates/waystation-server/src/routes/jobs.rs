//! Jobs: what is known of them.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::contract::Contract;
use waystation_core::event::Level;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Family, JobFilter, JobRecord, TaskFilter};
use waystation_core::state::JobState;

use super::limits;
use crate::access::Viewer;
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::problem::{Code, Problem};
use crate::wire::{self, Children, Event, Job, JobDetail, JobPage, LogLine, Moment, Reason};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(events))
        .routes(routes!(log))
        .routes(routes!(params))
}

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
    /// Only jobs that are nobody's child.
    pub parents_only: Option<bool>,
    /// Only the children of this job.
    pub children_of: Option<String>,
    /// Only older than this job: the `next` of a page.
    pub before: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

impl Wanted {
    /// The store's filter.
    pub fn filter(self) -> Result<JobFilter, Problem> {
        let limit = limits::page(self.limit)?;
        let names = self.state.iter().flat_map(|states| states.split(','));
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        let states = names.map(wire::state).collect::<Result<_, _>>()?;
        let family = match self.children_of {
            Some(parent) => Family::ChildrenOf(JobId::from(parent)),
            None if self.parents_only == Some(true) => Family::Parents,
            None => Family::All,
        };
        Ok(JobFilter {
            pipeline: self.pipeline.map(PipelineName::from),
            states,
            stage: self.stage.map(StageId::from),
            created_from: self.created_from.map(|moment| moment.0),
            created_before: self.created_before.map(|moment| moment.0),
            text: self.text.filter(|text| !text.is_empty()),
            family,
            before: self.before.map(JobId::from),
            limit,
        })
    }
}

/// A job, or the problem that there is none.
pub async fn find(context: &Context, job_id: &str) -> Result<JobRecord, Problem> {
    let job = context.backend().store.job(&JobId::from(job_id)).await?;
    job.ok_or_else(|| Problem::not_found("job", job_id))
}

/// List jobs
///
/// Newest first. A page may be shorter than `limit` and still have a `next`.
#[utoipa::path(
    get, path = "/jobs", tag = "jobs", operation_id = "list_jobs",
    extensions(("x-role" = json!("viewer"))), params(Wanted),
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
///
/// With its stage runs and attempts, and why it is where it is.
#[utoipa::path(
    get, path = "/jobs/{job_id}", tag = "jobs", operation_id = "get_job",
    extensions(("x-role" = json!("viewer"))), params(("job_id" = String, Path)),
    responses((status = 200, body = JobDetail), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(job_id): Path<String>,
) -> Result<axum::Json<JobDetail>, Problem> {
    let job_id = JobId::from(job_id);
    let explained = context.client().why(&job_id).await?;
    let explained = explained.ok_or_else(|| Problem::not_found("job", &job_id))?;
    let store = &context.backend().store;
    let events = store.events(&job_id).await?;
    let waits = explained.job.state == JobState::Waiting;
    let (mut task_id, mut awaits) = (None, None);
    if waits {
        let filter = TaskFilter { job_id: Some(job_id.clone()), ..TaskFilter::first(1) };
        task_id = store.tasks(filter).await?.first().map(|task| task.task_id);
        awaits = store.awaited(&job_id).await?.map(Children::from);
    }
    let told = explained.words.into_iter().zip(&explained.why);
    Ok(axum::Json(JobDetail {
        why: told.map(|(words, why)| Reason::new(words, why)).collect(),
        deadline: Contract::parse(&explained.job.body)
            .ok()
            .and_then(|one| one.deadline)
            .map(Moment),
        job: Job::from(explained.job),
        runs: wire::stage_runs(&events),
        task_id,
        awaits,
    }))
}

/// List what happened to a job
///
/// Oldest first.
#[utoipa::path(
    get, path = "/jobs/{job_id}/events", tag = "jobs", operation_id = "list_job_events",
    extensions(("x-role" = json!("viewer"))), params(("job_id" = String, Path)),
    responses((status = 200, body = Vec<Event>), Problem)
)]
async fn events(
    State(context): State<Context>,
    _: Viewer,
    Path(job_id): Path<String>,
) -> Result<axum::Json<Vec<Event>>, Problem> {
    find(&context, &job_id).await?;
    let events = context.backend().store.events(&JobId::from(job_id)).await?;
    Ok(axum::Json(events.into_iter().map(Event::from).collect()))
}

/// Which lines of a log are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedLines {
    /// Only of this stage.
    stage: Option<String>,
    /// Only of this attempt.
    #[param(minimum = 1)]
    attempt: Option<u32>,
    /// Only as serious as this, or more: `debug`, `info`, `warn` or `error`.
    level: Option<String>,
    /// Only the last so many.
    #[param(minimum = 1, maximum = 1000)]
    last: Option<usize>,
}

/// Read a job's log
///
/// Oldest line first. What a running attempt says is here when it has ended.
#[utoipa::path(
    get, path = "/jobs/{job_id}/log", tag = "jobs", operation_id = "get_job_log",
    extensions(("x-role" = json!("viewer"))), params(("job_id" = String, Path), WantedLines),
    responses((status = 200, body = Vec<LogLine>), Problem)
)]
async fn log(
    State(context): State<Context>,
    _: Viewer,
    Path(job_id): Path<String>,
    Query(wanted): Query<WantedLines>,
) -> Result<axum::Json<Vec<LogLine>>, Problem> {
    let level = wanted.level.as_deref().map(level).transpose()?;
    let last = wanted.last.map(|last| limits::between("last", last, 1, 1_000)).transpose()?;
    find(&context, &job_id).await?;
    let mut lines = context.backend().store.log(&JobId::from(job_id)).await?;
    lines.retain(|line| {
        wanted.stage.as_deref().is_none_or(|stage| line.stage.as_str() == stage)
            && wanted.attempt.is_none_or(|attempt| line.attempt == attempt)
            && level.is_none_or(|level| line.level >= level)
    });
    let skipped = last.map_or(0, |last| lines.len().saturating_sub(last));
    Ok(axum::Json(lines.into_iter().skip(skipped).map(LogLine::from).collect()))
}

fn level(name: &str) -> Result<Level, Problem> {
    let found = Level::ALL.into_iter().find(|level| level.as_str() == name);
    found.ok_or_else(|| {
        let known = Level::ALL.map(Level::as_str).join(", ");
        Problem::new(Code::Invalid, format!("{name} is no level of a line (known: {known})"))
    })
}

/// Read a job's params whole
///
/// With every value in its place that lies apart as a blob.
#[utoipa::path(
    get, path = "/jobs/{job_id}/params", tag = "jobs", operation_id = "get_job_params",
    extensions(("x-role" = json!("viewer"))), params(("job_id" = String, Path)),
    responses(
        (status = 200, body = wire::WholeParams),
        (status = 409, description = "A value cannot be read", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn params(
    State(context): State<Context>,
    _: Viewer,
    Path(job_id): Path<String>,
) -> Result<axum::Json<wire::WholeParams>, Problem> {
    let job = find(&context, &job_id).await?;
    let params = context.client().whole_params(&job).await?;
    Ok(axum::Json(wire::WholeParams { params }))
}
