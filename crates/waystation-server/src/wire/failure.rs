//! Failures and progress.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_core::failure;
use waystation_core::progress;

use super::Moment;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// What kind of failure: `missing_param`, `transient`, `timeout` …
    pub kind: String,
    /// What happened.
    pub message: String,
    /// The errors below, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// How many seconds to wait at least before the next attempt, where the handler knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<f64>,
    /// The stage at which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The attempt that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

impl From<failure::Failure> for Failure {
    fn from(failure: failure::Failure) -> Self {
        Self {
            kind: failure.kind.as_str().to_owned(),
            message: failure.message,
            causes: failure.causes,
            retry_after_seconds: failure.retry_after.map(|wait| wait.as_secs_f64()),
            stage: failure.stage.map(|stage| stage.to_string()),
            attempt: failure.attempt,
        }
    }
}

/// How far an attempt was when it last said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// From 0 to 100.
    pub percent: f64,
    /// What it did then.
    pub message: String,
    /// The stage.
    pub stage: String,
    /// The attempt.
    pub attempt: u32,
    /// When it said so.
    pub at: Moment,
}

impl From<progress::Progress> for Progress {
    fn from(progress: progress::Progress) -> Self {
        Self {
            percent: progress.percent,
            message: progress.message,
            stage: progress.stage.to_string(),
            attempt: progress.attempt,
            at: progress.at.into(),
        }
    }
}
