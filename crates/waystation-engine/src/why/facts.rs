//! What must be known of a job to say why it is where it is, and what follows from it.

use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::Failure;
use waystation_core::id::QueueName;
use waystation_core::job::{Awaited, Behind, JobRecord, TaskRecord};
use waystation_core::pipeline::StageKind;
use waystation_core::port::Depth;
use waystation_core::state::JobState;

use super::{Doer, Why};
use crate::control::{PRESENCE_LASTS, Pauses, WorkerKind, WorkerPresence};

/// What is known at a moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The moment.
    pub now: Timestamp,
    /// The job.
    pub job: JobRecord,
    /// What happened to it, oldest first.
    pub events: Vec<Event>,
    /// Its stage, where its pipeline's graph is known here.
    pub stage: Option<StageFacts>,
    /// Those who tell that they work.
    pub workers: Vec<WorkerPresence>,
    /// What is paused.
    pub pauses: Pauses,
    /// Its task, while it waits for a person.
    pub task: Option<TaskRecord>,
    /// What it waits for, while it waits for children.
    pub awaited: Option<Awaited>,
    /// What it waits for, while others of its key go before it.
    pub behind: Option<Behind>,
    /// How much waits in its stage's queue, where that was asked.
    pub depth: Option<Depth>,
    /// How many attempts began at its stage in a minute, of late.
    pub per_minute: Option<f64>,
    /// Whether messages lie with a broker, apart from the store.
    pub is_brokered: bool,
    /// Why somebody wants it aborted that a broker has.
    pub abort_wanted: Option<String>,
    /// Whether a failed job has a dead letter.
    pub has_letter: bool,
}

/// A stage as its pipeline's graph has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFacts {
    /// What kind of step it is.
    pub kind: StageKind,
    /// The queue that it reads.
    pub queue: QueueName,
    /// How many attempts there are.
    pub attempts_max: u32,
}

impl Facts {
    /// What keeps its stage from taking it, whenever its turn comes.
    pub(super) fn obstacles(&self) -> Vec<Why> {
        let (job, queue) = (&self.job, self.queue());
        if let Some(pause) = self.pauses.stops(&job.pipeline, &job.stage, &queue).cloned() {
            let (by, at, reason) = (pause.by, pause.at, pause.reason);
            return vec![Why::Paused { target: pause.target, by, at, reason }];
        }
        let doer = match self.stage.as_ref().map(|stage| stage.kind) {
            Some(StageKind::Foreign) => Doer::Foreign,
            Some(StageKind::Remote) => Doer::Remote,
            _ => Doer::Engine,
        };
        if self.is_served(doer) {
            return Vec::new();
        }
        vec![Why::Unserved { stage: job.stage.clone(), by: doer }]
    }

    fn is_served(&self, doer: Doer) -> bool {
        let kind = match doer {
            Doer::Engine => WorkerKind::Engine,
            Doer::Remote => WorkerKind::Remote,
            // They tell nobody.
            Doer::Foreign => return false,
        };
        let (job, queue) = (&self.job, self.queue());
        let mut working =
            self.workers.iter().filter(|worker| worker.kind == kind && !worker.draining);
        working.any(|worker| {
            let mut serves = worker.serves.iter();
            serves.any(|one| one.pipeline == job.pipeline && one.queue == queue)
        })
    }

    /// What it waits for once nothing is in its way.
    pub(super) fn turn(&self) -> Why {
        let due = self.job.not_before.filter(|due| *due > self.now);
        match (self.job.state, due) {
            (JobState::Retrying, Some(due)) => self.retry(due),
            (_, Some(until)) => Why::Delayed { until },
            (_, None) => {
                if let Some(Behind { key, first, ahead }) = self.behind.clone() {
                    return Why::Behind { key, first, ahead };
                }
                let (queue, per_minute) = (self.queue(), self.per_minute);
                // What is told of the queue may be older than that the job is in it.
                let ready = self.depth.map(|depth| depth.ready.max(1));
                if self.is_brokered {
                    Why::Away { queue, ready, per_minute }
                } else {
                    Why::InQueue { queue, ready, per_minute }
                }
            }
        }
    }

    /// Whether everybody who could have it tells that he has not. Foreign programs do not tell,
    /// and who has very many in hand does not tell of all.
    fn is_missed(&self) -> bool {
        let since = self.job.running_since.unwrap_or(self.now);
        let is_foreign = self.stage.as_ref().is_none_or(|stage| stage.kind == StageKind::Foreign);
        let tells_all = |worker: &WorkerPresence| worker.jobs.len() as u64 >= worker.in_flight;
        self.job.leased_until.is_none()
            && !is_foreign
            && self.now.since(since) > PRESENCE_LASTS
            && self.workers.iter().all(tells_all)
    }

    fn retry(&self, due: Timestamp) -> Why {
        let last = self.last(EventKind::Retried);
        let told = |name: &str| last.and_then(|event| event.detail.as_ref()?.get(name));
        if let Some(reason) = told("postponed").and_then(serde_json::Value::as_str) {
            return Why::Postponed { due, reason: reason.to_owned() };
        }
        Why::RetryDue {
            stage: self.job.stage.clone(),
            attempt: last.map_or(1, |event| event.attempt),
            attempts_max: self.stage.as_ref().map(|stage| stage.attempts_max),
            due,
            failure: told("failure")
                .and_then(|failure| serde_json::from_value::<Failure>(failure.clone()).ok()),
        }
    }

    pub(super) fn running(&self) -> Why {
        let job = &self.job;
        let told = self.workers.iter().find_map(|worker| {
            let in_hand = worker.jobs.iter().find(|one| one.job_id == job.job_id)?;
            Some((worker.worker_id.clone(), in_hand.clone()))
        });
        let is_missed = told.is_none() && self.is_missed();
        let (worker, in_hand) = told.unzip();
        let awaited = Contract::awaited(&job.body).map_or(1, |(_, attempt)| attempt);
        let since = job.running_since.or(in_hand.as_ref().map(|one| one.since));
        Why::Running {
            stage: job.stage.clone(),
            attempt: in_hand.as_ref().map_or(awaited, |one| one.attempt),
            since: since.unwrap_or(job.updated_at),
            worker,
            leased_until: job.leased_until,
            is_missed,
        }
    }

    pub(super) fn waiting(&self) -> Why {
        if let Some(task) = &self.task {
            return Why::AtInbox {
                task_id: task.task_id,
                stage: task.stage.clone(),
                since: task.created_at,
                holder: task.holder(self.now).map(str::to_owned),
                due_at: task.due_at,
            };
        }
        let Some(Awaited { quorum, tally, .. }) = self.awaited else { return Why::Moving };
        let ended = tally.completed.saturating_add(tally.failed);
        // A number that is never reached is the farthest.
        let completed = quorum.completed.saturating_sub(tally.completed);
        let needed = completed.min(quorum.ended.saturating_sub(ended));
        let children = self.last(EventKind::Waiting).and_then(|event| {
            let told = event.detail.as_ref()?.get(Event::CHILDREN)?.as_u64()?;
            u32::try_from(told).ok()
        });
        Why::Join {
            stage: self.job.stage.clone(),
            children,
            completed: tally.completed,
            failed: tally.failed,
            needed,
        }
    }

    pub(super) fn aborted(&self) -> Why {
        let told = self
            .last(EventKind::Aborted)
            .and_then(|event| Some(event.detail.as_ref()?.get("reason")?.as_str()?.to_owned()));
        let kept = || self.job.failure.as_ref().map(|failure| failure.message.clone());
        let reason = told.or_else(kept).unwrap_or_default();
        Why::Aborted { at: self.job.updated_at, reason }
    }

    pub(super) fn failed(&self) -> Why {
        Why::Failed {
            stage: self.job.stage.clone(),
            at: self.last(EventKind::Failed).map_or(self.job.updated_at, |event| event.at),
            failure: self.job.failure.clone(),
            can_retry: self.has_letter,
        }
    }

    fn queue(&self) -> QueueName {
        let known = self.stage.as_ref().map(|stage| stage.queue.clone());
        known.unwrap_or_else(|| QueueName::of_stage(&self.job.pipeline, &self.job.stage))
    }

    fn last(&self, kind: EventKind) -> Option<&Event> {
        self.events.iter().rev().find(|event| event.kind == kind)
    }
}
