//! Jobs that are to be one with others.

use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_core::settlement::{Admission, Dedupe, NewJob, Submitted};

use crate::state::State;

impl State {
    /// Creates a job, unless it or one with its key is there.
    pub fn let_in(&mut self, new: NewJob, now: Timestamp) -> Submitted {
        let Some(dedupe) = new.dedupe.clone() else { return self.create(new, now) };
        if self.jobs.contains_key(&new.job_id) {
            return Submitted::Duplicate(new.job_id);
        }
        let key = (new.pipeline.clone(), dedupe.key.clone());
        let replaced = match dedupe.admit(self.dedupe_keys.get(&key)) {
            Admission::Refused(answer) => return answer,
            Admission::Free => None,
            Admission::InPlaceOf(holder) => self.replace(holder, &new.job_id, now),
        };
        self.dedupe_keys.insert(key, new.job_id.clone());
        match self.create(new, now) {
            Submitted::Created(job_id) => Submitted::made(job_id, replaced),
            other => other,
        }
    }

    /// Aborts the job that another takes the place of. Gives it, unless it has ended.
    fn replace(&mut self, holder: JobId, by: &JobId, now: Timestamp) -> Option<JobId> {
        let reason = Dedupe::replaced_by(by);
        match self.abort(&holder, &reason, now) {
            Abort::Done => {}
            Abort::Requested => self.marked.push((holder.clone(), reason)),
            Abort::TooLate | Abort::Unknown => return None,
        }
        Some(holder)
    }
}
