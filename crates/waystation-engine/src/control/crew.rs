//! The engines of one process, as those know of them who look on: what they serve, what they have
//! in hand, and that they go on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, PipelineName, QueueName, StageId, time_ordered};

use super::presence::{InHand, JOBS_TOLD_MAX, PipelineFault, Serving};
use super::process::host;
use crate::lease_keeper::LeaseKeeper;
use crate::sources::SourceId;

/// Work that has lasted so long since it began again is not taken for the process's last any more.
const SUSPECT_FOR: Duration = Duration::from_secs(10);

/// The engines of one process. Clones are the same.
#[derive(Clone)]
pub struct Crew(Arc<Shared>);

struct Shared {
    worker_id: String,
    members: Mutex<Vec<Member>>,
    numbers: AtomicU64,
    settled: AtomicU64,
    batches: AtomicU64,
    turns: AtomicU64,
    crawling: AtomicU64,
    witness: Option<Arc<dyn Witness>>,
    /// Since when work is under way that may be the process's last.
    suspect: Mutex<Option<Instant>>,
    faults: Mutex<BTreeMap<PipelineName, String>>,
}

/// One engine.
struct Member {
    number: u64,
    keeper: LeaseKeeper,
    serves: Vec<Serving>,
    discovers: Vec<SourceId>,
    /// Its partitions of queues.
    owned: HashMap<QueueName, BTreeSet<u32>>,
}

/// Is told of work that was handed out before and did not come to an end, before it begins again:
/// should the process die of it, somebody is to know. It is told on the thread that works, and is
/// not to keep it waiting.
pub trait Witness: Send + Sync {
    /// The work begins.
    fn begins(&self, job: &InHand);
    /// The process outlived it.
    fn outlived(&self, job_id: &JobId);
}

/// What one engine's workers do, for those who look on. Clones are the same.
#[derive(Clone)]
pub struct Roster {
    crew: Crew,
    number: u64,
}

/// What is in hand.
#[derive(Default)]
pub struct Hands {
    /// How many deliveries of each queue.
    pub by_queue: HashMap<QueueName, u64>,
    /// Some of the jobs, longest in hand first.
    pub jobs: Vec<InHand>,
}

/// What a process does at a moment.
pub struct Doing {
    /// What its engines serve.
    pub serves: Vec<Serving>,
    /// The sources that they look after.
    pub discovers: Vec<SourceId>,
    /// What they have in hand.
    pub hands: Hands,
    /// How many deliveries they settled.
    pub settled: u64,
    /// In how many batches.
    pub settled_batches: u64,
    /// The pipelines that do not run here though they should.
    pub faults: Vec<PipelineFault>,
}

/// Whether a process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Grows with everything that its engines do, and while they wait for something to do.
    pub turns: u64,
    /// How many deliveries and crawls they are at.
    pub in_flight: u64,
    /// How many deliveries they settled.
    pub settled: u64,
}

/// A job that should be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// The job.
    pub job_id: JobId,
    /// The stage.
    pub stage: StageId,
    /// For how long it has been worked at.
    pub seconds: u64,
}

impl Crew {
    /// Nobody works yet.
    pub fn new() -> Self {
        Self::watched_by(None)
    }

    /// The same with a witness.
    pub fn witnessed(witness: Arc<dyn Witness>) -> Self {
        Self::watched_by(Some(witness))
    }

    fn watched_by(witness: Option<Arc<dyn Witness>>) -> Self {
        let shared = Shared {
            worker_id: worker_id(&host(), std::process::id()),
            members: Mutex::default(),
            numbers: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            crawling: AtomicU64::new(0),
            witness,
            suspect: Mutex::default(),
            faults: Mutex::default(),
        };
        Self(Arc::new(shared))
    }

    /// What the process is called.
    pub fn worker_id(&self) -> &str {
        &self.0.worker_id
    }

    /// An engine joins, whose leases this keeper has.
    pub fn join(&self, keeper: LeaseKeeper) -> Roster {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let (serves, discovers, owned) = <_>::default();
        self.members().push(Member { number, keeper, serves, discovers, owned });
        Roster { crew: self.clone(), number }
    }

    /// Why a pipeline does not run here, or that it does.
    pub fn fault(&self, pipeline: &PipelineName, why: Option<String>) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => drop(faults.insert(pipeline.clone(), why)),
            None => drop(faults.remove(pipeline)),
        }
    }

    /// Somebody did something, or looked whether there is something to do.
    pub fn turn(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// What the process does.
    pub fn doing(&self) -> Doing {
        let (mut serves, mut discovers, mut hands) = (Vec::new(), Vec::new(), Hands::default());
        for member in self.members().iter() {
            let held = member.keeper.hands();
            let in_flight = |queue| held.by_queue.get(queue).copied().unwrap_or_default();
            serves.extend(member.serves.iter().map(|serving| Serving {
                in_flight: in_flight(&serving.queue),
                partitions: member.owned.get(&serving.queue).cloned().unwrap_or_default(),
                ..serving.clone()
            }));
            discovers.extend(member.discovers.iter().cloned());
            for (queue, count) in held.by_queue {
                *hands.by_queue.entry(queue).or_default() += count;
            }
            hands.jobs.extend(held.jobs);
        }
        hands.jobs.sort_by_key(|job| job.since);
        hands.jobs.truncate(JOBS_TOLD_MAX);
        let faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |(pipeline, message): (&PipelineName, &String)| PipelineFault {
            pipeline: pipeline.clone(),
            message: message.clone(),
        };
        let faults = faults.iter().map(told).collect();
        let (settled, settled_batches) =
            (self.0.settled.load(Ordering::Relaxed), self.0.batches.load(Ordering::Relaxed));
        Doing { serves, discovers, hands, settled, settled_batches, faults }
    }

    /// A job that should have been over for longer than this, and is not: its handler does not heed
    /// that its time is over.
    pub fn overdue(&self, now: Timestamp, patience: Duration) -> Option<Overdue> {
        let jobs = self.doing().hands.jobs;
        let late = |job: &InHand| job.until.is_some_and(|until| now.since(until) > patience);
        jobs.into_iter().find(late).map(|job| Overdue {
            job_id: job.job_id,
            stage: job.stage,
            seconds: now.since(job.since).as_secs(),
        })
    }

    /// Whether the process goes on.
    pub fn pulse(&self) -> Pulse {
        let held: u64 = self.members().iter().map(|member| member.keeper.count()).sum();
        Pulse {
            turns: self.0.turns.load(Ordering::Relaxed),
            in_flight: held + self.0.crawling.load(Ordering::Relaxed),
            settled: self.0.settled.load(Ordering::Relaxed),
        }
    }

    fn suspect(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.suspect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Crew({})", self.worker_id())
    }
}

impl Default for Crew {
    fn default() -> Self {
        Self::new()
    }
}

impl Roster {
    /// Of nobody whom anybody looks at.
    pub fn apart(keeper: LeaseKeeper) -> Self {
        Crew::new().join(keeper)
    }

    /// Somebody works there from now on.
    pub fn add(&self, serving: Serving) {
        self.change(|member| member.serves.push(serving));
    }

    /// Somebody looks after this source from now on.
    pub fn add_source(&self, source: SourceId) {
        self.change(|member| member.discovers.push(source));
    }

    /// What the process is called.
    pub fn worker_id(&self) -> &str {
        self.crew.worker_id()
    }

    /// These partitions of a queue are its own by now.
    pub fn own(&self, queue: &QueueName, partitions: BTreeSet<u32>) {
        self.change(|member| drop(member.owned.insert(queue.clone(), partitions)));
    }

    /// So many more were settled, in one batch.
    pub fn count_settled(&self, deliveries: usize) {
        self.crew.0.batches.fetch_add(1, Ordering::Relaxed);
        self.crew.0.settled.fetch_add(deliveries as u64, Ordering::Relaxed);
    }

    /// Somebody did something, or looked whether there is something to do.
    pub fn turn(&self) {
        self.crew.turn();
    }

    /// Somebody crawls, for as long as the answer lives.
    pub fn crawling(&self) -> Crawling {
        self.crew.0.crawling.fetch_add(1, Ordering::Relaxed);
        Crawling(self.crew.clone())
    }

    /// Whether a supervisor looks how this process ends.
    pub fn is_supervised(&self) -> bool {
        self.crew.0.witness.is_some()
    }

    /// Work begins that did not come to an end before. What is given is to be dropped when it has.
    /// Where a supervisor restarts this process, such jobs begin one after the other, so that one
    /// that crashes it takes no other one with it that was taken along before.
    pub fn begins_again(&self, job: &InHand) -> Result<Option<Witnessed>, Busy> {
        let Some(witness) = self.crew.0.witness.clone() else { return Ok(None) };
        let mut suspect = self.crew.suspect();
        if suspect.is_some_and(|since| since.elapsed() < SUSPECT_FOR) {
            return Err(Busy);
        }
        let since = Instant::now();
        *suspect = Some(since);
        drop(suspect);
        witness.begins(job);
        let (crew, job_id) = (self.crew.clone(), job.job_id.clone());
        Ok(Some(Witnessed { crew, since, witness, job_id }))
    }

    /// The engine has ended.
    pub fn leave(&self) {
        self.crew.members().retain(|member| member.number != self.number);
    }

    fn change(&self, change: impl FnOnce(&mut Member)) {
        let mut members = self.crew.members();
        if let Some(member) = members.iter_mut().find(|member| member.number == self.number) {
            change(member);
        }
    }
}

/// Work is under way already that may be the process's last.
#[derive(Debug)]
pub struct Busy;

/// That work is under way of which somebody was told.
pub struct Witnessed {
    crew: Crew,
    since: Instant,
    witness: Arc<dyn Witness>,
    job_id: JobId,
}

impl Drop for Witnessed {
    fn drop(&mut self) {
        self.witness.outlived(&self.job_id);
        let mut suspect = self.crew.suspect();
        if *suspect == Some(self.since) {
            *suspect = None;
        }
    }
}

/// That somebody crawls.
pub struct Crawling(Crew);

impl Drop for Crawling {
    fn drop(&mut self) {
        self.0.0.crawling.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A name that no other process has: of the host, of the process, and a random part, as processes
/// of different containers may be called the same.
pub fn worker_id(host: &str, pid: u32) -> String {
    let random = time_ordered();
    let random = &random[random.len().saturating_sub(6)..];
    // Hosts' names are short; keys of records are bounded.
    let host: String = host.chars().take(100).collect();
    format!("{host}-{pid}-{random}")
}
