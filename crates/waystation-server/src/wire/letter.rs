//! Dead letters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_core::job::DeadLetterRecord;

use super::{Failure, Moment};

/// A job that nobody tries again until a person says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// The letter's number.
    pub dead_letter_id: i64,
    /// The job.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The stage at which it failed.
    pub stage: String,
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: Moment,
}

/// A page of the dead letters, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterPage {
    /// The letters.
    pub dead_letters: Vec<DeadLetter>,
    /// What to give as `before` for the next page. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

impl From<DeadLetterRecord> for DeadLetter {
    fn from(letter: DeadLetterRecord) -> Self {
        Self {
            dead_letter_id: letter.dead_letter_id,
            job_id: letter.job_id.to_string(),
            pipeline: letter.pipeline.to_string(),
            stage: letter.stage.to_string(),
            failure: letter.failure.into(),
            at: letter.at.into(),
        }
    }
}
