//! What a batch of the journal makes of each job: decided here, so that a ledger only has to look
//! up what it has of the jobs before, and to write what comes of it.
//!
//! A job that a broker has keeps its message in the ledger, as a *shadow*: away, out of every
//! receiver's reach, there to be looked at until the journal tells what became of it.

use std::borrow::Cow;
use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::Params;
use crate::clock::Timestamp;
use crate::contract::Contract;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::{ErrorKind, Failure};
use crate::id::{JobId, PipelineName, QueueName, StageId};
use crate::journal::{Change, Entry, Standing, Verdict, awaited, verdict};
use crate::port::{Error, Projected};
use crate::settlement::{Message, Next, Task};
use crate::state::{JobState, Step, transition};

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
pub fn project(entries: &[Entry], mut known: HashMap<JobId, Known>) -> Result<Projection, Error> {
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
    fn is_empty(&self) -> bool {
        self.moved.is_none()
            && self.place.is_none()
            && self.events.is_empty()
            && self.log.is_empty()
    }
}

/// A job on its way through the batch.
struct Track {
    known: Option<Known>,
    effect: Effect,
}

impl Track {
    fn new(job_id: JobId, known: Option<Known>) -> Self {
        let (birth, moved, place) = (None, None, None);
        let (events, log) = (Vec::new(), Vec::new());
        Self { known, effect: Effect { job_id, birth, moved, place, events, log } }
    }

    fn enter(&mut self, entry: &Entry) -> Result<Projected, Error> {
        let verdict = verdict(&self.standing(), entry);
        if verdict == Verdict::Create {
            self.create(entry)?;
        }
        let mut overruled = None;
        if verdict != Verdict::Note {
            match &entry.change {
                Change::Landed { state, stage, next } => {
                    overruled = self.land(entry, *state, stage, next);
                }
                Change::Created { next } => {
                    let (state, stage) = first_state(next, entry);
                    self.land(entry, state, &stage, next);
                }
                Change::Running => self.touch(Some(entry.step.at), Some(entry.step.at)),
                Change::Told { .. } => {}
            }
        }
        self.write_down(entry, verdict, overruled);
        Ok(if verdict == Verdict::Note { Projected::Repeated } else { Projected::Applied })
    }

    fn standing(&self) -> Standing {
        let Some(known) = &self.known else { return Standing::Unknown };
        if known.state.is_terminal() {
            return Standing::Ended;
        }
        let Some(shadow) = &known.shadow else { return Standing::Waiting };
        let (visit, attempt) = awaited(&shadow.message.body).unwrap_or((1, 1));
        Standing::Queued {
            stage: known.stage.clone(),
            visit,
            attempt,
            running_since: shadow.running_since,
            told_at: shadow.told_at,
        }
    }

    /// Makes the job known: at the stage that the entry tells of, with the least of a contract.
    fn create(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some((pipeline, pipeline_version)) = entry.origin.clone() else {
            return Err(Error::Broken {
                name: format!("journal entry of job {}", entry.job_id),
                message: "the job is not known, and its pipeline is not told".to_owned(),
            });
        };
        let step = &entry.step;
        let contract = Contract {
            visit: step.visit.unwrap_or(1),
            retry_count: step.attempt.saturating_sub(1),
            ..Contract::new(entry.job_id.clone(), Params::new())
        };
        let message = Message {
            queue: QueueName::of_stage(&pipeline, &step.stage),
            stage: step.stage.clone(),
            priority: 0,
            not_before: None,
            body: contract.to_bytes(),
        };
        let shadow = Shadow { message, running_since: None, told_at: None, abort: None };
        self.effect.birth = Some(Birth { pipeline, pipeline_version, at: step.at });
        self.effect.moved = Some((JobState::Queued, step.stage.clone()));
        self.effect.place = Some(Place::Away(shadow.clone()));
        self.known = Some(Known {
            state: JobState::Queued,
            stage: step.stage.clone(),
            shadow: Some(shadow),
            events: HashSet::new(),
        });
        Ok(())
    }

    /// Takes the job where the entry says. Tells why it ended there instead, if somebody wants it
    /// aborted: no broker has a job that comes to the inbox.
    fn land(
        &mut self,
        entry: &Entry,
        state: JobState,
        stage: &StageId,
        next: &Next,
    ) -> Option<String> {
        let state = fitting(state, next);
        let known = self.known.as_mut()?;
        let abort = known.shadow.as_ref().and_then(|shadow| shadow.abort.clone());
        let place = match next {
            Next::HandBack | Next::HandOver | Next::Drop => {
                self.go_on(state, stage);
                self.touch(None, Some(entry.told_at()));
                return None;
            }
            Next::Enqueue(message) => {
                // Where the stage run was counted, late entries are told by it, and clocks of
                // different machines need not be compared.
                let visit = awaited(&message.body).map_or(1, |(visit, _)| visit);
                let counted = visit != entry.step.visit.unwrap_or(1);
                let told_at = (!counted).then(|| entry.told_at());
                let message = message.clone();
                Place::Away(Shadow { message, running_since: None, told_at, abort })
            }
            Next::Park(task) => {
                if let Some(reason) = abort {
                    let failure = Some(Failure::new(ErrorKind::Aborted, reason.as_str()));
                    self.put(Place::End { body: task.body.clone(), failure });
                    let aborted = transition(JobState::Running, Step::Abort);
                    self.go_on(aborted.unwrap_or(JobState::Aborted), &entry.step.stage);
                    return Some(reason);
                }
                Place::Inbox(task.clone())
            }
            Next::End { body, failure } => {
                Place::End { body: body.clone(), failure: failure.clone() }
            }
        };
        self.put(place);
        self.go_on(state, stage);
        None
    }

    fn go_on(&mut self, state: JobState, stage: &StageId) {
        if let Some(known) = &mut self.known {
            known.state = state;
            known.stage = stage.clone();
        }
        self.effect.moved = Some((state, stage.clone()));
    }

    fn put(&mut self, place: Place) {
        if let Some(known) = &mut self.known {
            known.shadow = match &place {
                Place::Away(shadow) => Some(shadow.clone()),
                _ => None,
            };
        }
        self.effect.place = Some(place);
    }

    /// Leaves the job where it is: a worker has it since then, or none has it any more.
    fn touch(&mut self, since: Option<Timestamp>, told: Option<Timestamp>) {
        let Some(shadow) = self.known.as_mut().and_then(|known| known.shadow.as_mut()) else {
            return;
        };
        (shadow.running_since, shadow.told_at) = (since, told);
        // Whoever had it did not wait any longer.
        shadow.message.not_before = None;
        self.effect.place = Some(match self.effect.place {
            Some(Place::Away(_)) => Place::Away(shadow.clone()),
            _ => Place::Kept { running_since: since, told_at: told },
        });
    }

    /// Writes down what the entry tells that is not known yet.
    fn write_down(&mut self, entry: &Entry, verdict: Verdict, overruled: Option<String>) {
        let Some(known) = &mut self.known else { return };
        let parks = matches!(&entry.change, Change::Landed { next: Next::Park(_), .. });
        // Of a job that came to the inbox it is known already that it waits, or it does not.
        let waits = !parks || (verdict != Verdict::Note && overruled.is_none());
        let told = entry.events.iter().filter(|event| waits || event.kind != EventKind::Waiting);
        let aborted = overruled.map(|reason| aborted(entry, &reason));
        for event in told.chain(&aborted) {
            let key = (event.stage.clone(), event.visit, event.attempt, event.kind);
            if known.events.insert(key) {
                self.effect.events.push(event.clone());
            }
        }
        if verdict != Verdict::Note && matches!(entry.change, Change::Landed { .. }) {
            self.effect.log.extend_from_slice(&entry.log);
        }
    }
}

/// The state that a job can have there, whatever a program wrote into the journal.
fn fitting(state: JobState, next: &Next) -> JobState {
    let put_off = matches!(state, JobState::Retrying | JobState::Delayed);
    match next {
        Next::Park(_) => JobState::Waiting,
        Next::End { .. } if state.is_terminal() => state,
        Next::End { failure: Some(_), .. } => JobState::Failed,
        Next::End { failure: None, .. } => JobState::Completed,
        Next::Enqueue(_) if put_off => state,
        Next::Enqueue(_) | Next::HandBack | Next::HandOver | Next::Drop => JobState::Queued,
    }
}

/// The state and the stage of a job that begins so.
fn first_state(next: &Next, entry: &Entry) -> (JobState, StageId) {
    let (step, stage) = match next {
        Next::Park(task) => (Step::Park, &task.stage),
        Next::Enqueue(message) if message.not_before.is_some_and(|at| at > entry.step.at) => {
            (Step::Delay, &message.stage)
        }
        Next::Enqueue(message) => (Step::Enqueue, &message.stage),
        _ => (Step::Enqueue, &entry.step.stage),
    };
    // The steps out of `ready` are all allowed.
    (transition(JobState::Ready, step).unwrap_or(JobState::Queued), stage.clone())
}

fn aborted(entry: &Entry, reason: &str) -> Event {
    Event {
        job_id: entry.job_id.clone(),
        kind: EventKind::Aborted,
        stage: entry.step.stage.clone(),
        visit: entry.step.visit.unwrap_or(1),
        attempt: entry.step.attempt,
        at: entry.told_at(),
        detail: Some(json!({ "reason": reason })),
    }
}
