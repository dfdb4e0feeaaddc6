//! Watches the workers, and carries out what is decided about them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::port::Signal;

use super::child::Process;
use super::line::Line;
use super::policy::{Ends, Next, Seen, Verdict};
use super::status::{self, End, EngineStatus, SlotState, WorkerStatus};
use super::task::Task;
use super::{Assignment, Launch, Options};
use crate::backend::Backend;
use crate::control::{Death, Usage, deaths, host, worker_id};

/// How often workers are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often it is told how they are, where nothing changes.
const TELL: Duration = Duration::from_secs(5);
/// How long telling may take.
const TELL_MAX: Duration = Duration::from_secs(3);
/// A worker that is to end has this long beside what its drain takes.
const AFTER_DRAIN: Duration = Duration::from_secs(15);
/// A worker that was told to end and did so this soon after it began is one too many.
const SHORT_LIFE: Duration = Duration::from_secs(30);
/// The most things heard that are not looked at yet.
const HEARD_MAX: usize = 1_000;

/// Starts, watches, restarts and drains workers.
pub struct Supervisor;

/// Workers that are looked after.
pub struct Supervising {
    drain: CancellationToken,
    at_once: CancellationToken,
    status: Arc<Mutex<EngineStatus>>,
    task: JoinHandle<Result<(), SupervisorError>>,
}

/// Why workers are not looked after any more.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// There is nobody to look after.
    #[error("there is no worker to start (hint: --processing-workers, --source-workers)")]
    NoWorkers,
    /// Every one of them ended before its time too often.
    #[error("all {workers} workers are given up; the last one ended by {reason}")]
    AllGivenUp {
        /// How many there were.
        workers: usize,
        /// How the last one ended.
        reason: String,
    },
    /// Its task broke: a fault of ours.
    #[error("the supervisor broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Who says something.
#[derive(Clone, Debug)]
pub struct Saying {
    /// The worker.
    pub assignment: Assignment,
    slot: usize,
    generation: u64,
}

/// What is heard of a worker.
#[derive(Debug)]
pub struct Heard {
    slot: usize,
    generation: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// It says something.
    Line(Line),
    /// It ended; with why, where that was not as it should.
    Ended(Option<String>),
}

/// What can happen.
enum Event {
    Heard(Heard),
    Tick,
    Drain,
    AtOnce,
}

/// The place of a worker.
struct Slot {
    assignment: Assignment,
    state: State,
    since: Timestamp,
    generation: u64,
    ends: Ends,
    restarts: u64,
    last_end: Option<End>,
}

enum State {
    Running(Box<Running>),
    Waiting { until: Instant, starts_at: Timestamp },
    GivenUp,
    Ended,
}

struct Running {
    body: Body,
    seen: Seen,
    began: Instant,
    usage: Usage,
    /// Jobs that it has begun again.
    suspects: Vec<JobId>,
    /// Why it is to end, where it is.
    draining_for: Option<String>,
    /// Why it was killed, where it was.
    killed_for: Option<String>,
}

enum Body {
    Process(Process),
    Task(Task),
}

/// The loop.
struct Watch {
    options: Options,
    launch: Launch,
    backend: Backend,
    slots: Vec<Slot>,
    heard: mpsc::Sender<Heard>,
    status: Arc<Mutex<EngineStatus>>,
    draining: bool,
    told: Instant,
}

impl Supervisor {
    /// Starts the workers. To be called on a runtime.
    pub fn start(
        options: Options,
        launch: Launch,
        backend: Backend,
    ) -> Result<Supervising, SupervisorError> {
        let now = backend.clock.now();
        let slot = |assignment| Slot {
            assignment,
            state: State::Waiting { until: Instant::now(), starts_at: now },
            since: now,
            generation: 0,
            ends: Ends::default(),
            restarts: 0,
            last_end: None,
        };
        let slots: Vec<_> = options.assignments().map(slot).collect();
        if slots.is_empty() {
            return Err(SupervisorError::NoWorkers);
        }
        let (host, pid) = (host(), std::process::id());
        let status = EngineStatus {
            engine_id: worker_id(&host, pid),
            host,
            pid,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            in_process: matches!(launch, Launch::Tasks(_)),
            started_at: now,
            told_at: now,
            draining: false,
            workers: Vec::new(),
        };
        let status = Arc::new(Mutex::new(status));
        let (heard, hearing) = mpsc::channel(HEARD_MAX);
        let (drain, at_once) = (CancellationToken::new(), CancellationToken::new());
        let (status_of, told) = (Arc::clone(&status), Instant::now());
        let mut watch =
            Watch { options, launch, backend, slots, heard, status, draining: false, told };
        watch.start_due();
        watch.note_status();
        let task = tokio::spawn(watch.run(hearing, drain.clone(), at_once.clone()));
        Ok(Supervising { drain, at_once, status: status_of, task })
    }
}

impl Supervising {
    /// Tells all workers to end when what they have in hand has. May be called twice.
    pub fn stop(&self) {
        self.drain.cancel();
    }

    /// A token whose cancelling tells them so.
    pub fn stopper(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// Ends all workers where they are. What they had in hand is handed out again.
    pub fn stop_at_once(&self) {
        self.at_once.cancel();
    }

    /// How they are.
    pub fn status(&self) -> EngineStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all have ended. Returns early when every one of them is given up.
    pub async fn join(&mut self) -> Result<(), SupervisorError> {
        (&mut self.task).await?
    }
}

impl Saying {
    /// That it says this.
    pub fn line(&self, line: Line) -> Heard {
        self.heard(What::Line(line))
    }

    /// That it ended.
    pub fn ended(&self, reason: Option<String>) -> Heard {
        self.heard(What::Ended(reason))
    }

    fn heard(&self, what: What) -> Heard {
        Heard { slot: self.slot, generation: self.generation, what }
    }
}

impl Watch {
    async fn run(
        mut self,
        mut hearing: mpsc::Receiver<Heard>,
        drain: CancellationToken,
        at_once: CancellationToken,
    ) -> Result<(), SupervisorError> {
        let mut tick = tokio::time::interval(TICK);
        let mut killed = false;
        loop {
            let event = tokio::select! {
                Some(heard) = hearing.recv() => Event::Heard(heard),
                _ = tick.tick() => Event::Tick,
                () = drain.cancelled(), if !self.draining => Event::Drain,
                () = at_once.cancelled(), if !killed => Event::AtOnce,
            };
            let mut is_news = true;
            match event {
                Event::Heard(heard) => is_news = self.hear(heard).await,
                Event::Tick => {
                    self.look();
                    self.start_due();
                    is_news = self.told.elapsed() >= TELL;
                }
                Event::Drain => self.drain(),
                Event::AtOnce => {
                    killed = true;
                    self.drain();
                    self.kill_all();
                }
            }
            self.note_status();
            if is_news {
                self.tell().await;
            }
            let over = |slot: &Slot| matches!(slot.state, State::Ended | State::GivenUp);
            if self.slots.iter().all(over) {
                return self.end().await;
            }
        }
    }

    /// Tells whether others are to be told at once.
    async fn hear(&mut self, heard: Heard) -> bool {
        let now = Instant::now();
        let Heard { slot: place, generation, what } = heard;
        let Some(slot) = self.slots.get_mut(place) else { return false };
        if slot.generation != generation {
            return false;
        }
        let State::Running(running) = &mut slot.state else { return false };
        match what {
            What::Line(Line::Beat(beat)) => {
                let is_first = running.seen.beat.is_none();
                running.seen.hear(beat, now);
                is_first
            }
            What::Line(Line::Begins { job_id, .. }) => {
                running.suspects.push(job_id);
                false
            }
            What::Line(Line::Outlived(job_id)) => {
                running.suspects.retain(|one| *one != job_id);
                false
            }
            What::Line(Line::Fails(_)) => false,
            What::Ended(reason) => {
                self.ended(place, reason).await;
                true
            }
        }
    }

    /// A worker ended: as it was told to, or before its time.
    async fn ended(&mut self, place: usize, reason: Option<String>) {
        let (now, at) = (Instant::now(), self.backend.clock.now());
        let slot = &mut self.slots[place];
        slot.since = at;
        let State::Running(running) = std::mem::replace(&mut slot.state, State::Ended) else {
            return;
        };
        let Running { began, seen, suspects, draining_for, killed_for, .. } = *running;
        let was_told = draining_for.is_some() && killed_for.is_none() && reason.is_none();
        let worker = slot.assignment;
        let reason = killed_for.or(reason).or(draining_for);
        let reason = reason.unwrap_or_else(|| "it ended by itself, without an error".to_owned());
        let worker_id = seen.beat.map(|beat| beat.worker_id).unwrap_or_default();
        slot.last_end = Some(End { reason: reason.clone(), at });
        if self.draining {
            if !was_told {
                tracing::warn!(%worker, reason, "a worker did not end well");
            }
        } else if was_told && now.saturating_duration_since(began) > SHORT_LIFE {
            tracing::info!(%worker, reason, "another worker starts");
            slot.state = State::Waiting { until: now, starts_at: at };
        } else {
            slot.state = match slot.ends.note(now, &self.options.restarts) {
                Next::StartAfter(wait) => {
                    tracing::error!(%worker, reason, ?wait, "a worker ended, another one starts");
                    State::Waiting { until: now + wait, starts_at: at.plus(wait) }
                }
                Next::GiveUp => {
                    tracing::error!(%worker, reason, "a worker ended too often, and is given up");
                    State::GivenUp
                }
            };
        }
        let death = Death { times: 1, worker_id, reason, at };
        for job_id in suspects {
            let keeping = deaths::keep(&self.backend, &job_id, &death);
            if !matches!(tokio::time::timeout(TELL_MAX, keeping).await, Ok(Ok(()))) {
                tracing::warn!(job = %job_id, "how its worker ended is not kept");
            }
        }
    }

    /// Looks at every worker that runs, and acts where one does not go on.
    fn look(&mut self) {
        let (now, drain) = (Instant::now(), self.options.drain + AFTER_DRAIN);
        for slot in &mut self.slots {
            let State::Running(running) = &mut slot.state else { continue };
            if let Body::Process(Process { pid: Some(pid), .. }) = &running.body {
                running.usage = Usage::of_process(*pid);
                running.seen.memory_bytes = running.usage.memory_bytes;
            }
            if running.killed_for.is_some() {
                continue;
            }
            let Options { hang, memory_bytes_max, .. } = self.options;
            match running.seen.judge(now, hang, drain, memory_bytes_max) {
                Verdict::GoOn => {}
                Verdict::Drain(why) => {
                    tracing::warn!(worker = %slot.assignment, why, "a worker is to end");
                    running.drain(why, now);
                }
                Verdict::Kill(why) => {
                    tracing::error!(worker = %slot.assignment, why, "a worker is killed");
                    running.kill(why);
                }
            }
        }
    }

    /// Starts those whose time has come.
    fn start_due(&mut self) {
        let now = Instant::now();
        for place in 0..self.slots.len() {
            let State::Waiting { until, .. } = self.slots[place].state else { continue };
            if until <= now && !self.draining {
                self.start(place, now);
            }
        }
    }

    fn start(&mut self, place: usize, now: Instant) {
        let at = self.backend.clock.now();
        let slot = &mut self.slots[place];
        slot.restarts += u64::from(slot.generation > 0);
        slot.generation += 1;
        slot.since = at;
        let assignment = slot.assignment;
        let saying = Saying { assignment, slot: place, generation: slot.generation };
        let heard = self.heard.clone();
        let body = match &self.launch {
            Launch::Tasks(work) => Ok(Body::Task(Task::start((**work).clone(), saying, heard))),
            Launch::Processes(command) => {
                Process::start(command(&assignment), saying, heard).map(Body::Process)
            }
        };
        slot.state = match body {
            Ok(body) => State::Running(Box::new(Running {
                body,
                seen: Seen::new(now),
                began: now,
                usage: Usage::default(),
                suspects: Vec::new(),
                draining_for: None,
                killed_for: None,
            })),
            Err(error) => {
                let reason = format!("it does not start: {error}");
                tracing::error!(worker = %assignment, reason, "no worker");
                slot.last_end = Some(End { reason, at });
                match slot.ends.note(now, &self.options.restarts) {
                    Next::StartAfter(wait) => {
                        State::Waiting { until: now + wait, starts_at: at.plus(wait) }
                    }
                    Next::GiveUp => State::GivenUp,
                }
            }
        };
    }

    fn drain(&mut self) {
        self.draining = true;
        let (now, at) = (Instant::now(), self.backend.clock.now());
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running) => running.drain("it was told to end".to_owned(), now),
                State::Waiting { .. } => (slot.state, slot.since) = (State::Ended, at),
                State::GivenUp | State::Ended => {}
            }
        }
    }

    fn kill_all(&mut self) {
        for slot in &mut self.slots {
            if let State::Running(running) = &mut slot.state {
                running.kill("it was told to end at once".to_owned());
            }
        }
    }

    /// All is quiet.
    async fn end(&mut self) -> Result<(), SupervisorError> {
        let engine_id = self.known().engine_id;
        let forgetting = status::forget(&self.backend, &engine_id);
        let _ = tokio::time::timeout(TELL_MAX, forgetting).await;
        if self.draining {
            return Ok(());
        }
        let ends = self.slots.iter().filter_map(|slot| slot.last_end.as_ref());
        let reason = ends.max_by_key(|end| end.at).map(|end| end.reason.clone());
        let reason = reason.unwrap_or_default();
        Err(SupervisorError::AllGivenUp { workers: self.slots.len(), reason })
    }

    /// Writes down how the workers are, for this process.
    fn note_status(&self) {
        let now = Instant::now();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.told_at = self.backend.clock.now();
        status.draining = self.draining;
        status.workers = self.slots.iter().map(|slot| slot.status(now)).collect();
    }

    /// Tells the others how the workers are.
    async fn tell(&mut self) {
        self.told = Instant::now();
        let status = self.known();
        let telling = status::remember(&self.backend, &status);
        if !matches!(tokio::time::timeout(TELL_MAX, telling).await, Ok(Ok(()))) {
            tracing::debug!(engine = status.engine_id, "how the workers are is not told");
        }
        self.backend.bus.publish(Signal::Changed);
    }

    fn known(&self) -> EngineStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Slot {
    fn status(&self, now: Instant) -> WorkerStatus {
        let mut status = WorkerStatus {
            restarts: self.restarts,
            last_end: self.last_end.clone(),
            ..WorkerStatus::new(self.assignment, SlotState::Ended, self.since)
        };
        match &self.state {
            State::Running(running) => running.describe(&mut status, now),
            State::Waiting { starts_at, .. } => {
                (status.state, status.starts_at) = (SlotState::Waiting, Some(*starts_at));
            }
            State::GivenUp => status.state = SlotState::GivenUp,
            State::Ended => {}
        }
        status
    }
}

impl Running {
    fn drain(&mut self, why: String, now: Instant) {
        self.draining_for.get_or_insert(why);
        self.seen.draining_since.get_or_insert(now);
        match &mut self.body {
            Body::Process(process) => process.drain(),
            Body::Task(task) => task.drain(),
        }
    }

    fn kill(&mut self, why: String) {
        self.killed_for.get_or_insert(why);
        match &self.body {
            Body::Process(process) => process.kill(),
            Body::Task(task) => task.kill(),
        }
    }

    fn describe(&self, status: &mut WorkerStatus, now: Instant) {
        status.state = match (&self.draining_for, &self.seen.beat) {
            (Some(_), _) => SlotState::Draining,
            (None, Some(_)) => SlotState::Running,
            (None, None) => SlotState::Starting,
        };
        status.draining_for.clone_from(&self.draining_for);
        if let Body::Process(process) = &self.body {
            status.pid = process.pid;
        }
        (status.memory_bytes, status.cpu_seconds) =
            (self.usage.memory_bytes, self.usage.cpu_seconds);
        let quiet = now.saturating_duration_since(self.seen.went_on_at);
        status.quiet_ms = u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX);
        if let Some(beat) = &self.seen.beat {
            status.worker_id = Some(beat.worker_id.clone());
            (status.in_flight, status.settled) = (beat.in_flight, beat.settled);
        }
    }
}
