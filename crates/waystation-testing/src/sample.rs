//! Small jobs and settlements in few words.
//!
//! ```
//! use waystation_testing::sample;
//!
//! let job = sample::job("a").at("resize").priority(5).param("width", 640).build();
//! assert_eq!(job.pipeline.as_str(), sample::PIPELINE);
//! ```

use serde_json::Value;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind, Level, LogLine};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::job::{DeadLetterRecord, TaskRecord};
use waystation_core::journal::{self, Change, Entry};
use waystation_core::key::Key;
use waystation_core::settlement::{
    Dedupe, Delivery, Ended, Lease, Message, NewJob, Next, OnDuplicate, Parent, Priority, Quorum,
    Settlement, Start, Task, Turn,
};
use waystation_core::state::{JobState, Step, transition};

use crate::FakeClock;

/// The pipeline of sample jobs, unless they are told another one.
pub const PIPELINE: &str = "samples";
/// The stage at which sample jobs start, unless they are told another one.
pub const STAGE: &str = "first";

/// The queue of a stage of the sample pipeline.
pub fn queue(stage: &str) -> QueueName {
    QueueName::of_stage(&PipelineName::from(PIPELINE), &StageId::from(stage))
}

/// A new job with this id.
pub fn job(job_id: &str) -> Sample {
    Sample {
        contract: Contract {
            pipeline: Some(PipelineName::from(PIPELINE)),
            pipeline_version: Some(1),
            ..Contract::new(JobId::from(job_id), Params::new())
        },
        raw: None,
        stage: StageId::from(STAGE),
        manual: false,
        priority: 0,
        not_before: None,
        key: None,
        dedupe: None,
    }
}

/// A new job in the making.
#[derive(Clone, Debug)]
pub struct Sample {
    contract: Contract,
    raw: Option<Vec<u8>>,
    stage: StageId,
    manual: bool,
    priority: Priority,
    not_before: Option<Timestamp>,
    key: Option<Key>,
    dedupe: Option<Dedupe>,
}

impl Sample {
    /// It belongs to this pipeline.
    #[must_use]
    pub fn of(mut self, pipeline: &str) -> Self {
        self.contract.pipeline = Some(PipelineName::from(pipeline));
        self
    }

    /// It stays on this version of its pipeline.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.contract.pipeline_version = Some(version);
        self
    }

    /// It starts in the queue of this stage.
    #[must_use]
    pub fn at(mut self, stage: &str) -> Self {
        self.stage = StageId::from(stage);
        self.manual = false;
        self
    }

    /// It starts in the inbox, at this manual stage.
    #[must_use]
    pub fn waiting_at(mut self, stage: &str) -> Self {
        self.stage = StageId::from(stage);
        self.manual = true;
        self
    }

    /// Higher runs first.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// It is not to be started before this moment.
    #[must_use]
    pub fn not_before(mut self, moment: Timestamp) -> Self {
        self.not_before = Some(moment);
        self
    }

    /// Jobs of its stage with the same key are delivered one at a time.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(Key::new(key).expect("a key"));
        self
    }

    /// Jobs of its pipeline with the same dedupe key are one job.
    #[must_use]
    pub fn dedupe_key(mut self, key: &str) -> Self {
        self.dedupe = Some(Dedupe::new(key));
        self
    }

    /// This becomes of it when another job has its dedupe key.
    #[must_use]
    pub fn on_duplicate(mut self, policy: OnDuplicate) -> Self {
        self.dedupe = self.dedupe.map(|dedupe| dedupe.on_duplicate(policy));
        self
    }

    /// It starts with this param.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.contract.params.insert(name.to_owned(), value.into());
        self
    }

    /// Its body is these bytes, whatever they are.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.raw = Some(body.into());
        self
    }

    /// The job. One event says that it was created, at [`FakeClock::START`].
    pub fn build(self) -> NewJob {
        let pipeline = self.contract.pipeline.clone().expect("samples have one");
        let body = self.raw.unwrap_or_else(|| self.contract.to_bytes());
        let created = Event {
            job_id: self.contract.job_id.clone(),
            kind: EventKind::Created,
            stage: self.stage.clone(),
            visit: 1,
            attempt: 1,
            at: FakeClock::START,
            detail: None,
        };
        let start = if self.manual {
            Start::Inbox(Task { stage: self.stage, body })
        } else {
            Start::Queue(Message {
                queue: QueueName::of_stage(&pipeline, &self.stage),
                stage: self.stage,
                priority: self.priority,
                not_before: self.not_before,
                turn: self.key.map(Turn::last),
                body,
            })
        };
        NewJob {
            job_id: self.contract.job_id,
            pipeline,
            pipeline_version: self.contract.pipeline_version.unwrap_or(1),
            dedupe: self.dedupe,
            parent: None,
            start,
            events: vec![created],
        }
    }
}

impl From<Sample> for NewJob {
    fn from(sample: Sample) -> Self {
        sample.build()
    }
}

/// The end of a delivery of a sample job.
pub fn end(delivery: &Delivery) -> Ending {
    let contract = Contract::parse(&delivery.body).expect("the delivery holds a contract");
    let pipeline = contract.pipeline.clone().expect("samples have one");
    let queue = delivery.lease.queue.as_str();
    let stage = queue
        .strip_prefix(pipeline.as_str())
        .and_then(|rest| rest.strip_prefix('.'))
        .map(StageId::from)
        .expect("the queue is that of a stage of the pipeline");
    Ending {
        priority: delivery.priority,
        held: delivery.key.clone(),
        ..Ending::new(contract, Ended::Delivery(delivery.lease.clone()), JobState::Running, stage)
    }
}

/// The answer to a task of a sample job.
pub fn answer(task: &TaskRecord) -> Ending {
    let contract = Contract::parse(&task.body).expect("the task holds a contract");
    let ended = Ended::Task(task.task_id);
    Ending::new(contract, ended, JobState::Waiting, task.stage.clone())
}

/// What a person does with a dead letter of a sample job.
pub fn resolve(letter: &DeadLetterRecord) -> Ending {
    let contract = Contract::parse(&letter.body).expect("the letter holds a contract");
    let ended = Ended::DeadLetter(letter.dead_letter_id);
    Ending::new(contract, ended, JobState::Failed, letter.stage.clone())
}

/// What a broker delivers at a stage of the sample pipeline.
pub fn on_broker(stage: &str, body: &[u8]) -> Delivery {
    Delivery {
        lease: Lease { queue: queue(stage), delivery_id: 0, token: 0 },
        body: body.to_vec(),
        priority: 0,
        key: None,
        deliveries: 1,
        enqueued_at: FakeClock::START,
    }
}

/// The body with which a job first comes to a broker.
pub fn body(job_id: &str) -> Vec<u8> {
    job(job_id).contract.to_bytes()
}

/// What a worker on a broker writes into the journal when it ended a delivery so.
pub fn journal(settlement: &Settlement) -> Entry {
    Entry::of(settlement, FakeClock::START)
}

/// What a worker on a broker writes into the journal when it begins.
pub fn running(delivery: &Delivery, at: Timestamp) -> Entry {
    let started = end(delivery).happening_at(at).event(EventKind::Started, None);
    let contract = Contract::parse(&delivery.body).expect("the delivery holds a contract");
    Entry {
        job_id: contract.job_id,
        origin: contract.pipeline.zip(contract.pipeline_version),
        step: journal::Step {
            stage: started.stage.clone(),
            visit: Some(started.visit),
            attempt: started.attempt,
            at,
        },
        events: vec![started],
        log: Vec::new(),
        change: Change::Running,
        children: Vec::new(),
    }
}

/// A settlement in the making. States follow from `core::state`, so that what cannot be does not
/// come about by a slip of a test.
#[derive(Clone, Debug)]
pub struct Ending {
    contract: Contract,
    ended: Ended,
    from: JobState,
    stage: StageId,
    priority: Priority,
    /// The key of what it ends.
    held: Option<Key>,
    steps_aside: bool,
    /// The key of what is forwarded.
    key: Option<Key>,
    at: Timestamp,
    log: Vec<LogLine>,
}

impl Ending {
    fn new(contract: Contract, ended: Ended, from: JobState, stage: StageId) -> Self {
        Self {
            contract,
            ended,
            from,
            stage,
            priority: 0,
            held: None,
            steps_aside: false,
            key: None,
            at: FakeClock::START,
            log: Vec::new(),
        }
    }

    /// What is forwarded has this key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(Key::new(key).expect("a key"));
        self
    }

    /// What is tried again goes behind all that have its key.
    #[must_use]
    pub fn stepping_aside(mut self) -> Self {
        self.steps_aside = true;
        self
    }

    /// Its events happen at this moment, not at [`FakeClock::START`].
    #[must_use]
    pub fn happening_at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// The contract has this param from now on.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.contract.params.insert(name.to_owned(), value.into());
        self
    }

    /// What is forwarded has this priority, not the one it came with.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The attempt wrote this line.
    #[must_use]
    pub fn log(mut self, line: &str) -> Self {
        self.log.push(LogLine {
            at: self.at,
            stage: self.stage.clone(),
            attempt: self.contract.retry_count + 1,
            level: Level::Info,
            line: line.to_owned(),
        });
        self
    }

    /// The stage completed and this one is next.
    pub fn forward_to(self, stage: &str) -> Settlement {
        let step = match self.from {
            JobState::Failed => Step::Requeue,
            _ => Step::Enqueue,
        };
        let events = vec![self.event(EventKind::Completed, None)];
        let mut hop = self;
        hop.contract.visit += 1;
        hop.contract.retry_count = 0;
        hop.stage = StageId::from(stage);
        let next = hop.enqueue(None, hop.last());
        hop.settle(step, next, events)
    }

    /// The stage completed and a person is next, at this manual stage.
    pub fn park_at(self, stage: &str) -> Settlement {
        let mut events = vec![self.event(EventKind::Completed, None)];
        let mut hop = self;
        hop.contract.visit += 1;
        hop.contract.retry_count = 0;
        hop.stage = StageId::from(stage);
        events.push(hop.event(EventKind::Waiting, None));
        let next = Next::Park(Task { stage: hop.stage.clone(), body: hop.contract.to_bytes() });
        hop.settle(Step::Park, next, events)
    }

    /// The attempt failed and another one is due at this moment.
    pub fn retry_at(self, moment: Timestamp) -> Settlement {
        let events = vec![self.event(EventKind::Retried, None)];
        let mut again = self;
        again.contract.retry_count += 1;
        let next = again.enqueue(Some(moment), again.again());
        again.settle(Step::Retry, next, events)
    }

    /// The worker gives the delivery back unfinished.
    pub fn hand_back(self) -> Settlement {
        let events = vec![self.event(EventKind::HandedBack, None)];
        self.settle(Step::HandBack, Next::HandBack, events)
    }

    /// The courier gave the message to a broker.
    pub fn hand_over(self) -> Settlement {
        self.settle(Step::HandBack, Next::HandOver, Vec::new())
    }

    /// Something is not ready: the same attempt is due at this moment.
    pub fn postpone_to(self, moment: Timestamp) -> Settlement {
        let events = vec![self.event(EventKind::Retried, None)];
        let next = self.enqueue(Some(moment), self.again());
        self.settle(Step::Retry, next, events)
    }

    /// The last stage completed.
    pub fn complete(self) -> Settlement {
        let events = vec![self.event(EventKind::Completed, None)];
        let next = self.end(None);
        self.settle(Step::Complete, next, events)
    }

    /// There was nothing to do.
    pub fn skip(self) -> Settlement {
        let events = vec![self.event(EventKind::Skipped, None)];
        let next = self.end(None);
        self.settle(Step::Skip, next, events)
    }

    /// The job failed for good.
    pub fn fail(self, message: &str) -> Settlement {
        let events = vec![self.event(EventKind::Failed, Some(Value::from(message)))];
        let next = self.end(Some(Failure::new(ErrorKind::Error, message)));
        self.settle(Step::Fail, next, events)
    }

    /// The handler stopped because somebody asked for it.
    pub fn abort(self, reason: &str) -> Settlement {
        let events = vec![self.event(EventKind::Aborted, Some(Value::from(reason)))];
        let next = self.end(Some(Failure::new(ErrorKind::Aborted, reason)));
        self.settle(Step::Abort, next, events)
    }

    /// A person wants the failed job tried again, at the stage where it failed.
    pub fn requeue(self) -> Settlement {
        let events = vec![self.event(EventKind::Requeued, None)];
        let mut again = self;
        again.contract.retry_count = 0;
        again.contract.visit += 1;
        let next = again.enqueue(None, again.last());
        again.settle(Step::Requeue, next, events)
    }

    /// A person drops the dead letter; its job stays failed.
    pub fn drop_letter(self) -> Settlement {
        let events = vec![self.event(EventKind::Dropped, None)];
        Settlement {
            job_id: self.contract.job_id.clone(),
            pipeline: self.contract.pipeline.clone().expect("samples have one"),
            pipeline_version: self.contract.pipeline_version.unwrap_or(1),
            ended: self.ended,
            next: Next::Drop,
            state: JobState::Failed,
            stage: self.stage,
            events,
            log: self.log,
            children: Vec::new(),
        }
    }

    /// The stage completed and made a child for each of these names, all at this stage. Its job
    /// waits at the other one: where that is the same stage, in its place.
    pub fn fan_out(
        self,
        names: &[&str],
        to: &str,
        join: &str,
        quorum: impl FnOnce(u32) -> Quorum,
    ) -> Settlement {
        let mut events = vec![self.event(EventKind::Completed, None)];
        let children = names.iter().zip(0..).map(|(name, at)| self.child(name, at, to));
        let children: Vec<_> = children.collect();
        let visit = self.contract.visit;
        let stays = self.stage.as_str() == join && self.held.is_some();
        let turn = if stays { self.again() } else { self.last() };
        let mut hop = self;
        hop.contract.visit += 1;
        hop.contract.retry_count = 0;
        hop.stage = StageId::from(join);
        events.push(hop.event(EventKind::Waiting, None));
        let next = match hop.enqueue(None, turn) {
            Next::Enqueue(message) => Next::Await(message, quorum(visit)),
            next => next,
        };
        Settlement { children, ..hop.settle(Step::Park, next, events) }
    }

    fn child(&self, name: &str, position: u32, to: &str) -> NewJob {
        let Contract { job_id, visit, params, .. } = &self.contract;
        let parent = Parent { job_id: job_id.clone(), visit: *visit, position };
        let mut child = job(&format!("{job_id}.{visit}-{name}")).at(to);
        child.contract.pipeline.clone_from(&self.contract.pipeline);
        child.contract.params.clone_from(params);
        NewJob { parent: Some(parent), ..child.build() }
    }

    /// Behind all that have its key at the next stage.
    fn last(&self) -> Option<Turn> {
        self.key.clone().map(Turn::last)
    }

    /// In its place at the stage where it is, unless it steps aside.
    fn again(&self) -> Option<Turn> {
        self.held.clone().map(|key| Turn { key, keeps_place: !self.steps_aside })
    }

    fn enqueue(&self, not_before: Option<Timestamp>, turn: Option<Turn>) -> Next {
        let pipeline = self.contract.pipeline.as_ref().expect("samples have one");
        Next::Enqueue(Message {
            queue: QueueName::of_stage(pipeline, &self.stage),
            stage: self.stage.clone(),
            priority: self.priority,
            not_before,
            turn,
            body: self.contract.to_bytes(),
        })
    }

    fn end(&self, failure: Option<Failure>) -> Next {
        Next::End { body: self.contract.to_bytes(), failure }
    }

    fn event(&self, kind: EventKind, detail: Option<Value>) -> Event {
        Event {
            job_id: self.contract.job_id.clone(),
            kind,
            stage: self.stage.clone(),
            visit: self.contract.visit,
            attempt: self.contract.retry_count + 1,
            at: self.at,
            detail,
        }
    }

    fn settle(self, step: Step, next: Next, events: Vec<Event>) -> Settlement {
        Settlement {
            job_id: self.contract.job_id.clone(),
            pipeline: self.contract.pipeline.clone().expect("samples have one"),
            pipeline_version: self.contract.pipeline_version.unwrap_or(1),
            ended: self.ended,
            next,
            state: transition(self.from, step).expect("the sample takes a legal step"),
            stage: self.stage,
            events,
            log: self.log,
            children: Vec::new(),
        }
    }
}
