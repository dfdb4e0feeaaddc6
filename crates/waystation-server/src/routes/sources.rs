//! Sources: what finds items by itself and makes jobs of them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::pipeline::StageKind;
use waystation_engine::control::{Pause as Paused, Target, WorkerPresence};
use waystation_engine::sources::{self, SourceId};
use waystation_engine::{Graph, SourceStanding};

use super::{hooks, limits};
use crate::access::{Operator, Viewer};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path, Query};
use crate::problem::{Code, Problem};
use crate::wire::{Crawl, CrawlAsked, CrawlPage, CrawlRequest, Pause, Source, interval_seconds};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(crawls))
        .routes(routes!(crawl))
}

/// List the sources
///
/// Those of each pipeline's newest version, with where they stand.
#[utoipa::path(
    get, path = "/sources", tag = "pipelines", operation_id = "list_sources",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Source>), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<Source>>, Problem> {
    Ok(axum::Json(all(&context).await?))
}

/// Read a source
#[utoipa::path(
    get, path = "/sources/{pipeline}/{stage}", tag = "pipelines", operation_id = "get_source",
    extensions(("x-role" = json!("viewer"))),
    params(("pipeline" = String, Path), ("stage" = String, Path)),
    responses((status = 200, body = Source), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path((pipeline, stage)): Path<(String, String)>,
) -> Result<axum::Json<Source>, Problem> {
    Ok(axum::Json(one(&context, &source_id(pipeline, stage)).await?))
}

/// Which crawls are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedCrawls {
    /// Only older than this one: the `next` of a page.
    before: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// List the crawls of a source
///
/// Newest first. They are kept for thirty days.
#[utoipa::path(
    get, path = "/sources/{pipeline}/{stage}/crawls", tag = "pipelines",
    operation_id = "list_crawls", extensions(("x-role" = json!("viewer"))),
    params(("pipeline" = String, Path), ("stage" = String, Path), WantedCrawls),
    responses((status = 200, body = CrawlPage), Problem)
)]
async fn crawls(
    State(context): State<Context>,
    _: Viewer,
    Path((pipeline, stage)): Path<(String, String)>,
    Query(wanted): Query<WantedCrawls>,
) -> Result<axum::Json<CrawlPage>, Problem> {
    let id = source_id(pipeline, stage);
    context.client().source(&id).await?;
    let limit = limits::page(wanted.limit)?;
    let page = sources::CrawlPage { before: wanted.before, limit };
    let found = context.client().crawls(&id, page).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.clone());
    let crawls = found.into_iter().map(Crawl::from).collect();
    Ok(axum::Json(CrawlPage { crawls, next }))
}

/// Have a source look now
///
/// Wherever it is looked after, and also while it is not due. While it crawls, it looks again when
/// it is through. Asking again before it looks is asking once, as said last.
#[utoipa::path(
    post, path = "/sources/{pipeline}/{stage}/crawl", tag = "control",
    operation_id = "crawl_source", extensions(("x-role" = json!("operator"))),
    params(("pipeline" = String, Path), ("stage" = String, Path)),
    request_body = CrawlRequest,
    responses((status = 202, body = CrawlAsked), Problem)
)]
async fn crawl(
    State(context): State<Context>,
    Operator(by): Operator,
    Path((pipeline, stage)): Path<(String, String)>,
    Json(request): Json<CrawlRequest>,
) -> Result<(StatusCode, Detail, axum::Json<CrawlAsked>), Problem> {
    if request.from_beginning && request.from.is_some() {
        let message = "`from_beginning` and `from` say different places: leave one out";
        return Err(Problem::new(Code::Invalid, message));
    }
    let detail = Detail(json!({ "from": request.from, "again": request.again,
        "from_beginning": request.from_beginning }));
    let ask = request.ask(&by.name);
    let ask = context.client().crawl(&source_id(pipeline, stage), ask).await?;
    Ok((StatusCode::ACCEPTED, detail, axum::Json(ask.into())))
}

fn source_id(pipeline: String, stage: String) -> SourceId {
    SourceId { pipeline: pipeline.into(), stage: stage.into() }
}

/// Every source that is known.
pub async fn all(context: &Context) -> Result<Vec<Source>, Problem> {
    let client = context.client();
    let (workers, pauses) = (client.workers().await?, client.pauses().await?);
    let mut sources = Vec::new();
    for (name, version) in context.backend().store.pipelines().await? {
        let Ok(graph) = client.registry().graph(&name, version).await else { continue };
        for stage in &graph.pipeline.stages {
            if graph.kind(&stage.id) != Some(StageKind::Source) {
                continue;
            }
            let id = SourceId { pipeline: name.clone(), stage: stage.id.clone() };
            let standing = client.standing(&id).await?;
            let hook = hook(context, &id, &graph);
            sources.push(Source { hook, ..told(&id, &graph, standing, &workers, &pauses) });
        }
    }
    Ok(sources)
}

/// One source.
pub async fn one(context: &Context, id: &SourceId) -> Result<Source, Problem> {
    let client = context.client();
    let standing = client.source(id).await?;
    let graph = client.registry().graph_of(&id.pipeline, None).await?;
    let (workers, pauses) = (client.workers().await?, client.pauses().await?);
    let hook = hook(context, id, &graph);
    Ok(Source { hook, ..told(id, &graph, standing, &workers, &pauses) })
}

fn hook(context: &Context, id: &SourceId, graph: &Graph) -> Option<String> {
    context.client().is_hook(graph, &id.stage).then(|| hooks::path(id))
}

fn told(
    id: &SourceId,
    graph: &Graph,
    standing: SourceStanding,
    workers: &[WorkerPresence],
    pauses: &[Paused],
) -> Source {
    let stage = graph.pipeline.stage(&id.stage);
    let serving = workers.iter().filter(|worker| worker.discovers.contains(id));
    Source {
        pipeline: id.pipeline.to_string(),
        version: graph.version,
        stage: id.stage.to_string(),
        source_type: stage.map(|stage| stage.kind.clone()).unwrap_or_default(),
        hook: None,
        schedule: standing.schedule.as_ref().map(ToString::to_string),
        interval_seconds: standing.schedule.as_ref().and_then(interval_seconds),
        due_at: standing.due_at.map(Into::into),
        checkpoint: standing.checkpoint,
        crawler: standing.crawler.map(|holder| holder.worker_id),
        last_crawl: standing.last.map(Into::into),
        failures: standing.failures,
        asked: standing.ask.map(Into::into),
        workers: serving.map(|worker| worker.worker_id.clone()).collect(),
        pauses: kept_by(pauses, id),
    }
}

fn kept_by(pauses: &[Paused], id: &SourceId) -> Vec<Pause> {
    let keeping = pauses.iter().filter(|pause| match &pause.target {
        Target::Pipeline(pipeline) => *pipeline == id.pipeline,
        Target::Stage(pipeline, paused) => *pipeline == id.pipeline && *paused == id.stage,
        Target::Queue(_) => false,
    });
    keeping.cloned().map(Pause::from).collect()
}
