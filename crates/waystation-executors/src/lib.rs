//! Ready-made stages: what a pipeline file may name as a stage's `type:`.
//!
//! | type | kind | does |
//! |---|---|---|
//! | `aggregate` | worker | sums, counts and groups of the lists that a join collected |
//! | `csv.rows` | worker | reads the rows of a CSV |
//! | `document.text` | worker | reads the text of a document, whatever it is |
//! | `docx.text` | worker | reads the text of a document of Word |
//! | `embed` | worker | has a model make vectors of texts |
//! | `exec` | worker | runs a program: contract on stdin, params from the last stdout line |
//! | `fields.map` | worker | sets, copies, renames and drops fields |
//! | `fields.select` | worker | keeps some fields, or drops some |
//! | `files` | source | makes a job of each file in a folder |
//! | `files.write` | worker | writes a file, or the params, into a folder |
//! | `html.text` | worker | reads the text of a page of the web |
//! | `http` | worker | asks somebody over HTTP and keeps the answer |
//! | `http.poll` | source | makes a job of each item of a list that somebody serves as JSON |
//! | `image.rectify` | worker | finds the page in a photo and straightens it |
//! | `image.warp` | worker | straightens a page by corners that somebody gave |
//! | `language.detect` | worker | tells which language a text is in |
//! | `llm` | worker | asks a language model and keeps what it says |
//! | `manual` | manual | waits for a person's answer |
//! | `objects` | source | makes a job of each object in a bucket |
//! | `objects.write` | worker | puts a text, a file or the params into a bucket or a folder |
//! | `pass` | worker | nothing: hands the params on |
//! | `pdf.text` | worker | reads the text of a PDF |
//! | `pipeline` | worker | has a child of the job go through another pipeline |
//! | `pptx.text` | worker | reads the text of slides |
//! | `queue` | source | makes a job of each message of somebody else's queue |
//! | `split` | worker | makes a list of a text, an object or a longer list, for children |
//! | `sql` | source | makes a job of each row of a query |
//! | `sql.write` | worker | writes a row, or the rows of a list, into a database |
//! | `text.chunk` | worker | cuts a text into pieces of a size |
//! | `webhook` | source | makes jobs of what somebody sends to the server |
//! | `xlsx.rows` | worker | reads the rows of a sheet of Excel |

mod catalog;
#[cfg(feature = "documents")]
pub mod documents;
mod exec;
mod fields;
mod files;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "images")]
mod image;
mod inputs;
mod listing;
mod lists;
#[cfg(feature = "http")]
mod models;
#[cfg(feature = "http")]
mod net;
#[cfg(feature = "objects")]
mod objects;
#[cfg(feature = "images")]
pub mod page;
mod pass;
mod path;
#[cfg(feature = "photographs")]
pub mod photographs;
#[cfg(any(feature = "rabbitmq", feature = "redis"))]
mod queue;
mod settings;
mod shape;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod sub_pipeline;
mod template;
#[cfg(feature = "text")]
mod text;
mod webhook;

pub use catalog::{Entry, Executors};
pub use settings::Setting;
