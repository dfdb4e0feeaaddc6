//! Our two stages: all that a team writes. Checks, retries, events and forwarding are not theirs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use waystation::{Context, Failure};

/// As long as a model would take, in a world where models are quick.
const WORK: Duration = Duration::from_millis(30);

/// What `detect` needs.
#[derive(Deserialize, JsonSchema)]
pub struct Image {
    image_id: String,
}

/// What `detect` adds.
#[derive(Serialize, JsonSchema)]
pub struct Detected {
    detection_run_id: String,
}

/// Finds the objects of an image.
pub async fn detect(context: Context, image: Image) -> Result<Detected, Failure> {
    context.progress(0.0, "looking");
    tokio::time::sleep(WORK).await;
    context.progress(100.0, "found");
    Ok(Detected { detection_run_id: format!("det_{}", image.image_id) })
}

/// What `predict` needs: of what the stages before it left, as much as it wants.
#[derive(Deserialize, JsonSchema)]
pub struct Classified {
    image_id: String,
    classification_run_id: String,
}

/// What `predict` adds.
#[derive(Serialize, JsonSchema)]
pub struct Predicted {
    prediction_id: String,
}

/// Tells what will become of the objects of an image.
pub async fn predict(context: Context, classified: Classified) -> Result<Predicted, Failure> {
    context.progress(0.0, &format!("from {}", classified.classification_run_id));
    tokio::time::sleep(WORK).await;
    context.progress(100.0, "told");
    Ok(Predicted { prediction_id: format!("pred_{}", classified.image_id) })
}
