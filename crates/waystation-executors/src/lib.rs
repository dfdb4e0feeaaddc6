//! Ready-made stages: what a pipeline file may name as a stage's `type:`.
//!
//! | type | kind | does |
//! |---|---|---|
//! | `pass` | worker | nothing: hands the params on |
//! | `exec` | worker | runs a program: contract on stdin, params from the last stdout line |
//! | `files` | source | makes a job of each file in a folder |
//! | `files.write` | worker | writes a file, or the params, into a folder |
//! | `image.rectify` | worker | finds the page in a photo and straightens it |
//! | `image.warp` | worker | straightens a page by corners that somebody gave |
//! | `pipeline` | worker | has a child of the job go through another pipeline |
//! | `manual` | manual | waits for a person's answer |

mod catalog;
mod exec;
mod files;
#[cfg(feature = "images")]
mod image;
#[cfg(feature = "images")]
pub mod page;
mod pass;
mod settings;
mod sub_pipeline;

pub use catalog::Executors;
