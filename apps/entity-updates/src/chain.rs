//! The pipeline: one stage, which takes the updates of each entity one at a time and in order.

use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use waystation::core::settlement::priority;
use waystation::{App, AppError, Client, Context, Failure, JobId, OpenApp, Submission, Submitted};

use crate::entities::Entities;
use crate::hooks::{Link, follow_ups};
use crate::point::{Point, Update, grouped};

/// The name of the pipeline.
pub const PIPELINE: &str = "entity-updates";
/// How many entities a worker updates at a time.
const CONCURRENCY: usize = 64;

/// What a job's record keeps of it.
#[derive(Serialize, JsonSchema)]
struct Told {
    /// How many attributes are something else now.
    changed: usize,
    /// How many updates of other entities followed.
    followed: usize,
}

/// The pipeline, whose workers keep the entities.
pub struct Updates {
    app: OpenApp,
}

impl Updates {
    /// Opens the pipeline over this store, with a broker beside it where one is named.
    pub async fn open(
        store: &str,
        broker: Option<&str>,
        entities: Arc<Entities>,
        links: Vec<Link>,
    ) -> Result<Self, AppError> {
        // The stage submits to its own pipeline, which is open only after it is declared.
        let own: Arc<OnceLock<Client>> = Arc::default();
        let links: Arc<[Link]> = links.into();
        let stage = {
            let own = Arc::clone(&own);
            move |context: Context, update: Update| {
                let (entities, links) = (Arc::clone(&entities), Arc::clone(&links));
                let own = Arc::clone(&own);
                async move { apply(&context, update, entities, &links, own.get()).await }
            }
        };
        let said = json!({ "key": "entity", "concurrency": CONCURRENCY, "params": "merge" });
        let app = App::new(PIPELINE).stage_with("apply", stage, said).store(store);
        let app = broker.into_iter().fold(app, App::queue).open().await?;
        let _ = own.set(app.client().clone());
        Ok(Self { app })
    }

    /// The pipeline.
    pub fn app(&self) -> &OpenApp {
        &self.app
    }

    /// Submits points, one job for each entity among them. Either all are taken or none.
    pub async fn put(&self, points: Vec<Point>) -> Result<Vec<Submitted>, AppError> {
        let jobs = grouped(points).iter().map(|update| submission(update, None)).collect();
        self.app.submit_all(jobs).await
    }
}

/// An update as a job.
pub fn submission(update: &Update, job_id: Option<JobId>) -> Submission {
    let params = match json!(update) {
        Value::Object(params) => params,
        _ => waystation::Params::new(),
    };
    Submission { job_id, params, ..Submission::default() }
}

async fn apply(
    context: &Context,
    update: Update,
    entities: Arc<Entities>,
    links: &[Link],
    own: Option<&Client>,
) -> Result<Told, Failure> {
    let job_id = context.job_id.clone();
    // What follows of it follows also when it was applied before: the worker may have died between
    // the two. Each follow-up has an id of its own, under which it is submitted once.
    let followed = follow_ups(links, &update);
    let applied = entities.apply(job_id.as_str(), update).await;
    let applied = applied
        .map_err(|error| Failure::transient(format!("the entities are not there: {error}")))?;
    if let (Some(own), false) = (own, followed.is_empty()) {
        follow(own, &job_id, &followed).await?;
    }
    Ok(Told { changed: applied.changed.len(), followed: followed.len() })
}

/// Submits what follows, before all that comes from outside.
async fn follow(own: &Client, job_id: &JobId, followed: &[Update]) -> Result<(), Failure> {
    let transient = |error: &dyn std::fmt::Display| {
        Failure::transient(format!("what follows is not submitted: {error}"))
    };
    let definition = own.registry().newest(&PIPELINE.into()).await;
    let definition = definition.map_err(|error| transient(&error))?;
    let job = |(number, update): (usize, &Update)| Submission {
        priority: priority::HIGH,
        ..submission(update, Some(JobId::from(format!("{job_id}.{number}"))))
    };
    let jobs = followed.iter().enumerate().map(job).collect();
    own.submit(&definition, jobs).await.map_err(|error| transient(&error))?;
    Ok(())
}
