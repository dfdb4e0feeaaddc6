//! What is paused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_engine::control;

use super::Moment;

/// Something that is paused or drained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// What: `pipeline/NAME`, `stage/PIPELINE/STAGE` or `queue/NAME`.
    pub target: String,
    /// How far it goes.
    pub mode: PauseMode,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Moment,
}

/// How far a pause goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseMode {
    /// Nothing new is started there. What runs goes on; what comes waits.
    Pause,
    /// Nothing new is submitted or discovered. What is there runs to its end.
    Drain,
}

/// Why something is to be paused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "the scanner is being mended" }))]
pub struct PauseRequest {
    /// In words, for those who wonder.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub reason: String,
}

/// What came of resuming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resumed {
    /// Whether it was paused or drained.
    pub was_paused: bool,
}

impl Pause {
    /// Whether nothing new is started.
    pub fn is_pause(&self) -> bool {
        self.mode == PauseMode::Pause
    }
}

impl From<control::Pause> for Pause {
    fn from(pause: control::Pause) -> Self {
        Self {
            target: pause.target.to_string(),
            mode: match pause.mode {
                control::Mode::Pause => PauseMode::Pause,
                control::Mode::Drain => PauseMode::Drain,
            },
            by: pause.by,
            reason: pause.reason,
            at: pause.at.into(),
        }
    }
}
