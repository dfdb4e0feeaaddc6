//! One job on its way through a batch, entry by entry.

use std::collections::HashSet;

use serde_json::json;

use super::{Birth, Effect, Known, Place, Shadow};
use crate::Params;
use crate::clock::Timestamp;
use crate::contract::Contract;
use crate::event::{Event, EventKind};
use crate::failure::{ErrorKind, Failure};
use crate::id::{JobId, QueueName, StageId};
use crate::journal::{Change, Entry, Standing, Verdict, verdict};
use crate::port::{Error, Projected};
use crate::settlement::{Message, Next, Task};
use crate::state::{JobState, Step, transition};

/// A job on its way through the batch.
pub(super) struct Track {
    known: Option<Known>,
    pub effect: Effect,
}

impl Track {
    pub fn new(job_id: JobId, known: Option<Known>) -> Self {
        let (birth, moved, place) = (None, None, None);
        let (events, log, children) = (Vec::new(), Vec::new(), Vec::new());
        let shadow = known.as_ref().and_then(|known| known.shadow.as_ref());
        let ran_since = shadow.and_then(|shadow| shadow.running_since);
        let effect = Effect { job_id, birth, moved, place, events, log, children, ran_since };
        Self { known, effect }
    }

    /// Takes the next entry of the job.
    pub fn enter(&mut self, entry: &Entry) -> Result<Projected, Error> {
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
                Change::Part | Change::Told { .. } => {}
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
        let (visit, attempt) = Contract::awaited(&shadow.message.body).unwrap_or((1, 1));
        Standing::Queued {
            stage: known.stage.clone(),
            visit,
            attempt,
            running_since: shadow.running_since,
            told_at: shadow.told_at,
            passed: known.passed(visit),
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
            turn: None,
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
                let told_at = told_at(entry, message);
                let message = message.clone();
                Place::Away(Shadow { message, running_since: None, told_at, abort })
            }
            Next::Park(Task { body, .. })
            | Next::Await(Message { body, .. }, _)
            | Next::End { body, failure: None }
                if let Some(reason) = &abort
                    && (!matches!(next, Next::End { .. }) || !entry.children.is_empty()) =>
            {
                let failure = Some(Failure::new(ErrorKind::Aborted, reason.as_str()));
                self.put(Place::End { body: body.clone(), failure });
                let aborted = transition(JobState::Running, Step::Abort);
                self.go_on(aborted.unwrap_or(JobState::Aborted), &entry.step.stage);
                return abort;
            }
            Next::Park(task) => Place::Inbox(task.clone()),
            Next::Await(message, quorum) => Place::Held(message.clone(), *quorum),
            Next::End { body, failure } => {
                Place::End { body: body.clone(), failure: failure.clone() }
            }
        };
        self.put(place);
        self.go_on(state, stage);
        self.effect.children.extend_from_slice(&entry.children);
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
                Place::Held(message, _) => Some(Shadow {
                    message: message.clone(),
                    running_since: None,
                    told_at: None,
                    abort: None,
                }),
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
        let next = match &entry.change {
            Change::Landed { next, .. } => Some(next),
            _ => None,
        };
        let parks = matches!(next, Some(Next::Park(_) | Next::Await(..)));
        // Of a job that was here already it is known that it waits, or it does not any more.
        let waits = !parks || (verdict != Verdict::Note && overruled.is_none());
        let told = entry.events.iter().filter(|event| waits || event.kind != EventKind::Waiting);
        let aborted = overruled.map(|reason| aborted(entry, &reason));
        for event in told.chain(&aborted) {
            let key = (event.stage.clone(), event.visit, event.attempt, event.kind);
            if known.events.insert(key) {
                let mut event = event.clone();
                if aborted.is_some() {
                    event.forget_children();
                }
                self.effect.events.push(event);
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
        Next::Park(_) | Next::Await(..) => JobState::Waiting,
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

/// As of when a job is where the entry took it. Where the stage run was counted, late entries are
/// told by that, and clocks of different machines need not be compared.
fn told_at(entry: &Entry, message: &Message) -> Option<Timestamp> {
    if !matches!(entry.change, Change::Landed { .. }) {
        return None;
    }
    let step = &entry.step;
    let (visit, attempt) = Contract::awaited(&message.body).unwrap_or((1, 1));
    if visit != step.visit.unwrap_or(1) {
        return None;
    }
    let stays = message.stage == step.stage && attempt == step.attempt;
    Some(if stays { entry.told_at() } else { step.at })
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
