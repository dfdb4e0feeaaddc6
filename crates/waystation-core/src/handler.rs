//! User code behind a stage: what it is given and what it gives back.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Params;
use crate::clock::Timestamp;
use crate::event::Level;
use crate::failure::{ErrorKind, Failure};
use crate::id::{JobId, Label, PipelineName, StageId};

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

/// Takes what a running attempt says of itself.
pub trait Reporter: Send + Sync {
    /// How far the attempt is, in percent, and what it does now. Lossy; never waits.
    fn progress(&self, percent: f64, message: &str);
    /// A line for the job's log, kept up to a limit. Never waits.
    fn log(&self, level: Level, line: &str);
}

/// What the engine tells a handler, and how the handler talks back.
#[derive(Clone)]
pub struct Context {
    /// The job.
    pub job_id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The stage that runs.
    pub stage: StageId,
    /// Which stage run of the job this is, counted from 1.
    pub visit: u32,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// When the attempt will be ended as timed out.
    pub deadline: Option<Timestamp>,
    /// Cancelled when the attempt must stop: aborted, timed out, lease lost, shutdown.
    pub cancellation: CancellationToken,
    /// The wire form of the contract, for handlers that pass it on whole.
    pub contract: Arc<[u8]>,
    /// Where the attempt's words go.
    pub reporter: Arc<dyn Reporter>,
}

impl Context {
    /// Tells how far the attempt is. Lossy; never slows the work.
    pub fn progress(&self, percent: f64, message: &str) {
        self.reporter.progress(percent, message);
    }

    /// Writes a line into the job's log.
    pub fn log(&self, level: Level, line: &str) {
        self.reporter.log(level, line);
    }

    /// A key that is the same for every repetition of this stage run, and for no other: to be
    /// given to outside services so that a repeated attempt has no second effect there.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.job_id, self.stage, self.visit)
    }
}

/// A handler made of a typed async function: `serde` in, `serde` out.
///
/// The output must serialise to an object (or to null, for none).
pub fn typed<F, Input, Output, Fut>(function: F) -> impl Handler + 'static
where
    F: Fn(Context, Input) -> Fut + Send + Sync + 'static,
    Input: DeserializeOwned + Send + 'static,
    Output: Serialize + Send + 'static,
    Fut: Future<Output = Result<Output, Failure>> + Send + 'static,
{
    Typed { function, signature: PhantomData }
}

struct Typed<F, Input, Output> {
    function: F,
    signature: PhantomData<fn(Input) -> Output>,
}

#[async_trait]
impl<F, Input, Output, Fut> Handler for Typed<F, Input, Output>
where
    F: Fn(Context, Input) -> Fut + Send + Sync,
    Input: DeserializeOwned + Send,
    Output: Serialize + Send,
    Fut: Future<Output = Result<Output, Failure>> + Send,
{
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let input = serde_json::from_value(Value::Object(params)).map_err(|error| {
            let message = error.to_string();
            let absent = message.starts_with("missing field");
            let kind = if absent { ErrorKind::MissingParam } else { ErrorKind::InvalidParam };
            Failure::new(kind, format!("params do not fit the stage's input: {message}"))
        })?;
        let output = (self.function)(context, input).await?;
        match serde_json::to_value(output) {
            Ok(Value::Object(output)) => Ok(Completion::ok(output)),
            Ok(Value::Null) => Ok(Completion::default()),
            Ok(other) => Err(Failure::new(
                ErrorKind::Contract,
                format!("a stage's output must be an object, not {other}"),
            )),
            Err(error) => Err(Failure::new(
                ErrorKind::Contract,
                format!("the stage's output cannot be written as JSON: {error}"),
            )),
        }
    }
}
