//! The remote workers that ask this server for work.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;

use super::claims::Slot;
use super::posts::Post;
use crate::control::{
    InHand, JOBS_TOLD_MAX, PRESENCE_LASTS, Serving, WorkerKind, WorkerPresence, host, worker_id,
};

/// The most that are told of.
const CALLERS_MAX: usize = 1_000;

/// The remote workers that ask this server for work.
pub struct Callers {
    host: String,
    /// This server.
    server: String,
    known: Mutex<HashMap<String, Caller>>,
}

struct Caller {
    first_at: Timestamp,
    last_at: Timestamp,
    told_at: Timestamp,
    posts: BTreeMap<QueueName, Arc<Post>>,
    settled: u64,
    settled_before: u64,
}

impl Callers {
    /// None yet.
    pub fn new() -> Self {
        let host = host();
        let server = worker_id(&host, std::process::id());
        Self { host, server, known: Mutex::default() }
    }

    /// One asks for work at these stages.
    pub fn asked(&self, worker: &str, posts: &[Arc<Post>], now: Timestamp) {
        let mut known = self.known();
        if known.len() >= CALLERS_MAX && !known.contains_key(worker) {
            return;
        }
        let caller = known.entry(worker.to_owned()).or_insert_with(|| Caller {
            first_at: now,
            last_at: now,
            told_at: now,
            posts: BTreeMap::new(),
            settled: 0,
            settled_before: 0,
        });
        caller.last_at = now;
        for post in posts {
            caller.posts.insert(post.queue.clone(), Arc::clone(post));
        }
    }

    /// One said something of its claims.
    pub fn heard(&self, worker: &str, now: Timestamp) {
        if let Some(caller) = self.known().get_mut(worker) {
            caller.last_at = now;
        }
    }

    /// A claim of one has ended.
    pub fn settled(&self, worker: &str) {
        if let Some(caller) = self.known().get_mut(worker) {
            caller.settled += 1;
        }
    }

    /// Those that were heard of lately, with what they have in hand. The others are forgotten.
    pub fn tell(&self, slots: &[Arc<Slot>], now: Timestamp) -> Vec<WorkerPresence> {
        let mut in_hand: HashMap<&str, Vec<&Slot>> = HashMap::new();
        for slot in slots {
            in_hand.entry(&slot.token.worker).or_default().push(slot);
        }
        let mut known = self.known();
        known.retain(|_, caller| now.since(caller.last_at) < PRESENCE_LASTS);
        let told = known.iter_mut().map(|(name, caller)| {
            let slots = in_hand.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            self.presence(name, caller, slots, now)
        });
        told.collect()
    }

    fn presence(
        &self,
        name: &str,
        caller: &mut Caller,
        slots: &[&Slot],
        now: Timestamp,
    ) -> WorkerPresence {
        let lately = caller.settled - std::mem::replace(&mut caller.settled_before, caller.settled);
        let interval: Duration = now.since(std::mem::replace(&mut caller.told_at, now));
        let of_queue = |queue: &QueueName| {
            slots.iter().filter(|slot| slot.token.queue == *queue).count() as u64
        };
        let serves = caller.posts.values().map(|post| Serving {
            pipeline: post.pipeline.clone(),
            stage: post.stage.clone(),
            queue: post.queue.clone(),
            concurrency: None,
            in_flight: of_queue(&post.queue),
            partitions: <_>::default(),
        });
        let jobs = slots.iter().map(|slot| InHand {
            job_id: slot.token.job_id.clone(),
            stage: slot.token.stage.clone(),
            attempt: slot.token.attempt,
            since: slot.token.started_at,
            until: None,
        });
        let mut jobs: Vec<_> = jobs.collect();
        jobs.sort_by_key(|job| job.since);
        jobs.truncate(JOBS_TOLD_MAX);
        WorkerPresence {
            discovers: Vec::new(),
            faults: Vec::new(),
            worker_id: format!("{name}@{}", self.server),
            kind: WorkerKind::Remote,
            host: self.host.clone(),
            pid: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: caller.first_at,
            told_at: now,
            draining: false,
            serves: serves.collect(),
            in_flight: slots.len() as u64,
            jobs,
            memory_bytes: None,
            cpu_seconds: None,
            settled: caller.settled,
            settled_batches: caller.settled,
            settled_lately: lately,
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or_default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Caller>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
