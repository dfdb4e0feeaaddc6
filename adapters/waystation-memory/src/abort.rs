//! Jobs end because somebody asked for it.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_core::state::{Step, transition};

use crate::state::{Place, State, event};

impl State {
    /// Ends a job that nobody works on; marks the message of one that somebody works on, or that
    /// a broker has.
    pub fn abort(&mut self, job_id: &JobId, reason: &str, now: Timestamp) -> Abort {
        let Some(job) = self.jobs.get(job_id) else {
            return Abort::Unknown;
        };
        if job.state.is_terminal() {
            return Abort::TooLate;
        }
        if let Place::Queue(id) = job.place
            && let Some(message) = self.messages.get_mut(&id)
            && (message.is_leased(now) || message.away)
        {
            // Whoever asked first gave the reason.
            message.abort.get_or_insert_with(|| reason.to_owned());
            return Abort::Requested;
        }
        self.end_as_aborted(job_id, reason, now);
        Abort::Done
    }

    /// Takes a job out of its queue or the inbox and ends it.
    pub fn end_as_aborted(&mut self, job_id: &JobId, reason: &str, now: Timestamp) {
        let Some(job) = self.jobs.get(job_id) else {
            return;
        };
        let Ok(state) = transition(job.state, Step::Abort) else {
            return;
        };
        let body = match job.place {
            Place::Queue(id) => self.remove_message(id).map(|message| message.body),
            Place::Inbox(id) => self.tasks.remove(&id).map(|task| task.body),
            Place::End(_) => None,
        };
        let (Some(body), Some(job)) = (body, self.jobs.get_mut(job_id)) else {
            return;
        };
        let detail = json!({ "reason": reason });
        let aborted = event(EventKind::Aborted, job_id, &job.stage, &body, now, detail);
        let before = job.state;
        job.state = state;
        job.failure = Some(Failure::new(ErrorKind::Aborted, reason));
        job.place = Place::End(body);
        job.updated_at = now;
        self.note_events(job_id, vec![aborted], None, now);
        self.count_end(job_id, now);
        self.tell_parent(job_id, before, now);
    }
}
