//! What a batch of the journal makes of each job: decided here, so that a ledger only has to look
//! up what it has of the jobs before, and to write what comes of it.
//!
//! A job that a broker has keeps its message in the ledger, as a *shadow*: away, out of every
//! receiver's reach, there to be looked at until the journal tells what became of it.

mod track;

use std::borrow::Cow;
use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};
use crate::journal::{Change, Entry};
use crate::port::{Error, Projected};
use crate::settlement::{Message, NewJob, Quorum, Task};
use crate::state::JobState;
use track::Track;

/// What names an event of a job: stage, stage run, attempt and kind.
pub type EventKey = (StageId, u32, u32, EventKind);

/// A job as the ledger has it before the batch.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its state, as it was written down.
    pub state: JobState,
    /// Its stage.
    pub stage: StageId,
    /// Its message, while it has one: away, or still on its way to the broker.
    pub shadow: Option<Shadow>,
    /// The events of it that are written down.
    pub events: HashSet<EventKey>,
}

impl Known {
    /// The stages that have ended in this stage run.
    fn passed(&self, visit: u32) -> Vec<StageId> {
        let ended = |kind| matches!(kind, EventKind::Completed | EventKind::Skipped);
        let events = self.events.iter();
        let of_run = events.filter(|(_, run, _, kind)| *run == visit && ended(*kind));
        of_run.map(|(stage, ..)| stage.clone()).collect()
    }
}

/// A message that a broker has.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The message. Its `not_before` is only shown.
    pub message: Message,
    /// Since when a worker is known to have it.
    pub running_since: Option<Timestamp>,
    /// As of when it is, where nothing else tells a late entry from a new one. See
    /// [`Standing::Queued`].
    pub told_at: Option<Timestamp>,
    /// Why somebody wants its job aborted.
    pub abort: Option<String>,
}

/// What a batch makes of its jobs.
#[derive(Debug)]
pub struct Projection {
    /// One for each job of which something is to be written, in the order of its first entry.
    pub effects: Vec<Effect>,
    /// One for each entry.
    pub answers: Vec<Projected>,
}

/// What is to be written of one job, in this order.
#[derive(Debug, PartialEq)]
pub struct Effect {
    /// The job.
    pub job_id: JobId,
    /// The job is to be made known; `moved` and `place` are there then.
    pub birth: Option<Birth>,
    /// Its state and stage from now on, where they were told.
    pub moved: Option<(JobState, StageId)>,
    /// Where it is from now on, where that was told.
    pub place: Option<Place>,
    /// What happened that was not known, oldest first.
    pub events: Vec<Event>,
    /// What its attempts said that was not known.
    pub log: Vec<LogLine>,
    /// The jobs that it made, to be created as if they were submitted here.
    pub children: Vec<NewJob>,
    /// Since when a worker was known to have it before.
    pub ran_since: Option<Timestamp>,
}

/// How a job that the ledger had not heard of began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The version that it stays on.
    pub pipeline_version: u32,
    /// When.
    pub at: Timestamp,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Its message stays as it was, but waits for no moment any more, and is away from now on if
    /// it was not yet.
    Kept {
        /// Since when a worker is known to have it.
        running_since: Option<Timestamp>,
        /// See [`Shadow::told_at`].
        told_at: Option<Timestamp>,
    },
    /// Its message, if it had one, gives way to this one, which is away.
    Away(Shadow),
    /// Its message, if it had one, gives way to this one, which waits here for children.
    Held(Message, Quorum),
    /// Its message, if it had one, gives way to a task.
    Inbox(Task),
    /// Its message, if it had one, is gone. A failed job lies with the dead letters.
    End {
        /// The last contract's wire form.
        body: Vec<u8>,
        /// Why it failed.
        failure: Option<Failure>,
    },
}

/// Decides what becomes of the jobs of these entries, which are taken in their order. `known` has
/// those of them that the ledger knows. Refuses the batch when it cannot make a job known.
pub fn project<S: BuildHasher>(
    entries: &[Entry],
    mut known: HashMap<JobId, Known, S>,
) -> Result<Projection, Error> {
    let mut places: HashMap<JobId, usize> = HashMap::new();
    let mut tracks: Vec<Track> = Vec::new();
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(entry) = with_name(entry) else {
            answers.push(Projected::Repeated);
            continue;
        };
        let place = match places.entry(entry.job_id.clone()) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                tracks.push(Track::new(entry.job_id.clone(), known.remove(&entry.job_id)));
                *slot.insert(tracks.len() - 1)
            }
        };
        answers.push(tracks[place].enter(&entry)?);
    }
    let effects = tracks.into_iter().map(|track| track.effect);
    Ok(Projection { effects: effects.filter(|effect| !effect.is_empty()).collect(), answers })
}

/// The entry, with an id for the job when a worker could not read its contract and nobody knows
/// whose it is: it is to lie with the dead letters. Anything else that was done to such a
/// delivery is nobody's business.
fn with_name(entry: &Entry) -> Option<Cow<'_, Entry>> {
    if !entry.job_id.as_str().is_empty() {
        return Some(Cow::Borrowed(entry));
    }
    let Change::Landed { state: JobState::Failed, .. } = &entry.change else { return None };
    let mut named = entry.clone();
    named.job_id = JobId::from(format!("unreadable-{}", JobId::generate()));
    for event in &mut named.events {
        event.job_id = named.job_id.clone();
    }
    Some(Cow::Owned(named))
}

impl Effect {
    /// How the job ended in the batch, and at which stage, if it did.
    pub fn end(&self) -> Option<(JobState, &StageId)> {
        let (Some(Place::End { .. }), Some((state, stage))) = (&self.place, &self.moved) else {
            return None;
        };
        Some((*state, stage))
    }

    fn is_empty(&self) -> bool {
        self.moved.is_none()
            && self.place.is_none()
            && self.events.is_empty()
            && self.log.is_empty()
            && self.children.is_empty()
    }
}

#[cfg(test)]
mod tests;
