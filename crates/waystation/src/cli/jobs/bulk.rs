//! Which jobs a bulk operation is about.

use waystation::core::clock::Timestamp;
use waystation::core::state::JobState;
use waystation::server::wire::{Act, Moment, OperationRequest, Selection};

use super::list::parse_state;
use crate::cli::exit::Error;
use crate::cli::timing;

/// All jobs that match.
#[derive(clap::Args)]
pub struct Selected {
    /// All that match, as they are now. It goes on whatever becomes of this program
    #[arg(long)]
    pub all: bool,
    /// Of all, only those in one of these states
    #[arg(long, value_delimiter = ',', requires = "all", value_parser = parse_state)]
    state: Vec<JobState>,
    /// Of all, only those of this pipeline
    #[arg(long, value_name = "PIPELINE")]
    pub pipeline: Option<String>,
    /// Of all, only those at this stage
    #[arg(long, requires = "all")]
    stage: Option<String>,
    /// Of all, only those with this text in their id or params
    #[arg(long, requires = "all")]
    text: Option<String>,
    /// Of all, only those that were submitted at this moment or later, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT", requires = "all", value_parser = timing::parse)]
    created_from: Option<Timestamp>,
    /// Of all, only those that were submitted before this moment
    #[arg(long, value_name = "MOMENT", requires = "all", value_parser = timing::parse)]
    created_before: Option<Timestamp>,
    /// Of all, only the children of this job
    #[arg(long, value_name = "JOB", requires = "all")]
    children_of: Option<String>,
    /// Only say how many there are
    #[arg(long, requires = "all")]
    pub dry_run: bool,
}

impl Selected {
    /// Refuses a pipeline beside jobs that are named.
    pub fn check(&self, all_failed: bool) -> Result<(), Error> {
        if self.pipeline.is_some() && !self.all && !all_failed {
            let message = "--pipeline says which of all jobs are meant (hint: add --all)";
            return Err(Error::usage(message));
        }
        Ok(())
    }

    /// What is asked for.
    pub fn request(&self, act: Act, reason: String, from: Option<String>) -> OperationRequest {
        let selection = Selection {
            pipeline: self.pipeline.clone(),
            states: self.state.iter().map(|state| state.as_str().to_owned()).collect(),
            stage: self.stage.clone(),
            created_from: self.created_from.map(Moment),
            created_before: self.created_before.map(Moment),
            text: self.text.clone(),
            parents_only: false,
            children_of: self.children_of.clone(),
        };
        OperationRequest { act, selection, reason, from }
    }
}
