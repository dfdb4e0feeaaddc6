//! The overview: how everything gets on, at a glance.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::job::{Count, TaskFilter};
use waystation_core::pipeline::StageKind;
use waystation_core::port::Depth;
use waystation_core::state::JobState;
use waystation_core::statistics::Statistic;
use waystation_engine::Graph;
use waystation_engine::control::{Mode, Pause as Paused, Target};

use super::pipelines::counted;
use super::{limits, shapes};
use crate::access::Viewer;
use crate::context::Context;
use crate::extract::Query;
use crate::figures::Window;
use crate::problem::Problem;
use crate::wire::{Moment, Overview, Pause, PipelineOverview, StageOverview};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(get))
}

/// How many whole minutes figures are of, unless the query says.
const MINUTES: u32 = 5;
/// How many they may be of: more are not at hand.
const MINUTES_MAX: u32 = 60;

/// What figures are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedFigures {
    /// Of so many whole minutes and what there is of the present one; five unless given.
    #[param(minimum = 1, maximum = 60)]
    minutes: Option<u32>,
}

/// What the overview is made of, as of a moment ago.
struct Known {
    now: Timestamp,
    window: Window,
    counts: std::sync::Arc<Vec<Count>>,
    depths: std::sync::Arc<Vec<(QueueName, Depth)>>,
    statistics: std::sync::Arc<Vec<Statistic>>,
    pauses: Vec<Paused>,
}

/// See how everything gets on
///
/// Pipeline by pipeline and stage by stage: where jobs stand, how many pass, how many fail, how
/// long they take and wait.
#[utoipa::path(
    get, path = "/overview", tag = "watching", operation_id = "get_overview",
    extensions(("x-role" = json!("viewer"))), params(WantedFigures),
    responses((status = 200, body = Overview), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<WantedFigures>,
) -> Result<axum::Json<Overview>, Problem> {
    let minutes = limits::between("minutes", wanted.minutes.unwrap_or(MINUTES), 1, MINUTES_MAX)?;
    let (counts, depths, statistics) =
        tokio::try_join!(context.counts(), context.depths(), context.minutes())?;
    let (now, pauses) = (context.now(), context.client().pauses().await?);
    let window = Window::new(minutes, now);
    let known = Known { now, window, counts, depths, statistics, pauses };
    let mut pipelines = Vec::new();
    for (name, version) in context.backend().store.pipelines().await? {
        pipelines.push(known.pipeline(&context, &name, version).await?);
    }
    let window_seconds = known.window.length().as_secs_f64();
    Ok(axum::Json(Overview { at: known.now.into(), window_seconds, pipelines }))
}

impl Known {
    async fn pipeline(
        &self,
        context: &Context,
        name: &PipelineName,
        version: u32,
    ) -> Result<PipelineOverview, Problem> {
        let graph = context.client().registry().graph(name, version).await;
        let (mut stages, mut problem) = (Vec::new(), None);
        match &graph {
            Ok(graph) => {
                for stage in &graph.pipeline.stages {
                    stages.push(self.stage(context, graph, &stage.id).await?);
                }
            }
            Err(error) => problem = Some(error.to_string()),
        }
        for count in self.counts.iter().filter(|count| count.pipeline == *name && count.jobs > 0) {
            let is_new = stages.iter().all(|known| known.id != count.stage.as_str());
            // What ended long ago at a stage that is gone would only fill the screen.
            if is_new && !count.state.is_terminal() {
                stages.push(self.stage_of_old(name, &count.stage));
            }
        }
        let pauses =
            self.pauses.iter().filter(|pause| concerns(&pause.target, name, graph.as_deref().ok()));
        Ok(PipelineOverview {
            name: name.to_string(),
            version,
            jobs: counted(&self.counts, |count| count.pipeline == *name),
            flow: self.window.of_jobs(&self.statistics, |one| one.key.pipeline == *name),
            oldest_at: stages.iter().filter_map(|stage| stage.oldest_at).min(),
            pauses: pauses.cloned().map(Pause::from).collect(),
            stages,
            problem,
        })
    }

    async fn stage(
        &self,
        context: &Context,
        graph: &Graph,
        id: &StageId,
    ) -> Result<StageOverview, Problem> {
        let kind = graph.kind(id).unwrap_or(StageKind::Worker);
        let name = &graph.pipeline.name;
        let mut stage = self.stage_of_old(name, id);
        stage.kind = Some(shapes::kind_name(kind).to_owned());
        let queue = graph.queue_of(id);
        stage.oldest_at = match kind {
            StageKind::Manual if stage.jobs.contains_key(JobState::Waiting.as_str()) => {
                self.oldest_task(context, name, id).await?
            }
            StageKind::Manual | StageKind::Source => None,
            _ => {
                let depth = self.depths.iter().find(|(known, _)| *known == queue);
                depth.and_then(|(_, depth)| depth.oldest).map(Moment)
            }
        };
        stage.is_paused = self.pauses.iter().any(|pause| {
            pause.mode == Mode::Pause
                && match &pause.target {
                    Target::Pipeline(paused) => paused == name,
                    Target::Stage(paused, stage) => paused == name && stage == id,
                    Target::Queue(paused) => *paused == queue,
                }
        });
        Ok(stage)
    }

    /// A stage as far as it is known without its pipeline's text.
    fn stage_of_old(&self, name: &PipelineName, id: &StageId) -> StageOverview {
        let same = |count: &Count| count.pipeline == *name && count.stage == *id;
        let ours = |one: &Statistic| one.key.pipeline == *name && one.key.stage == *id;
        StageOverview {
            id: id.to_string(),
            kind: None,
            jobs: counted(&self.counts, same),
            flow: self.window.of_runs(&self.statistics, ours),
            oldest_at: None,
            is_paused: false,
        }
    }

    /// Since when the task waits that has waited longest.
    async fn oldest_task(
        &self,
        context: &Context,
        name: &PipelineName,
        stage: &StageId,
    ) -> Result<Option<Moment>, Problem> {
        let (pipeline, stage) = (Some(name.clone()), Some(stage.clone()));
        let filter = TaskFilter { pipeline, stage, ..TaskFilter::first(1) };
        let tasks = context.backend().store.tasks(filter).await?;
        Ok(tasks.first().map(|task| task.created_at.into()))
    }
}

/// Whether a pause is of this pipeline, of a stage of it, or of a queue that one reads.
fn concerns(target: &Target, name: &PipelineName, graph: Option<&Graph>) -> bool {
    match target {
        Target::Pipeline(paused) | Target::Stage(paused, _) => paused == name,
        Target::Queue(paused) => {
            graph.is_some_and(|graph| graph.queues().into_iter().any(|(_, queue)| queue == *paused))
        }
    }
}
