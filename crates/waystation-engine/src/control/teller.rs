//! Tells the others of this process for as long as it works.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;

use super::crew::Crew;
use super::presence::{
    PRESENCE_INTERVAL, WorkerKind, WorkerPresence, forget_presence, remember_presence,
};
use super::process::{Usage, host};
use crate::backend::Backend;

/// How long telling may take.
const TELL_MAX: Duration = Duration::from_secs(3);

/// Tells of one process.
pub struct Teller {
    /// Where.
    pub backend: Backend,
    /// What its engines do.
    pub crew: Crew,
    /// Cancelled when they receive nothing more.
    pub drain: CancellationToken,
    /// Cancelled when they have ended.
    pub ended: CancellationToken,
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
        let now = self.backend.clock.now();
        WorkerPresence {
            worker_id: self.crew.worker_id().to_owned(),
            kind: WorkerKind::Engine,
            host: host(),
            pid: Some(std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            told_at: now,
            draining: false,
            serves: Vec::new(),
            discovers: Vec::new(),
            faults: Vec::new(),
            in_flight: 0,
            jobs: Vec::new(),
            memory_bytes: None,
            cpu_seconds: None,
            settled: 0,
            settled_batches: 0,
            settled_lately: 0,
            interval_ms: 0,
        }
    }

    /// How it stands now.
    fn look(&self, said: &mut WorkerPresence) {
        let (doing, usage) = (self.crew.doing(), Usage::now());
        let (before, now): (Timestamp, _) = (said.told_at, self.backend.clock.now());
        said.draining = self.drain.is_cancelled();
        said.serves = doing.serves;
        said.discovers = doing.discovers;
        said.faults = doing.faults;
        said.in_flight = doing.hands.by_queue.values().sum();
        said.jobs = doing.hands.jobs;
        (said.memory_bytes, said.cpu_seconds) = (usage.memory_bytes, usage.cpu_seconds);
        said.settled_lately = doing.settled - said.settled;
        said.settled = doing.settled;
        said.settled_batches = doing.settled_batches;
        said.interval_ms = u64::try_from(now.since(before).as_millis()).unwrap_or_default();
        said.told_at = now;
    }
}
