//! What a worker's process says to its supervisor: a line each, on its output.

use serde::{Deserialize, Serialize};
use waystation_core::id::{JobId, StageId};

use crate::control::Overdue;

/// What such lines begin with. Other lines of the output are somebody else's, and are passed on.
const MARK: &str = "waystation-worker:";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// It lives, and this is what it does.
    Beat(Beat),
    /// It begins with a job that was begun before and did not come to an end.
    Begins {
        /// The job.
        job_id: JobId,
        /// The stage.
        stage: StageId,
    },
    /// It outlived that.
    Outlived(JobId),
    /// It cannot go on, and ends.
    Fails(String),
}

/// What a worker does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// What it is called.
    pub worker_id: String,
    /// Grows with everything that it does, and while it waits for something to do.
    pub turns: u64,
    /// How many deliveries and crawls it is at.
    pub in_flight: u64,
    /// How many deliveries it settled.
    pub settled: u64,
    /// A job that should have been over for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<Overdue>,
}

impl Line {
    /// The text, with the end of its line.
    pub fn write(&self) -> String {
        // Texts and numbers can always be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        format!("{MARK}{text}\n")
    }

    /// Reads a line; `None` when it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_the_pipe_and_other_lines_are_none() {
        let overdue = Overdue { job_id: "j".into(), stage: "s".into(), seconds: 90 };
        for line in [
            Line::Beat(Beat { turns: 3, overdue: Some(overdue), ..Beat::default() }),
            Line::Begins { job_id: "j".into(), stage: "s".into() },
            Line::Outlived("j".into()),
            Line::Fails("no store\nat all".into()),
        ] {
            let text = line.write();
            assert_eq!(text.matches('\n').count(), 1);
            assert_eq!(Line::parse(text.trim_end()), Some(line));
        }
        assert_eq!(Line::parse("printed by a handler"), None);
    }
}
