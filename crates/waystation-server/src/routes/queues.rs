//! Queues: how much waits in them, and for what.

use std::collections::BTreeMap;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::pipeline::Stage;
use waystation_core::port::Depth;
use waystation_engine::control::{Pause as Paused, Target, WorkerPresence};

use crate::access::Viewer;
use crate::context::Context;
use crate::extract::Path;
use crate::problem::Problem;
use crate::wire::{Moment, Pause, Queue, QueueReader};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// List the queues
///
/// Those of each pipeline's newest version, and all others in which something waits.
#[utoipa::path(
    get, path = "/queues", tag = "queues", operation_id = "list_queues",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Vec<Queue>), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
) -> Result<axum::Json<Vec<Queue>>, Problem> {
    Ok(axum::Json(all(&context).await?))
}

/// Get a queue
///
/// With how much waits in it at this moment.
#[utoipa::path(
    get, path = "/queues/{queue}", tag = "queues", operation_id = "get_queue",
    extensions(("x-role" = json!("viewer"))), params(("queue" = String, Path)),
    responses((status = 200, body = Queue), Problem)
)]
async fn get(
    State(context): State<Context>,
    _: Viewer,
    Path(queue): Path<String>,
) -> Result<axum::Json<Queue>, Problem> {
    let mut found = all(&context).await?.into_iter().filter(|one| one.queue == queue);
    let found = found.next().ok_or_else(|| Problem::not_found("queue", &queue))?;
    let depth = context.client().depth(&QueueName::from(queue)).await?;
    Ok(axum::Json(filled(found, depth, context.now())))
}

/// Every queue that is known, by name.
pub async fn all(context: &Context) -> Result<Vec<Queue>, Problem> {
    let readers = readers(context).await?;
    let depths = context.depths().await?;
    let (workers, pauses) = (context.client().workers().await?, context.client().pauses().await?);
    let mut queues: BTreeMap<QueueName, (Vec<QueueReader>, Option<u64>, Depth)> = BTreeMap::new();
    for (queue, reader, alarm) in readers {
        let (stages, priority_alarm, _) = queues.entry(queue).or_default();
        stages.push(reader);
        *priority_alarm = alarm.into_iter().chain(*priority_alarm).min();
    }
    for (queue, depth) in depths.iter() {
        queues.entry(queue.clone()).or_default().2 = *depth;
    }
    let now = context.now();
    let told = queues.into_iter().map(|(queue, (stages, priority_alarm, depth))| {
        let empty = Queue {
            pauses: keeping(&pauses, &queue, &stages),
            workers: serving(&workers, &queue),
            queue: queue.to_string(),
            stages,
            ready: 0,
            priority: 0,
            priority_alarm,
            delayed: 0,
            behind: 0,
            in_flight: 0,
            oldest_at: None,
            oldest_age_ms: None,
        };
        filled(empty, depth, now)
    });
    Ok(told.collect())
}

/// Which stages read which queues, of pipelines as they are now, and above how many of priority
/// they want to be looked at.
async fn readers(context: &Context) -> Result<Vec<(QueueName, QueueReader, Option<u64>)>, Problem> {
    let mut readers = Vec::new();
    for (name, version) in context.backend().store.pipelines().await? {
        let Ok(graph) = context.client().registry().graph(&name, version).await else { continue };
        for (stage, queue) in graph.queues() {
            let alarm = graph.pipeline.stage(stage).and_then(Stage::priority_alarm);
            let reader = QueueReader { pipeline: name.to_string(), stage: stage.to_string() };
            readers.push((queue, reader, alarm));
        }
    }
    Ok(readers)
}

fn filled(queue: Queue, depth: Depth, now: Timestamp) -> Queue {
    let age = depth.oldest.map(|oldest| now.since(oldest).as_millis());
    Queue {
        ready: depth.ready,
        priority: depth.priority,
        delayed: depth.delayed,
        behind: depth.behind,
        in_flight: depth.leased,
        oldest_at: depth.oldest.map(Moment),
        oldest_age_ms: age.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        ..queue
    }
}

/// What keeps a queue from being served, if by some of its readers only.
fn keeping(pauses: &[Paused], queue: &QueueName, readers: &[QueueReader]) -> Vec<Pause> {
    let reads = |pipeline: &str, stage: Option<&str>| {
        readers.iter().any(|reader| {
            reader.pipeline == pipeline && stage.is_none_or(|stage| reader.stage == stage)
        })
    };
    let keeping = pauses.iter().filter(|pause| match &pause.target {
        Target::Pipeline(pipeline) => reads(pipeline.as_str(), None),
        Target::Stage(pipeline, stage) => reads(pipeline.as_str(), Some(stage.as_str())),
        Target::Queue(paused) => paused == queue,
    });
    keeping.cloned().map(Pause::from).collect()
}

fn serving(workers: &[WorkerPresence], queue: &QueueName) -> u64 {
    let serves = |worker: &&WorkerPresence| {
        !worker.draining && worker.serves.iter().any(|serving| serving.queue == *queue)
    };
    workers.iter().filter(serves).count() as u64
}
