//! Steps: pieces of a handler's work whose results are kept, so that a repeated attempt skips
//! what is done.

use crate::id::{JobId, StageId};

/// The largest result that is kept of a step, in bytes of JSON. Larger ones are blobs.
pub const RESULT_BYTES_MAX: usize = 256 * 1024;
/// The longest name of a step, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// The most steps of one attempt.
pub const STEPS_MAX: usize = 10_000;
/// The most jobs whose steps are looked at together to be forgotten.
pub const FORGET_PAGE: usize = 200;

/// What a result is kept under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepKey {
    /// The job.
    pub job_id: JobId,
    /// The stage.
    pub stage: StageId,
    /// The stage run, or the first of those that a person's retries made of it.
    pub first_visit: u32,
    /// The step's name, which the handler gave it.
    pub name: String,
}
