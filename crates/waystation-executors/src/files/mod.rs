//! `files` and `files.write`: folders as the pipeline's two ends.

mod source;
mod template;
mod write;

pub use source::build as build_source;
pub use write::build as build_write;
