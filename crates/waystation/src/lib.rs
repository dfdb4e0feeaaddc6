//! Waystation moves jobs through the stages of a pipeline, durably, over the queues that people
//! already run.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use waystation::{App, Context, Failure, JsonSchema};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Photo {
//!     image_id: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Found {
//!     detection_run_id: String,
//! }
//!
//! async fn detect(_context: Context, photo: Photo) -> Result<Found, Failure> {
//!     Ok(Found { detection_run_id: format!("det_{}", photo.image_id) })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = App::new("images").stage("detect", detect).store("memory://").open().await?;
//! let job = app.submit(serde_json::json!({ "image_id": "img_123" })).await?;
//! app.run_until_idle().await?;
//! assert_eq!(app.job(&job).await?.params["detection_run_id"], "det_img_123");
//! # Ok(())
//! # }
//! ```

mod app;
pub mod backends;
pub mod config;
mod environment;
#[cfg(doctest)]
mod guides;
mod signals;
pub mod supervised;
#[cfg(feature = "otlp")]
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use app::{App, AppError, OpenApp};
pub use environment::{environment, environment_with};
pub use schemars::{self, JsonSchema};
pub use signals::Signals;
pub use waystation_core::Params;
pub use waystation_core::blob::{BlobKey, BlobRef};
pub use waystation_core::failure::{ErrorKind, Failure};
pub use waystation_core::handler::{
    Blobs, Completion, Context, Handler, Service, Signature, Validator, check, check_async,
    required,
};
pub use waystation_core::id::{JobId, PipelineName, StageId};
pub use waystation_core::job::JobRecord;
pub use waystation_core::settlement::{Dedupe, OnDuplicate, Rejected, Submitted, priority};
pub use waystation_engine::{
    AnswerError, Backend, Client, Definition, Engine, EngineError, Handle, Options, Registry,
    Sources, Submission,
};
#[cfg(feature = "documents")]
pub use waystation_executors::documents::{parse_by, parse_if_asked};
pub use waystation_executors::{Entry, Executors, Setting};

pub use waystation_core as core;
pub use waystation_engine as engine;
pub use waystation_server as server;
