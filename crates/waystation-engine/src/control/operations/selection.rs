//! Which jobs a bulk operation is about.

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Family, JobFilter};
use waystation_core::state::JobState;

use super::{Error, Kind};

/// Which jobs: a filter of listings, without its page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Only of this pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineName>,
    /// Only in one of these states. In any that the operation takes, when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<JobState>,
    /// Only at this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// Only those that were submitted at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_from: Option<Timestamp>,
    /// Only those that were submitted before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// Only those whose id or contract has this text in it, in any case of its letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only jobs that are nobody's child.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub parents_only: bool,
    /// Only the children of this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children_of: Option<JobId>,
}

impl From<&JobFilter> for Selection {
    /// The filter without its page.
    fn from(filter: &JobFilter) -> Self {
        let children_of = match &filter.family {
            Family::ChildrenOf(job_id) => Some(job_id.clone()),
            Family::All | Family::Parents => None,
        };
        Self {
            pipeline: filter.pipeline.clone(),
            states: filter.states.clone(),
            stage: filter.stage.clone(),
            created_from: filter.created_from,
            created_before: filter.created_before,
            text: filter.text.clone(),
            parents_only: filter.family == Family::Parents,
            children_of,
        }
    }
}

impl Selection {
    /// A page of them.
    pub fn filter(&self, before: Option<JobId>, limit: usize) -> JobFilter {
        let family = match &self.children_of {
            Some(job_id) => Family::ChildrenOf(job_id.clone()),
            None if self.parents_only => Family::Parents,
            None => Family::All,
        };
        JobFilter {
            pipeline: self.pipeline.clone(),
            states: self.states.clone(),
            stage: self.stage.clone(),
            created_from: self.created_from,
            created_before: self.created_before,
            text: self.text.clone(),
            family,
            before,
            limit,
        }
    }

    /// Only those of them that can be acted on so.
    pub(crate) fn narrowed(mut self, kind: &Kind) -> Result<Self, Error> {
        let taken = |state: &JobState| match kind {
            Kind::Abort { .. } => !state.is_terminal(),
            Kind::Retry { .. } | Kind::DropDead => *state == JobState::Failed,
        };
        let selected = if self.states.is_empty() { &JobState::ALL[..] } else { &self.states };
        let states: Vec<_> = selected.iter().copied().filter(taken).collect();
        if states.is_empty() {
            let (what, wanted) = match kind {
                Kind::Abort { .. } => ("abort takes", "not ended"),
                Kind::Retry { .. } => ("retry takes", "failed"),
                Kind::DropDead => ("drop takes", "failed"),
            };
            let names: Vec<_> = selected.iter().map(|state| state.as_str()).collect();
            let (wanted, selected) = (wanted.to_owned(), names.join(", "));
            return Err(Error::Senseless { what, wanted, selected });
        }
        self.states = states;
        Ok(self)
    }

    /// Only those of them that are there at this moment.
    pub(super) fn up_to(mut self, now: Timestamp) -> Self {
        // Moments are told to the millisecond: what came in this one is there.
        let end = Timestamp(now.0.saturating_add(1));
        self.created_before = Some(self.created_before.map_or(end, |before| before.min(end)));
        self
    }
}
