//! Settlements: deliveries, tasks and dead letters end, and their jobs go on.

use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::DeadLetterRecord;
use waystation_core::settlement::{Ended, Next, Settled, Settlement};
use waystation_core::state::JobState;

use crate::state::{Place, State};

impl State {
    /// Applies a settlement whole, or not at all.
    pub fn settle(&mut self, mut settlement: Settlement, now: Timestamp) -> Settled {
        let Some(job_id) = self.owner(&settlement) else { return Settled::Lost };
        // Who could not read the contract does not know the job.
        for event in &mut settlement.events {
            event.job_id = job_id.clone();
        }
        settlement.job_id = job_id;
        let (settlement, answer) = self.heed_abort(settlement, now);
        self.apply(settlement, now);
        answer
    }

    /// Whose that is which the settlement ends, if it is there to be ended.
    fn owner(&mut self, settlement: &Settlement) -> Option<JobId> {
        if let Ended::Delivery(lease) = &settlement.ended {
            self.come_up(lease.delivery_id);
        }
        // What is out behind another one can only be given back.
        let may_end = |id| settlement.next == Next::HandBack || !self.is_out_behind(id);
        let job_id = match &settlement.ended {
            Ended::Delivery(lease) if self.holds(lease) && may_end(lease.delivery_id) => {
                self.messages.get(&lease.delivery_id).map(|message| &message.job_id)
            }
            Ended::Delivery(_) => None,
            Ended::Task(id) => self.tasks.get(id).map(|task| &task.job_id),
            Ended::DeadLetter(id) => self.dead_letters.get(id).map(|letter| &letter.job_id),
        };
        job_id.cloned()
    }

    /// The settlement as it holds when somebody wanted the job aborted meanwhile.
    fn heed_abort(&self, settlement: Settlement, now: Timestamp) -> (Settlement, Settled) {
        let message = match &settlement.ended {
            Ended::Delivery(lease) => self.messages.get(&lease.delivery_id),
            Ended::Task(_) | Ended::DeadLetter(_) => None,
        };
        let Some((message, reason)) =
            message.and_then(|message| Some((message, message.abort.as_deref()?)))
        else {
            return (settlement, Settled::Applied);
        };
        if !settlement.yields_to_abort() {
            return (settlement, Settled::Applied);
        }
        (settlement.overruled_by_abort(reason, now, message.body.clone()), Settled::Aborted)
    }

    fn apply(&mut self, settlement: Settlement, now: Timestamp) {
        let job_id = &settlement.job_id.clone();
        let Some(pipeline) = self.jobs.get(job_id).map(|job| job.pipeline.clone()) else {
            return;
        };
        let ended = &settlement.ended;
        let since = self.since(ended);
        let turn = self.kept_turn(&settlement);
        let is_dropped = settlement.next == Next::Drop;
        // The place and the failure from now on, where the settlement changes them.
        let change: Option<(Place, Option<Failure>)> = match settlement.next {
            Next::HandBack => {
                if let Ended::Delivery(lease) = ended {
                    self.hand_back(lease.delivery_id, now);
                }
                None
            }
            Next::HandOver => {
                if let Ended::Delivery(lease) = ended {
                    self.send_away(lease.delivery_id, None, None);
                }
                None
            }
            Next::Drop => {
                self.close(ended);
                None
            }
            Next::Enqueue(message) => {
                self.close(ended);
                Some((self.enqueue(job_id, message, turn, now), None))
            }
            Next::Await(message, quorum) => {
                self.close(ended);
                Some((self.hold(job_id, message, quorum, turn, now), None))
            }
            Next::Park(task) => {
                self.close(ended);
                Some((self.park(job_id, &pipeline, task, now), None))
            }
            Next::End { body, failure } => {
                self.close(ended);
                if let (Some(failure), JobState::Failed) = (&failure, settlement.state) {
                    self.bury(job_id, &pipeline, &settlement.stage, failure, &body, now);
                }
                Some((Place::End(body), failure))
            }
        };
        let Some(job) = self.jobs.get_mut(job_id) else {
            return;
        };
        if let Some((place, failure)) = change {
            job.place = place;
            job.failure = failure;
        }
        let before = job.state;
        if !is_dropped {
            job.state = settlement.state;
            job.stage = settlement.stage;
            job.updated_at = now;
        }
        job.log.extend(settlement.log);
        self.note_events(job_id, settlement.events, since, now);
        if !is_dropped {
            self.count_end(job_id, now);
        }
        self.tell_parent(&settlement.job_id, before, now);
        self.bear(settlement.children, now);
    }

    /// A failed job lies with the dead letters.
    pub fn bury(
        &mut self,
        job_id: &JobId,
        pipeline: &PipelineName,
        stage: &StageId,
        failure: &Failure,
        body: &[u8],
        now: Timestamp,
    ) {
        let dead_letter_id = self.next_id();
        let letter = DeadLetterRecord {
            dead_letter_id,
            job_id: job_id.clone(),
            pipeline: pipeline.clone(),
            stage: stage.clone(),
            failure: failure.clone(),
            at: now,
            body: body.to_vec(),
        };
        self.dead_letters.insert(dead_letter_id, letter);
    }

    /// The place in line of what ends, where what follows takes it over.
    fn kept_turn(&self, settlement: &Settlement) -> Option<i64> {
        let (Next::Enqueue(message) | Next::Await(message, _)) = &settlement.next else {
            return None;
        };
        let Ended::Delivery(lease) = &settlement.ended else { return None };
        let turn = message.turn.as_ref().filter(|turn| turn.keeps_place)?;
        let ended = self.messages.get(&lease.delivery_id)?;
        let is_same = ended.queue == message.queue && ended.key.as_ref() == Some(&turn.key);
        ended.turn.filter(|_| is_same)
    }

    /// When that which ends came into its queue or into the inbox.
    fn since(&self, ended: &Ended) -> Option<Timestamp> {
        match ended {
            Ended::Delivery(lease) => {
                self.messages.get(&lease.delivery_id).map(|message| message.enqueued_at)
            }
            Ended::Task(id) => self.tasks.get(id).map(|task| task.created_at),
            Ended::DeadLetter(_) => None,
        }
    }

    fn close(&mut self, ended: &Ended) {
        match ended {
            Ended::Delivery(lease) => drop(self.remove_message(lease.delivery_id)),
            Ended::Task(id) => drop(self.tasks.remove(id)),
            Ended::DeadLetter(id) => drop(self.dead_letters.remove(id)),
        }
    }
}
