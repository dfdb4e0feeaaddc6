//! `files` and `files.write`: folders as the pipeline's two ends.

mod settling;
mod source;
mod walk;
mod write;

pub use source::{Settings, build as build_source};
pub use write::{Settings as WriteSettings, build as build_write};
