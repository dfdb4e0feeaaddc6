//! A chain of three services over RabbitMQ, of which the middle one is a Python program that knows
//! nothing of Waystation.
//!
//! What it shows, and what goes over the wire, is told in the `README.md` beside.

pub mod demo;
pub mod places;
pub mod process;
pub mod python;
pub mod stages;

use waystation::{App, AppError};

use places::Places;

/// The pipeline file.
pub const PIPELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipeline.yaml");

/// The pipeline with the code of our two stages.
pub fn app(places: &Places) -> Result<App, AppError> {
    let app =
        App::from_file(PIPELINE)?.stage("detect", stages::detect).stage("predict", stages::predict);
    Ok(places.name_in(app))
}
