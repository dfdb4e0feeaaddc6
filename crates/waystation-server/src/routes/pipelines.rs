//! Pipelines.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::id::PipelineName;
use waystation_core::job::Count;
use waystation_core::pipeline::Pipeline;
use waystation_engine::Graph;
use waystation_engine::control::{Pause as Paused, Target};

use super::shapes::{self, as_written};
use crate::access::{Admin, Viewer};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::{Json, Path, Query};
use crate::problem::{Code, Problem};
use crate::redact;
use crate::wire::{
    JobCounts, Pause, PipelineDetail, PipelineGraph, PipelineSchema, PipelineSummary, PipelineText,
    PipelineVersion,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put))
        .routes(routes!(graph))
        .routes(routes!(picture))
        .routes(routes!(schema))
}

/// Which version is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedVersion {
    /// Which version; the newest unless given.
    #[param(minimum = 1)]
    version: Option<u32>,
}

/// List the pipelines
///
/// By name, each with its newest version. The first 1,000.
#[utoipa::path(
    get, path = "/pipelines", tag = "pipelines", operation_id = "list_pipelines",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<PipelineSummary>), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<PipelineSummary>>, Problem> {
    let (counts, pauses) = (context.counts().await?, context.client().pauses().await?);
    let mut summaries = Vec::new();
    for (name, version) in context.backend().store.pipelines().await? {
        let read = context.client().registry().graph(&name, version).await;
        let (stages, description, problem) = match read {
            Ok(graph) => {
                let stages = graph.pipeline.stages.iter().map(|stage| stage.id.to_string());
                (stages.collect(), graph.pipeline.description.clone(), None)
            }
            Err(error) => (Vec::new(), None, Some(error.to_string())),
        };
        summaries.push(PipelineSummary {
            jobs: counted(&counts, |count| count.pipeline == name),
            pauses: pauses_of(&pauses, &name),
            name: name.to_string(),
            version,
            description,
            stages,
            problem,
        });
    }
    Ok(axum::Json(summaries))
}

/// How many jobs stand in which state.
pub fn counted(counts: &[Count], wanted: impl Fn(&Count) -> bool) -> JobCounts {
    let mut jobs = JobCounts::new();
    for count in counts.iter().filter(|count| wanted(count)) {
        *jobs.entry(count.state.as_str().to_owned()).or_default() += count.jobs;
    }
    jobs
}

/// What of a pipeline is paused or drained: itself, and its stages.
fn pauses_of(pauses: &[Paused], name: &PipelineName) -> Vec<Pause> {
    let of_it = pauses.iter().filter(|pause| match &pause.target {
        Target::Pipeline(pipeline) | Target::Stage(pipeline, _) => pipeline == name,
        Target::Queue(_) => false,
    });
    of_it.cloned().map(Pause::from).collect()
}

/// Get a pipeline
///
/// Its text without the values of secrets, its stages and routes.
#[utoipa::path(
    get, path = "/pipelines/{name}", tag = "pipelines", operation_id = "get_pipeline",
    extensions(("x-role" = json!("viewer"))),
    params(("name" = String, Path), WantedVersion),
    responses((status = 200, body = PipelineDetail), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(name): Path<String>,
    Query(wanted): Query<WantedVersion>,
) -> Result<axum::Json<PipelineDetail>, Problem> {
    let (name, store) = (PipelineName::from(name), &context.backend().store);
    let newest = store.pipeline(&name, None).await?;
    let newest = newest.ok_or_else(|| Problem::not_found("pipeline", &name))?;
    let record = match wanted.version.filter(|version| *version != newest.version) {
        Some(version) => store.pipeline(&name, Some(version)).await?,
        None => Some(newest.clone()),
    };
    let record = record.ok_or_else(|| Problem::not_found("version of pipeline", &name))?;
    let graph = context.client().registry().graph(&name, record.version).await?;
    let (counts, pauses) = (context.counts().await?, context.client().pauses().await?);
    let whole = as_written(&context, &record.source);
    Ok(axum::Json(PipelineDetail {
        stages: shapes::stages(&graph, whole.as_ref(), &counts),
        routes: shapes::routes(&graph.pipeline),
        description: graph.pipeline.description.clone(),
        live_versions: store.live_versions(&name).await?,
        pauses: pauses_of(&pauses, &name),
        source: redact::pipeline_text(&record.source),
        version: record.version,
        newest_version: newest.version,
        name: name.to_string(),
    }))
}

/// Put a new version of a pipeline
///
/// New jobs are of it; those that are there stay on theirs. The same text again is the same
/// version. Whatever is wrong with the text is told at once.
#[utoipa::path(
    put, path = "/pipelines/{name}", tag = "pipelines", operation_id = "put_pipeline",
    extensions(("x-role" = json!("admin"))), params(("name" = String, Path)),
    request_body = PipelineText,
    responses(
        (status = 201, body = PipelineVersion, description = "It is a new version"),
        (status = 200, body = PipelineVersion, description = "The newest version has this text"),
        Problem
    )
)]
async fn put(
    State(context): State<Context>,
    _: Admin,
    Path(name): Path<String>,
    Json(PipelineText { source }): Json<PipelineText>,
) -> Result<Response, Problem> {
    let read = Pipeline::load_graph(&name, &source, &|name| Some(shapes::placeholder(name)));
    if let Ok(read) = read
        && read.name.as_str() != name
    {
        let why = format!("the text is of pipeline `{}`, not of `{name}`", read.name);
        return Err(Problem::new(Code::Invalid, why));
    }
    let store = &context.backend().store;
    let before = store.pipeline(&PipelineName::from(name.as_str()), None).await?;
    let definition = context.client().registry().install(&name, &source).await?;
    let version = definition.graph().version;
    let is_new = before.is_none_or(|before| before.version < version);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let detail = Detail(json!({ "version": version, "is_new": is_new }));
    let answer = PipelineVersion { name, version, is_new };
    Ok((status, detail, axum::Json(answer)).into_response())
}

async fn graph_of(
    context: &Context,
    name: String,
    wanted: &WantedVersion,
) -> Result<Arc<Graph>, Problem> {
    let registry = context.client().registry();
    Ok(registry.graph_of(&PipelineName::from(name), wanted.version).await?)
}

/// Get a pipeline as a graph
#[utoipa::path(
    get, path = "/pipelines/{name}/graph", tag = "pipelines", operation_id = "get_pipeline_graph",
    extensions(("x-role" = json!("viewer"))),
    params(("name" = String, Path), WantedVersion),
    responses((status = 200, body = PipelineGraph), Problem)
)]
async fn graph(
    State(context): State<Context>,
    _: Viewer,
    Path(name): Path<String>,
    Query(wanted): Query<WantedVersion>,
) -> Result<axum::Json<PipelineGraph>, Problem> {
    let graph = graph_of(&context, name, &wanted).await?;
    let counts = context.counts().await?;
    Ok(axum::Json(PipelineGraph {
        name: graph.pipeline.name.to_string(),
        version: graph.version,
        nodes: shapes::stages(&graph, None, &counts),
        edges: shapes::routes(&graph.pipeline),
        mermaid: graph.pipeline.to_mermaid(context.client().registry().catalog()),
    }))
}

/// Get a pipeline as a picture
#[utoipa::path(
    get, path = "/pipelines/{name}/graph.svg", tag = "pipelines",
    operation_id = "get_pipeline_picture", extensions(("x-role" = json!("viewer"))),
    params(("name" = String, Path), WantedVersion),
    responses((status = 200, body = String, content_type = "image/svg+xml"), Problem)
)]
async fn picture(
    State(context): State<Context>,
    _: Viewer,
    Path(name): Path<String>,
    Query(wanted): Query<WantedVersion>,
) -> Result<Response, Problem> {
    let graph = graph_of(&context, name, &wanted).await?;
    let svg = graph.pipeline.to_svg(context.client().registry().catalog());
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'"),
    ];
    Ok((headers, svg).into_response())
}

/// Get what jobs must bring
///
/// A JSON Schema of the params for each stage that a job can start at, as far as the pipeline and
/// the code of its stages say it here.
#[utoipa::path(
    get, path = "/pipelines/{name}/schema", tag = "pipelines",
    operation_id = "get_pipeline_schema", extensions(("x-role" = json!("viewer"))),
    params(("name" = String, Path), WantedVersion),
    responses((status = 200, body = PipelineSchema), Problem)
)]
async fn schema(
    State(context): State<Context>,
    _: Viewer,
    Path(name): Path<String>,
    Query(wanted): Query<WantedVersion>,
) -> Result<axum::Json<PipelineSchema>, Problem> {
    let graph = graph_of(&context, name, &wanted).await?;
    let registry = context.client().registry();
    let name = &graph.pipeline.name;
    // Code that is not at hand here says nothing.
    let definition = registry.version(name, graph.version).await.ok();
    let entry = graph.pipeline.default_entry(registry.catalog()).ok();
    let stages: BTreeMap<_, _> = shapes::schemas(&graph, definition.as_deref());
    Ok(axum::Json(PipelineSchema {
        name: name.to_string(),
        version: graph.version,
        entry_stage: entry.map(|entry| entry.to_string()),
        stages,
    }))
}
