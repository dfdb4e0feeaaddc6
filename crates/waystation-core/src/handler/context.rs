//! What the engine tells a handler, and how the handler talks back.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Blobs, Steps};
use crate::clock::Timestamp;
use crate::event::Level;
use crate::id::{JobId, PipelineName, StageId};
use crate::trace::Traceparent;

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
    /// When the attempt will be ended as timed out: when its stage's timeout is over, or at the
    /// job's deadline if that is earlier.
    pub deadline: Option<Timestamp>,
    /// Cancelled when the attempt must stop: aborted, timed out, lease lost, shutdown.
    pub cancellation: CancellationToken,
    /// The wire form of the contract, for handlers that pass it on whole.
    pub contract: Arc<[u8]>,
    /// Where the attempt's words go.
    pub reporter: Arc<dyn Reporter>,
    /// What [`Self::step`] keeps, and where.
    pub steps: Arc<Steps>,
    /// What is too large for params.
    pub blobs: Blobs,
    /// The attempt's place in its trace, to be passed on to what the handler calls. `None` where
    /// nobody traces.
    pub traceparent: Option<Traceparent>,
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
