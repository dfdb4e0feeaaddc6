//! What holds for the stages of a file that do not say it themselves.

use std::time::Duration;

/// What those who run pipelines say for all of them. A file goes before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// How many attempts follow a failed first one.
    pub max_retries: Option<u32>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How often a source looks.
    pub look_every: Option<Duration>,
}
