//! User code behind a stage: what it is given, what it gives back, and what it says of both.

mod blobs;
mod context;
mod service;
mod signature;
mod steps;
mod typed;
mod validator;

use async_trait::async_trait;

use crate::Params;
use crate::failure::Failure;
use crate::id::Label;

pub use blobs::Blobs;
pub use context::{Context, Reporter};
pub use service::{Service, service};
pub use signature::Signature;
pub use steps::{StepKeeper, Steps};
pub use typed::typed;
pub use validator::{Validator, check, check_async, required};

/// Code behind a worker stage.
///
/// A handler may run more than once for the same stage run (a crash, a lost lease): it should
/// be harmless when repeated. It neither retries nor forwards nor emits events; the engine does.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Does the stage's work. `params` is the job's state as it stands; what is returned is
    /// merged into it (or replaces it, as the stage says).
    ///
    /// Cancelled by dropping, after the context's token has been cancelled and a grace period
    /// has passed.
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure>;

    /// What it needs and what it gives. The engine holds both ends to it.
    fn signature(&self) -> Signature {
        Signature::default()
    }
}

/// What a handler gives back when it is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The params that it adds.
    pub output: Params,
    /// How the job is routed on: `ok` unless said otherwise.
    pub label: Label,
}

impl Completion {
    /// Done, with these params to add.
    pub fn ok(output: Params) -> Self {
        Self { output, label: Label::ok() }
    }

    /// Done, to be routed by this label.
    pub fn labelled(label: &str, output: Params) -> Self {
        Self { output, label: Label::from(label) }
    }
}
