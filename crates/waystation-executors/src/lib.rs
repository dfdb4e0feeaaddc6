//! Ready-made stages: what a pipeline file may name as a stage's `type:`.
//!
//! | type | kind | does |
//! |---|---|---|
//! | `pass` | worker | nothing: hands the params on |
//! | `csv.rows` | worker | reads the rows of a CSV |
//! | `document.text` | worker | reads the text of a document, whatever it is |
//! | `docx.text` | worker | reads the text of a document of Word |
//! | `exec` | worker | runs a program: contract on stdin, params from the last stdout line |
//! | `files` | source | makes a job of each file in a folder |
//! | `files.write` | worker | writes a file, or the params, into a folder |
//! | `html.text` | worker | reads the text of a page of the web |
//! | `http.poll` | source | makes a job of each item of a list that somebody serves as JSON |
//! | `image.rectify` | worker | finds the page in a photo and straightens it |
//! | `image.warp` | worker | straightens a page by corners that somebody gave |
//! | `objects` | source | makes a job of each object in a bucket |
//! | `pdf.text` | worker | reads the text of a PDF |
//! | `pipeline` | worker | has a child of the job go through another pipeline |
//! | `pptx.text` | worker | reads the text of slides |
//! | `sql` | source | makes a job of each row of a query |
//! | `xlsx.rows` | worker | reads the rows of a sheet of Excel |
//! | `manual` | manual | waits for a person's answer |

mod catalog;
#[cfg(feature = "documents")]
pub mod documents;
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
mod settings;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod sub_pipeline;

pub use catalog::{Entry, Executors};
pub use settings::Setting;
