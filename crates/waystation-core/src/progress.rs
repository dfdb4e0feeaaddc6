//! The last that an attempt said of how far it is, as it is kept on its job.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::failure::truncate;
use crate::id::StageId;
use crate::job::JobRecord;
use crate::state::JobState;

/// The longest message that is kept, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 200;
/// The most jobs whose progress is written together.
pub const PROGRESS_MAX: usize = 1_000;

/// How far an attempt was when it last said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 100.
    pub percent: f64,
    /// What it did then.
    pub message: String,
    /// The stage.
    pub stage: StageId,
    /// The attempt.
    pub attempt: u32,
    /// When it said so.
    pub at: Timestamp,
}

impl Progress {
    /// What an attempt says now, cut to what is kept.
    pub fn new(percent: f64, message: &str, stage: StageId, attempt: u32, at: Timestamp) -> Self {
        let mut message = message.to_owned();
        truncate(&mut message, MESSAGE_BYTES_MAX);
        Self { percent, message, stage, attempt, at }
    }
}

impl JobRecord {
    /// The same record with the progress that is kept, where it says something of where the job
    /// stands: of the attempt that runs, or of the last one that failed.
    #[must_use]
    pub fn with_progress(mut self, kept: Option<Progress>) -> Self {
        let begun = self.running_since.unwrap_or(self.created_at);
        self.progress = kept.filter(|progress| match self.state {
            JobState::Running => progress.stage == self.stage && progress.at >= begun,
            JobState::Retrying | JobState::Failed => progress.stage == self.stage,
            _ => false,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(state: JobState, stage: &str, at: i64) -> bool {
        let record = JobRecord {
            job_id: "a".into(),
            pipeline: "p".into(),
            pipeline_version: 1,
            state,
            stage: "scan".into(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            not_before: None,
            running_since: (state == JobState::Running).then_some(Timestamp(10)),
            leased_until: None,
            deliveries: 1,
            parent: None,
            failure: None,
            progress: None,
            params: crate::Params::new(),
            body: Vec::new(),
        };
        let said = Progress::new(40.0, "half", stage.into(), 1, Timestamp(at));
        record.with_progress(Some(said)).progress.is_some()
    }

    #[test]
    fn progress_is_shown_where_it_says_something() {
        assert!(shown(JobState::Running, "scan", 11));
        assert!(!shown(JobState::Running, "scan", 9), "an earlier run said it");
        assert!(!shown(JobState::Running, "before", 11));
        assert!(shown(JobState::Failed, "scan", 9));
        assert!(shown(JobState::Retrying, "scan", 9));
        for over in [JobState::Queued, JobState::Waiting, JobState::Completed, JobState::Aborted] {
            assert!(!shown(over, "scan", 11), "{over}");
        }
    }

    #[test]
    fn long_messages_are_cut() {
        let said = Progress::new(1.0, &"x".repeat(999), "scan".into(), 1, Timestamp(0));
        assert_eq!(said.message.len(), MESSAGE_BYTES_MAX);
    }
}
