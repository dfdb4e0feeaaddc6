//! Sources: what finds items by itself and makes jobs of them.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::pipeline::StageKind;
use waystation_engine::control::{Pause as Paused, Target, WorkerPresence};

use super::shapes;
use crate::access::Viewer;
use crate::context::Context;
use crate::problem::Problem;
use crate::wire::{Pause, Source};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The setting that says how often a source looks.
const INTERVAL: &str = "polling_interval_seconds";

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

/// Every source that is known.
pub async fn all(context: &Context) -> Result<Vec<Source>, Problem> {
    let store = &context.backend().store;
    let workers = context.client().workers().await?;
    let pauses = context.client().pauses().await?;
    let mut sources = Vec::new();
    for (name, version) in store.pipelines().await? {
        let Some(record) = store.pipeline(&name, Some(version)).await? else { continue };
        let Ok(graph) = context.client().registry().graph(&name, version).await else { continue };
        let whole = shapes::as_written(context, &record.source);
        for stage in &graph.pipeline.stages {
            if graph.kind(&stage.id) != Some(StageKind::Source) {
                continue;
            }
            let written = whole.as_ref().and_then(|whole| whole.stage(&stage.id));
            let interval = written.and_then(|stage| stage.settings.get(INTERVAL));
            sources.push(Source {
                pipeline: name.to_string(),
                version,
                stage: stage.id.to_string(),
                source_type: stage.kind.clone(),
                interval_seconds: interval.and_then(serde_json::Value::as_f64),
                checkpoint: store.checkpoint(&format!("{name}/{}", stage.id)).await?,
                workers: served_by(&workers, &name),
                pauses: kept_by(&pauses, &name, &stage.id),
            });
        }
    }
    Ok(sources)
}

fn served_by(workers: &[WorkerPresence], name: &PipelineName) -> Vec<String> {
    let serving = workers
        .iter()
        .filter(|worker| worker.serves.iter().any(|serving| serving.pipeline == *name));
    serving.map(|worker| worker.worker_id.clone()).collect()
}

fn kept_by(pauses: &[Paused], name: &PipelineName, stage: &StageId) -> Vec<Pause> {
    let keeping = pauses.iter().filter(|pause| match &pause.target {
        Target::Pipeline(pipeline) => pipeline == name,
        Target::Stage(pipeline, paused) => pipeline == name && paused == stage,
        Target::Queue(_) => false,
    });
    keeping.cloned().map(Pause::from).collect()
}
