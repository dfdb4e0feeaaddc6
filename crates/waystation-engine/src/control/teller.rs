//! Tells the others of this process for as long as it works.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::id::{QueueName, time_ordered};

use super::presence::{
    InHand, PRESENCE_INTERVAL, Serving, WorkerKind, WorkerPresence, forget_presence,
    remember_presence,
};
use super::process::{Usage, host};
use crate::backend::Backend;
use crate::lease_keeper::LeaseKeeper;

/// How long telling may take.
const TELL_MAX: Duration = Duration::from_secs(3);

/// What the workers of a process do. Clones are the same.
#[derive(Clone, Default)]
pub struct Roster {
    serves: Arc<Mutex<Vec<Serving>>>,
    settled: Arc<AtomicU64>,
}

/// What one process has in hand.
#[derive(Default)]
pub struct Hands {
    /// How many deliveries of each queue.
    pub by_queue: HashMap<QueueName, u64>,
    /// Some of the jobs, longest in hand first.
    pub jobs: Vec<InHand>,
}

/// Tells of one process.
pub struct Teller {
    /// Where.
    pub backend: Backend,
    /// What its workers do.
    pub roster: Roster,
    /// What they have in hand.
    pub keeper: LeaseKeeper,
    /// Cancelled when they receive nothing more.
    pub drain: CancellationToken,
    /// Cancelled when they have ended.
    pub ended: CancellationToken,
}

impl Roster {
    /// Somebody works there from now on.
    pub fn add(&self, serving: Serving) {
        self.serves.lock().unwrap_or_else(PoisonError::into_inner).push(serving);
    }

    /// So many more were settled.
    pub fn count_settled(&self, deliveries: usize) {
        self.settled.fetch_add(deliveries as u64, Ordering::Relaxed);
    }

    fn serves(&self, hands: &Hands) -> Vec<Serving> {
        let mut serves = self.serves.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for serving in &mut serves {
            serving.in_flight = hands.by_queue.get(&serving.queue).copied().unwrap_or_default();
        }
        serves
    }
}

impl Teller {
    /// Tells until all has ended, and that it has.
    pub async fn run(self) {
        let mut said = self.first();
        let mut interval = tokio::time::interval(PRESENCE_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.ended.cancelled() => break,
                () = self.drain.cancelled(), if !said.draining => {}
                _ = interval.tick() => {}
            }
            self.look(&mut said);
            let telling = remember_presence(&self.backend, &said);
            if !matches!(tokio::time::timeout(TELL_MAX, telling).await, Ok(Ok(()))) {
                tracing::debug!(worker = said.worker_id, "that this process works is not told");
            }
        }
        let forgetting = forget_presence(&self.backend, &said.worker_id);
        let _ = tokio::time::timeout(TELL_MAX, forgetting).await;
    }

    fn first(&self) -> WorkerPresence {
        let (host, pid, now) = (host(), std::process::id(), self.backend.clock.now());
        WorkerPresence {
            worker_id: worker_id(&host, pid),
            kind: WorkerKind::Engine,
            host,
            pid: Some(pid),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            told_at: now,
            draining: false,
            serves: Vec::new(),
            in_flight: 0,
            jobs: Vec::new(),
            memory_bytes: None,
            cpu_seconds: None,
            settled: 0,
            settled_lately: 0,
            interval_ms: 0,
        }
    }

    /// How it stands now.
    fn look(&self, said: &mut WorkerPresence) {
        let (hands, usage) = (self.keeper.hands(), Usage::now());
        let (before, now): (Timestamp, _) = (said.told_at, self.backend.clock.now());
        let settled = self.roster.settled.load(Ordering::Relaxed);
        said.draining = self.drain.is_cancelled();
        said.serves = self.roster.serves(&hands);
        said.in_flight = hands.by_queue.values().sum();
        said.jobs = hands.jobs;
        (said.memory_bytes, said.cpu_seconds) = (usage.memory_bytes, usage.cpu_seconds);
        said.settled_lately = settled - said.settled;
        said.settled = settled;
        said.interval_ms = u64::try_from(now.since(before).as_millis()).unwrap_or_default();
        said.told_at = now;
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
