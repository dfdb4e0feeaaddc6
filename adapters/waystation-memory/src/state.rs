//! What the memory holds, and the few ways in which a job changes its place.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind, LogLine};
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::job::{DeadLetterRecord, JobRecord, TaskRecord};
use waystation_core::key::Key;
use waystation_core::progress::Progress;
use waystation_core::projection::Shadow;
use waystation_core::settlement::{Message, Parent, Priority, Task};
use waystation_core::state::JobState;
use waystation_core::step::StepKey;

use crate::counting::Counting;
use crate::family::Waiting;
use crate::line::Line;
use crate::records::Collections;
use crate::turns::Turns;

/// Everything.
#[derive(Default)]
pub(crate) struct State {
    pub jobs: HashMap<JobId, Job>,
    /// In the order of their creation.
    pub created: Vec<JobId>,
    /// Remembered for as long as the job is, also after its end.
    pub dedupe_keys: HashMap<(PipelineName, String), JobId>,
    pub messages: HashMap<i64, QueuedMessage>,
    pub lines: HashMap<QueueName, Line>,
    pub turns: Turns,
    pub tasks: BTreeMap<i64, TaskRecord>,
    pub dead_letters: BTreeMap<i64, DeadLetterRecord>,
    /// The texts of each pipeline; version 1 comes first.
    pub pipelines: HashMap<PipelineName, Vec<String>>,
    pub checkpoints: HashMap<String, Value>,
    /// The jobs that wait for their children.
    pub waiting: HashMap<JobId, Waiting>,
    /// Children by their parent, the stage run that made them, and their position.
    pub children: BTreeMap<(JobId, u32, u32), JobId>,
    pub steps: BTreeMap<StepKey, Vec<u8>>,
    /// What the jobs' attempts said last.
    pub progress: HashMap<JobId, Progress>,
    /// Running jobs that were replaced in this visit, with the reason: their workers are told.
    pub marked: Vec<(JobId, String)>,
    /// What happened to all jobs, in the order of the visits.
    pub feed: Vec<(PipelineName, Event)>,
    pub counting: Counting,
    pub collections: Collections,
    last_id: i64,
    last_token: u64,
}

/// A job as it is kept.
pub(crate) struct Job {
    pub pipeline: PipelineName,
    pub pipeline_version: u32,
    /// Its index in [`State::created`].
    pub serial: usize,
    /// Never `running`: that is told from the lease of its message.
    pub state: JobState,
    pub stage: StageId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub place: Place,
    pub failure: Option<Failure>,
    pub parent: Option<Parent>,
    pub events: Vec<Event>,
    pub log: Vec<LogLine>,
}

/// Where a job's contract is.
pub(crate) enum Place {
    /// In a queue, as this message.
    Queue(i64),
    /// In the inbox, as this task.
    Inbox(i64),
    /// Nowhere any more: this was its last form.
    End(Vec<u8>),
}

/// A message as it is kept.
pub(crate) struct QueuedMessage {
    pub job_id: JobId,
    pub queue: QueueName,
    pub stage: StageId,
    pub priority: Priority,
    pub not_before: Option<Timestamp>,
    pub body: Vec<u8>,
    pub enqueued_at: Timestamp,
    /// What it is told apart by from others of its queue.
    pub key: Option<Key>,
    /// Its place among those that have its key, while it stands in line with them.
    pub turn: Option<i64>,
    pub deliveries: u32,
    /// Who may settle it: the last one that it was handed to, unless that one gave it back.
    pub token: Option<u64>,
    pub leased_until: Option<Timestamp>,
    /// When it was handed out last; while it is away, since when a worker is known to have it.
    pub leased_at: Option<Timestamp>,
    /// A broker has it: it stands in no line.
    pub away: bool,
    /// As of when it is, while it is away. See [`Shadow::told_at`].
    pub told_at: Option<Timestamp>,
    /// Why somebody wants its job aborted.
    pub abort: Option<String>,
}

impl QueuedMessage {
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }

    /// Whether a worker has it, here or with a broker.
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.leased_at.is_some() && (self.away || self.is_leased(now))
    }
}

impl State {
    pub fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn next_token(&mut self) -> u64 {
        self.last_token += 1;
        self.last_token
    }

    pub fn line(&mut self, queue: &QueueName) -> &mut Line {
        self.lines.entry(queue.clone()).or_default()
    }

    /// Puts a contract into a queue and wakes who waits there. `turn` is the place in line that it
    /// takes over.
    pub fn enqueue(
        &mut self,
        job_id: &JobId,
        message: Message,
        turn: Option<i64>,
        now: Timestamp,
    ) -> Place {
        let id = self.keep(job_id, message, turn, now);
        self.release(id, now);
        Place::Queue(id)
    }

    /// Lets a message that is kept be received, and wakes who waits for it. One that can be
    /// received now takes its place in line first.
    pub fn release(&mut self, id: i64, now: Timestamp) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        let is_held_back = message.not_before.is_some_and(|moment| moment > now);
        if message.is_to_line_up() && !is_held_back {
            self.stand_behind(id, &mut message);
        } else {
            self.line(&message.queue).insert(id, &message, now);
        }
        self.messages.insert(id, message);
    }

    /// Makes ready what is due in a queue.
    pub fn release_due(&mut self, queue: &QueueName, now: Timestamp) {
        for id in self.line(queue).take_due(now) {
            self.release(id, now);
        }
        self.move_up(now);
    }

    /// Keeps a message for a queue, in nobody's reach yet. `turn` is the place in line that it
    /// takes over.
    pub fn keep(
        &mut self,
        job_id: &JobId,
        message: Message,
        turn: Option<i64>,
        now: Timestamp,
    ) -> i64 {
        let id = self.next_id();
        let mut queued = QueuedMessage {
            job_id: job_id.clone(),
            queue: message.queue,
            stage: message.stage,
            priority: message.priority,
            not_before: message.not_before,
            body: message.body,
            enqueued_at: now,
            key: message.turn.map(|turn| turn.key),
            turn: None,
            deliveries: 0,
            token: None,
            leased_until: None,
            leased_at: None,
            away: false,
            told_at: None,
            abort: None,
        };
        if let Some(turn) = turn {
            self.stand_at_head(id, &mut queued, turn);
        }
        self.messages.insert(id, queued);
        id
    }

    /// Keeps the shadow of a message that a broker has.
    pub fn shadow(&mut self, job_id: &JobId, shadow: Shadow, now: Timestamp) -> Place {
        let id = self.next_id();
        let away = QueuedMessage {
            job_id: job_id.clone(),
            queue: shadow.message.queue,
            stage: shadow.message.stage,
            priority: shadow.message.priority,
            not_before: shadow.message.not_before,
            body: shadow.message.body,
            enqueued_at: now,
            key: shadow.message.turn.map(|turn| turn.key),
            turn: None,
            deliveries: 0,
            token: None,
            leased_until: None,
            leased_at: shadow.running_since,
            away: true,
            told_at: shadow.told_at,
            abort: shadow.abort,
        };
        self.messages.insert(id, away);
        Place::Queue(id)
    }

    /// Takes a message out of everybody's reach: a broker has it. What it counts of deliveries is
    /// not the ledger's to know.
    pub fn send_away(
        &mut self,
        id: i64,
        running_since: Option<Timestamp>,
        told_at: Option<Timestamp>,
    ) {
        let Some(mut message) = self.remove_message(id) else {
            return;
        };
        message.away = true;
        message.token = None;
        message.leased_until = None;
        message.leased_at = running_since;
        message.told_at = told_at;
        message.deliveries = 0;
        message.not_before = None;
        self.messages.insert(id, message);
    }

    /// Opens a task in the inbox.
    pub fn park(
        &mut self,
        job_id: &JobId,
        pipeline: &PipelineName,
        task: Task,
        now: Timestamp,
    ) -> Place {
        let task_id = self.next_id();
        let record = TaskRecord {
            task_id,
            job_id: job_id.clone(),
            pipeline: pipeline.clone(),
            stage: task.stage,
            created_at: now,
            assignee: None,
            claimed_until: None,
            due_at: None,
            body: task.body,
        };
        self.tasks.insert(task_id, record);
        Place::Inbox(task_id)
    }

    /// Takes a message out of its queue.
    pub fn remove_message(&mut self, id: i64) -> Option<QueuedMessage> {
        let mut message = self.lift_message(id)?;
        self.leave_line(id, &mut message);
        self.forget_waiting(&message.job_id, id);
        Some(message)
    }

    /// Takes a message up, to put it down elsewhere in its queue.
    pub fn lift_message(&mut self, id: i64) -> Option<QueuedMessage> {
        let message = self.messages.remove(&id)?;
        self.line(&message.queue).remove(id, &message);
        Some(message)
    }

    /// The contract of a job as it stands.
    pub fn body<'a>(&'a self, job: &'a Job) -> &'a [u8] {
        match &job.place {
            Place::Queue(id) => self.messages.get(id).map_or(&[], |message| &message.body),
            Place::Inbox(id) => self.tasks.get(id).map_or(&[], |task| &task.body),
            Place::End(body) => body,
        }
    }

    /// The message of a job that is in a queue.
    pub fn message_of(&self, job: &Job) -> Option<&QueuedMessage> {
        match job.place {
            Place::Queue(id) => self.messages.get(&id),
            Place::Inbox(_) | Place::End(_) => None,
        }
    }

    /// The state that people see: `running` exactly while a live lease says so.
    pub fn shown_state(&self, job: &Job, now: Timestamp) -> JobState {
        match self.message_of(job) {
            Some(message) if message.is_running(now) => JobState::Running,
            _ => job.state,
        }
    }

    pub fn record(&self, job_id: &JobId, job: &Job, now: Timestamp) -> JobRecord {
        let state = self.shown_state(job, now);
        let held_back = matches!(state, JobState::Delayed | JobState::Retrying);
        let message = self.message_of(job);
        let record = JobRecord {
            job_id: job_id.clone(),
            pipeline: job.pipeline.clone(),
            pipeline_version: job.pipeline_version,
            state,
            stage: job.stage.clone(),
            created_at: job.created_at,
            updated_at: job.updated_at,
            not_before: message
                .and_then(|message| message.not_before)
                .filter(|moment| held_back && *moment > now),
            running_since: message
                .and_then(|message| message.leased_at)
                .filter(|_| state == JobState::Running),
            leased_until: message
                .and_then(|message| message.leased_until)
                .filter(|_| state == JobState::Running),
            deliveries: message.map_or(0, |message| message.deliveries),
            failure: job.failure.clone(),
            parent: job.parent.clone(),
            progress: None,
            params: params_of(self.body(job)),
            body: self.body(job).to_vec(),
        };
        record.with_progress(self.progress.get(job_id).cloned())
    }
}

/// An event that the memory itself has to tell of a contract.
pub(crate) fn event(
    kind: EventKind,
    job_id: &JobId,
    stage: &StageId,
    body: &[u8],
    at: Timestamp,
    detail: Value,
) -> Event {
    // What cannot be read was never attempted: it is in its first run.
    let (visit, attempt) = Contract::parse(body)
        .map_or((1, 1), |contract| (contract.visit, contract.retry_count.saturating_add(1)));
    Event {
        job_id: job_id.clone(),
        kind,
        stage: stage.clone(),
        visit,
        attempt,
        at,
        detail: Some(detail),
    }
}

fn params_of(body: &[u8]) -> Params {
    Contract::parse(body).map_or_else(|_| Params::new(), |contract| contract.params)
}
