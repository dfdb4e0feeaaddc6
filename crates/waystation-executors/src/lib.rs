//! Ready-made stages: what a pipeline file may name as a stage's `type:`.
//!
//! | type | kind | does |
//! |---|---|---|
//! | `pass` | worker | nothing: hands the params on |
//! | `exec` | worker | runs a program: contract on stdin, params from the last stdout line |
//! | `files` | source | makes a job of each file in a folder |
//! | `files.write` | worker | writes a file, or the params, into a folder |
//! | `http.poll` | source | makes a job of each item of a list that somebody serves as JSON |
//! | `image.rectify` | worker | finds the page in a photo and straightens it |
//! | `image.warp` | worker | straightens a page by corners that somebody gave |
//! | `objects` | source | makes a job of each object in a bucket |
//! | `pipeline` | worker | has a child of the job go through another pipeline |
//! | `queue` | source | makes a job of each message of somebody else's queue |
//! | `sql` | source | makes a job of each row of a query |
//! | `webhook` | source | makes jobs of what somebody sends to the server |
//! | `manual` | manual | waits for a person's answer |

mod catalog;
mod exec;
mod files;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "images")]
mod image;
mod listing;
#[cfg(feature = "http")]
mod net;
#[cfg(feature = "objects")]
mod objects;
#[cfg(feature = "images")]
pub mod page;
mod pass;
#[cfg(feature = "photographs")]
pub mod photographs;
#[cfg(any(feature = "rabbitmq", feature = "redis"))]
mod queue;
mod settings;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod sub_pipeline;
mod webhook;

pub use catalog::{Entry, Executors};
pub use settings::Setting;
