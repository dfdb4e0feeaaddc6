//! The ledger port: what workers on a broker did, by the journal that they wrote.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::JobId;
use waystation_core::job::PAGE_MAX;
use waystation_core::journal::Entry;
use waystation_core::port::{Bus, Error, Ledger, Projected, Signal, check_batch};
use waystation_core::projection::{self, Birth, Effect, Known, Projection, Shadow};
use waystation_core::settlement::{Message, Turn};
use waystation_core::state::JobState;

use crate::Memory;
use crate::state::{Job, Place, State};

#[async_trait]
impl Ledger for Memory {
    async fn project(&self, entries: Arc<[Entry]>) -> Result<Vec<Projected>, Error> {
        check_batch(entries.len())?;
        let Projection { effects, answers } = self.visit(|state, now| {
            let projection = projection::project(&entries, state.known(&entries))?;
            for effect in &projection.effects {
                state.take_effect(effect, now);
            }
            Ok(projection)
        })?;
        if !effects.is_empty() {
            self.publish(Signal::Changed);
        }
        Ok(answers)
    }

    async fn abort_marks(
        &self,
        after: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, String)>, Error> {
        Ok(self.visit(|state, _| {
            let first = match after.map(|job_id| state.jobs.get(job_id)) {
                None => 0,
                Some(Some(job)) => job.serial + 1,
                Some(None) => return Vec::new(),
            };
            let jobs = state.created.iter().skip(first);
            jobs.filter_map(|job_id| Some((job_id, state.message_of(state.jobs.get(job_id)?)?)))
                .filter(|(_, message)| message.away)
                .filter_map(|(job_id, message)| Some((job_id.clone(), message.abort.clone()?)))
                .take(limit.min(PAGE_MAX))
                .collect()
        }))
    }
}

impl State {
    /// Those of the entries' jobs that exist.
    fn known(&self, entries: &[Entry]) -> HashMap<JobId, Known> {
        let mut known = HashMap::new();
        for entry in entries {
            if let Some(job) = self.jobs.get(&entry.job_id) {
                known.entry(entry.job_id.clone()).or_insert_with(|| self.look_up(job));
            }
        }
        known
    }

    fn look_up(&self, job: &Job) -> Known {
        let shadow = self.message_of(job).map(|message| Shadow {
            message: Message {
                queue: message.queue.clone(),
                stage: message.stage.clone(),
                priority: message.priority,
                not_before: message.not_before,
                turn: message.key.clone().map(Turn::last),
                body: message.body.clone(),
            },
            running_since: message.leased_at.filter(|_| message.away),
            told_at: message.told_at,
            abort: message.abort.clone(),
        });
        let events = job.events.iter();
        let events =
            events.map(|event| (event.stage.clone(), event.visit, event.attempt, event.kind));
        Known { state: job.state, stage: job.stage.clone(), shadow, events: events.collect() }
    }

    fn take_effect(&mut self, effect: &Effect, now: Timestamp) {
        let job_id = &effect.job_id;
        if let Some(birth) = &effect.birth {
            self.give_birth(job_id, birth, effect, now);
        }
        let changed =
            effect.place.as_ref().and_then(|place| self.place(job_id, place, effect, now));
        let Some(job) = self.jobs.get_mut(job_id) else {
            return;
        };
        let before = job.state;
        if let Some((place, failure)) = changed {
            job.place = place;
            job.failure = failure;
        }
        if let Some((state, stage)) = &effect.moved {
            job.state = *state;
            job.stage = stage.clone();
            job.updated_at = now;
        }
        job.log.extend_from_slice(&effect.log);
        self.note_told(job_id, effect.events.clone(), effect.ran_since, now);
        if effect.end().is_some() {
            self.count_end(job_id, now);
        }
        self.tell_parent(job_id, before, now);
        self.bear(effect.children.clone(), now);
    }

    fn give_birth(&mut self, job_id: &JobId, birth: &Birth, effect: &Effect, now: Timestamp) {
        let Some((state, stage)) = effect.moved.clone() else {
            return;
        };
        let job = Job {
            pipeline: birth.pipeline.clone(),
            pipeline_version: birth.pipeline_version,
            serial: self.created.len(),
            state,
            stage,
            created_at: birth.at,
            updated_at: now,
            place: Place::End(Vec::new()),
            failure: None,
            parent: None,
            events: Vec::new(),
            log: Vec::new(),
        };
        self.created.push(job_id.clone());
        self.jobs.insert(job_id.clone(), job);
    }

    /// Puts a job where it is from now on; gives its place and why it failed, where the message
    /// is not the same any more.
    fn place(
        &mut self,
        job_id: &JobId,
        place: &projection::Place,
        effect: &Effect,
        now: Timestamp,
    ) -> Option<(Place, Option<Failure>)> {
        let job = self.jobs.get(job_id)?;
        let pipeline = job.pipeline.clone();
        let message = match job.place {
            Place::Queue(id) => Some(id),
            Place::Inbox(_) | Place::End(_) => None,
        };
        if let projection::Place::Kept { running_since, told_at } = place {
            self.send_away(message?, *running_since, *told_at);
            return None;
        }
        message.and_then(|id| self.remove_message(id));
        Some(match place {
            projection::Place::Kept { .. } => return None,
            projection::Place::Away(shadow) => (self.shadow(job_id, shadow.clone(), now), None),
            projection::Place::Held(message, quorum) => {
                (self.hold(job_id, message.clone(), *quorum, None, now), None)
            }
            projection::Place::Inbox(task) => {
                (self.park(job_id, &pipeline, task.clone(), now), None)
            }
            projection::Place::End { body, failure } => {
                if let (Some(failure), Some((JobState::Failed, stage))) = (failure, &effect.moved) {
                    self.bury(job_id, &pipeline, stage, failure, body, now);
                }
                (Place::End(body.clone()), failure.clone())
            }
        })
    }
}
