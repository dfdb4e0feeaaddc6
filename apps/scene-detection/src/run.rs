//! Every image of a folder through the chain, and what came of it.

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use waystation::core::state::JobState;
use waystation::{BlobRef, Blobs, JobRecord, OpenApp};

use crate::accuracy::Accuracy;
use crate::chain;
use crate::classify::ClassTable;
use crate::folder::Folder;
use crate::object::ObjectTable;
use crate::predict::Prediction;

/// Who classifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classifier {
    /// The stage in Rust.
    Rust,
    /// The Python program.
    Python,
}

/// Where the jobs are, unless in the folder.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The store.
    pub store: Option<String>,
    /// A broker that moves the jobs.
    pub queue: Option<String>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The images that came through, in their order.
    pub scenes: Vec<Scene>,
    /// The others, with why.
    pub failed: Vec<(String, String)>,
    /// How good it was, where the truth is known.
    pub accuracy: Option<Accuracy>,
}

/// What the chain found in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Its objects.
    pub objects: ObjectTable,
    /// Their classes.
    pub classes: ClassTable,
    /// What to expect next time.
    pub prediction: Prediction,
}

/// Takes every image of the folder through the chain.
pub async fn run(
    folder: &Folder,
    classifier: Classifier,
    places: &Places,
) -> anyhow::Result<Outcome> {
    let app = open(folder, classifier, places).await?;
    let mut jobs = Vec::new();
    for image_id in folder.images()? {
        let params = serde_json::json!({ "image_id": image_id });
        jobs.push((image_id, app.submit(params).await?));
    }
    app.run_until_idle().await?;
    let truths = folder.truths()?;
    let mut outcome = Outcome { scenes: Vec::new(), failed: Vec::new(), accuracy: None };
    for (image_id, job_id) in jobs {
        let job = app.job(&job_id).await?;
        if job.state != JobState::Completed {
            outcome.failed.push((image_id, why(&job)));
            continue;
        }
        let scene = found(&app, &job).await.with_context(|| format!("job {job_id}"))?;
        if let Some(truth) = truths.get(&image_id) {
            let accuracy = outcome.accuracy.get_or_insert_default();
            accuracy.add(truth, &scene.objects, &scene.classes, &scene.prediction);
        }
        outcome.scenes.push(scene);
    }
    Ok(outcome)
}

async fn open(folder: &Folder, classifier: Classifier, places: &Places) -> anyhow::Result<OpenApp> {
    let app = match classifier {
        Classifier::Rust => chain::in_rust(),
        Classifier::Python => chain::with_python(folder.path())?,
    };
    let store = places.store.clone().unwrap_or_else(|| folder.store());
    let app = app.store(&store).blobs(&folder.blobs());
    Ok(match &places.queue {
        Some(queue) => app.queue(queue).open().await?,
        None => app.open().await?,
    })
}

/// The tables that a job's params name.
async fn found(app: &OpenApp, job: &JobRecord) -> anyhow::Result<Scene> {
    let store = app.client().backend().blobs.clone();
    let blobs = Blobs::new(store, job.job_id.clone(), job.stage.clone(), 1);
    Ok(Scene {
        objects: table(&blobs, job, "object_table").await?,
        classes: table(&blobs, job, "class_table").await?,
        prediction: table(&blobs, job, "prediction").await?,
    })
}

async fn table<T: DeserializeOwned>(
    blobs: &Blobs,
    job: &JobRecord,
    param: &str,
) -> anyhow::Result<T> {
    let value = job.params.get(param).with_context(|| format!("param `{param}` is absent"))?;
    let blob: BlobRef = serde_json::from_value(value.clone())?;
    blobs.get_json(&blob).await.map_err(|failure| anyhow!("{failure}"))
}

fn why(job: &JobRecord) -> String {
    let failure = job.failure.as_ref().map(|failure| format!(": {failure}"));
    format!("{} at stage {}{}", job.state, job.stage, failure.unwrap_or_default())
}
