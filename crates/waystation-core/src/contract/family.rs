//! What a contract tells of children and of those whose children they are.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, StageId};

/// Whose child a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildOf {
    /// The job that was fanned out.
    pub job_id: JobId,
    /// The stage at which the children come together: a child that comes there has ended. Without
    /// one it goes on to the end of its pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<StageId>,
    /// How many jobs it has above it.
    pub depth: u32,
}

/// Which children have come together at a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// The stage run that fanned out.
    pub visit: u32,
    /// How many children it made.
    pub children: u32,
    /// Whether what they gave goes into the params of the job: so it is with branches, while the
    /// items of a list have each their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge: bool,
}
