//! The demo: photographed pages that never existed, straightened by the page-photos pipeline.

mod reviewer;
mod roll;

pub use reviewer::Reviewer;
pub use roll::Roll;

/// The pipeline's text.
pub const PIPELINE: &str = include_str!("page_photos.yaml");
/// Its name.
pub const NAME: &str = "page-photos";
