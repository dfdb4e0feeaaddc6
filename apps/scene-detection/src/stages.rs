//! The three stages: what each needs, what each adds, and nothing else.
//!
//! Tables are blobs; the contract carries their references, ids and small values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use waystation::{BlobKey, BlobRef, Context, ErrorKind, Failure};

use crate::classify::{Class, ClassTable};
use crate::object::ObjectTable;
use crate::raster::Raster;

/// What *detect* needs.
#[derive(Deserialize, JsonSchema)]
pub struct Image {
    image_id: String,
}

/// What *detect* adds.
#[derive(Serialize, JsonSchema)]
pub struct Detected {
    detection_run_id: String,
    object_table: BlobRef,
    objects: usize,
}

/// What *classify* needs.
#[derive(Deserialize, JsonSchema)]
pub struct Detections {
    object_table: BlobRef,
}

/// What *classify* adds.
#[derive(Serialize, JsonSchema)]
pub struct Classes {
    classification_run_id: String,
    class_table: BlobRef,
    counts: BTreeMap<Class, u64>,
}

/// What *predict* needs.
#[derive(Deserialize, JsonSchema)]
pub struct Classifications {
    object_table: BlobRef,
    class_table: BlobRef,
}

/// What *predict* adds.
#[derive(Serialize, JsonSchema)]
pub struct Predicted {
    prediction_id: String,
    prediction: BlobRef,
    busiest_tile: Option<Tile>,
}

/// A tile, by its column and row from 0.
#[derive(Serialize, JsonSchema)]
pub struct Tile {
    column: usize,
    row: usize,
    expected: f64,
}

/// Where the image of this id lies among the blobs.
pub fn image_key(image_id: &str) -> Result<BlobKey, Failure> {
    BlobKey::parse(format!("images/{image_id}.png"))
        .map_err(|error| Failure::from_error(ErrorKind::InvalidParam, &error))
}

/// Finds the objects of an image.
pub async fn detect(context: Context, image: Image) -> Result<Detected, Failure> {
    let file = BlobRef { key: image_key(&image.image_id)?, bytes: None };
    let bytes = context.blobs.get(&file).await?;
    context.progress(30.0, "looking for objects");
    let table = aside(move || {
        let raster = Raster::read_png(&bytes).map_err(|error| {
            let message = format!("image `{}`: {error}", image.image_id);
            Failure::new(ErrorKind::Validation, message)
        })?;
        Ok(crate::detect::detect(&image.image_id, &raster))
    })
    .await?;
    Ok(Detected {
        detection_run_id: format!("det_{}", context.job_id),
        object_table: context.blobs.put_json("objects.json", &table).await?,
        objects: table.objects.len(),
    })
}

/// Tells what the objects are.
pub async fn classify(context: Context, detections: Detections) -> Result<Classes, Failure> {
    let table: ObjectTable = context.blobs.get_json(&detections.object_table).await?;
    let classes = crate::classify::classify(&table);
    Ok(Classes {
        classification_run_id: format!("cls_{}", context.job_id),
        class_table: context.blobs.put_json("classes.json", &classes).await?,
        counts: classes.counts(),
    })
}

/// Tells how many objects to expect, tile by tile.
pub async fn predict(context: Context, given: Classifications) -> Result<Predicted, Failure> {
    let table: ObjectTable = context.blobs.get_json(&given.object_table).await?;
    let classes: ClassTable = context.blobs.get_json(&given.class_table).await?;
    let prediction = crate::predict::predict(&table, &classes)
        .map_err(|error| Failure::from_error(ErrorKind::Validation, &error))?;
    let busiest = prediction.busiest();
    Ok(Predicted {
        prediction_id: format!("pred_{}", context.job_id),
        prediction: context.blobs.put_json("prediction.json", &prediction).await?,
        busiest_tile: busiest.map(|(column, row, expected)| Tile { column, row, expected }),
    })
}

/// Pixels take their time: not on the threads that everything else waits on.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(broken) => Err(Failure::from_error(ErrorKind::Panic, &broken)),
    }
}
