//! The pipeline: three stages in Rust, or with a Python program in the middle.

use std::path::Path;

use waystation::{App, AppError};

use crate::stages;

/// The pipeline file of the chain with the Python program.
pub const PIPELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scene.yaml");
/// The Python program.
pub const CLASSIFY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/classify.py");

/// Three stages in Rust.
pub fn in_rust() -> App {
    App::new("scenes")
        .stage("detect", stages::detect)
        .stage("classify", stages::classify)
        .stage("predict", stages::predict)
}

/// The same with `classify` in Python, which finds the blobs in this folder.
pub fn with_python(blobs: &Path) -> Result<App, AppError> {
    let app = App::from_file(PIPELINE)?
        .stage("detect", stages::detect)
        .stage("predict", stages::predict)
        .set("classify", CLASSIFY)
        .set("blobs", &blobs.display().to_string());
    Ok(app)
}
