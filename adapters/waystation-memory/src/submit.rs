//! Jobs come into being.

use waystation_core::clock::Timestamp;
use waystation_core::job::Checkpoint;
use waystation_core::port::Error;
use waystation_core::settlement::{NewJob, Parent, Start, Submitted};
use waystation_core::state::JobState;

use crate::state::{Job, State};

impl State {
    /// Creates those jobs that are not there yet, and notes where their source stands.
    pub fn submit(
        &mut self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, Error> {
        if let Some(Checkpoint { source, value, held }) = checkpoint {
            if let Some(held) = held.filter(|held| !self.collections.has(held, now)) {
                return Err(Error::Fenced { lock: held.lock });
            }
            self.checkpoints.insert(source, value);
        }
        Ok(jobs.into_iter().map(|job| self.let_in(job, now)).collect())
    }

    /// Creates a job, unless it is there already, whatever its key.
    pub fn create(&mut self, new: NewJob, now: Timestamp) -> Submitted {
        if self.jobs.contains_key(&new.job_id) {
            return Submitted::Duplicate(new.job_id);
        }
        let state = first_state(&new.start, now);
        let (entry, place) = match new.start {
            Start::Queue(message) => {
                let entry = message.stage.clone();
                (entry, self.enqueue(&new.job_id, message, None, now))
            }
            Start::Inbox(task) => {
                let entry = task.stage.clone();
                (entry, self.park(&new.job_id, &new.pipeline, task, now))
            }
        };
        let job = Job {
            pipeline: new.pipeline,
            pipeline_version: new.pipeline_version,
            serial: self.created.len(),
            state,
            stage: entry,
            created_at: now,
            updated_at: now,
            place,
            failure: None,
            parent: new.parent,
            events: Vec::new(),
            log: Vec::new(),
        };
        if let Some(Parent { job_id, visit, position }) = job.parent.clone() {
            self.children.insert((job_id, visit, position), new.job_id.clone());
        }
        self.created.push(new.job_id.clone());
        self.jobs.insert(new.job_id.clone(), job);
        self.note_events(&new.job_id, new.events, None, now);
        Submitted::Created(new.job_id)
    }
}

fn first_state(start: &Start, now: Timestamp) -> JobState {
    match start {
        Start::Inbox(_) => JobState::Waiting,
        Start::Queue(message) if message.not_before.is_some_and(|moment| moment > now) => {
            JobState::Delayed
        }
        Start::Queue(_) => JobState::Queued,
    }
}
