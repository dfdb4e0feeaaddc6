//! What the steps of handlers gave.

use waystation_core::id::JobId;
use waystation_core::state::JobState;
use waystation_core::step::{FORGET_PAGE, StepKey};

use crate::state::State;

impl State {
    /// Keeps a result where none is kept yet. Gives what is kept.
    pub fn keep_step(&mut self, step: &StepKey, result: &[u8]) -> Vec<u8> {
        self.steps.entry(step.clone()).or_insert_with(|| result.to_vec()).clone()
    }

    /// Forgets the steps of those of a page of jobs that ended otherwise than by failing. Gives
    /// the last job of the page, when there may be more.
    pub fn forget_steps(&mut self, after: Option<&JobId>) -> Option<JobId> {
        let mut page: Vec<JobId> = Vec::new();
        for step in self.steps.keys() {
            let is_known = page.last() == Some(&step.job_id);
            if is_known || after.is_some_and(|after| step.job_id <= *after) {
                continue;
            }
            if page.len() == FORGET_PAGE {
                break;
            }
            page.push(step.job_id.clone());
        }
        for job_id in &page {
            let state = self.jobs.get(job_id).map(|job| job.state);
            if state.is_some_and(|state| state.is_terminal() && state != JobState::Failed) {
                self.steps.retain(|step, _| step.job_id != *job_id);
            }
        }
        page.pop().filter(|_| page.len() + 1 == FORGET_PAGE)
    }
}
