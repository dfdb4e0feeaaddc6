//! Which jobs a page shows: as a form sends it, as an address says it, as a store takes it.

use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Family, JobFilter};
use waystation_core::state::JobState;

use crate::dashboard::href;
use crate::problem::{Code, Problem};

/// How many jobs a page shows.
pub const PAGE: usize = 50;

/// Which jobs are wanted. Fields that are empty want nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this pipeline.
    pub pipeline: String,
    /// In one of these states.
    pub states: Vec<JobState>,
    /// At this stage.
    pub stage: String,
    /// With this text in their id or params.
    pub text: String,
    /// Submitted at this moment or later.
    pub from: String,
    /// Submitted before this moment.
    pub until: String,
    /// Children of this job.
    pub parent: String,
    /// Older than this job.
    pub before: String,
    /// What was wanted as a state, and is none.
    pub unknown_states: Vec<String>,
}

impl Filter {
    /// Reads what a form sends, or an address says. Further fields are somebody else's.
    pub fn read(pairs: &[(String, String)]) -> Self {
        let mut filter = Self::default();
        for (name, value) in pairs {
            let value = value.trim();
            match &**name {
                "pipeline" => value.clone_into(&mut filter.pipeline),
                "stage" => value.clone_into(&mut filter.stage),
                "text" => value.clone_into(&mut filter.text),
                "from" => value.clone_into(&mut filter.from),
                "until" => value.clone_into(&mut filter.until),
                "parent" => value.clone_into(&mut filter.parent),
                "before" => value.clone_into(&mut filter.before),
                "state" => {
                    for name in value.split(',').filter(|name| !name.is_empty()) {
                        match JobState::parse(name) {
                            Some(state) => filter.states.push(state),
                            None => filter.unknown_states.push(name.to_owned()),
                        }
                    }
                }
                _ => {}
            }
        }
        filter
    }

    /// The store's filter, or the first thing that means nothing.
    pub fn to_store(&self) -> Result<JobFilter, Problem> {
        if let Some(unknown) = self.unknown_states.first() {
            return Err(Problem::new(Code::Invalid, format!("`{unknown}` is no state of jobs")));
        }
        let moment = |text: &str| {
            let why = format!("`{text}` is no moment (hint: write it like `2026-11-23T13:00`)");
            Timestamp::parse(text).ok_or_else(|| Problem::new(Code::Invalid, why))
        };
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(JobFilter {
            pipeline: given(&self.pipeline).map(PipelineName::from),
            states: self.states.clone(),
            stage: given(&self.stage).map(StageId::from),
            created_from: given(&self.from).map(|text| moment(&text)).transpose()?,
            created_before: given(&self.until).map(|text| moment(&text)).transpose()?,
            text: given(&self.text),
            family: match given(&self.parent) {
                Some(parent) => Family::ChildrenOf(JobId::from(parent)),
                None => Family::All,
            },
            before: given(&self.before).map(JobId::from),
            limit: PAGE,
        })
    }

    /// The fields by their names, the page aside.
    pub fn pairs(&self) -> [(&'static str, String); 7] {
        let states: Vec<_> = self.states.iter().map(|state| state.as_str()).collect();
        [
            ("pipeline", self.pipeline.clone()),
            ("state", states.join(",")),
            ("stage", self.stage.clone()),
            ("text", self.text.clone()),
            ("from", self.from.clone()),
            ("until", self.until.clone()),
            ("parent", self.parent.clone()),
        ]
    }

    /// The address of the page that shows these jobs, or of those behind this one.
    pub fn address(&self, before: Option<&JobId>) -> String {
        let pairs = self.pairs();
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        let before = before.map(|job_id| ("before", job_id.as_str()));
        format!("/jobs{}", href::query(pairs.chain(before)))
    }

    /// Whether every job is wanted.
    pub fn is_open(&self) -> bool {
        self.pairs().iter().all(|(_, value)| value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Filter {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Filter::read(&owned.collect::<Vec<_>>())
    }

    #[test]
    fn filters_survive_their_address() {
        let filter =
            read(&[("pipeline", "p"), ("state", "failed,running"), ("text", "a&b"), ("x", "y")]);
        assert_eq!(filter.states, [JobState::Failed, JobState::Running]);
        assert_eq!(
            filter.address(Some(&"j".into())),
            "/jobs?pipeline=p&state=failed%2Crunning&text=a%26b&before=j"
        );
        assert!(!filter.is_open() && read(&[("state", "")]).is_open());
    }

    #[test]
    fn what_means_nothing_is_told() {
        for (field, text) in [("state", "gone"), ("from", "soon")] {
            let problem = read(&[(field, text)]).to_store().expect_err("a problem");
            assert!(problem.detail.starts_with(&format!("`{text}` is no ")), "{problem:?}");
        }
        let filter = read(&[("from", "2026-11-23T13:00")]);
        let from = filter.to_store().expect("a moment").created_from;
        assert_eq!(from, Timestamp::parse("2026-11-23T13:00:00Z"));
    }
}
