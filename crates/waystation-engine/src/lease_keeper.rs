//! Renews the leases of everything that runs.
//!
//! It has a thread and a runtime of its own, so that no handler, however long it hogs its own
//! thread, can keep a lease from being renewed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use waystation_core::id::JobId;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{
    Bus, Error, Extended, Ledger, Queue, SETTLE_MAX, Signal, Subscription,
};
use waystation_core::settlement::Lease;

use crate::control::{Hands, JOBS_TOLD_MAX};
use crate::stop::{Cause, Stop};

/// Keeps leases. Clones share what is kept.
#[derive(Clone)]
pub struct LeaseKeeper {
    held: Arc<Mutex<HashMap<Lease, Held>>>,
    wanted: Arc<Mutex<HashMap<JobId, Wanted>>>,
    lease: Duration,
}

/// An abort that was announced. With a broker the job may be met only later.
struct Wanted {
    reason: String,
    heard_at: Instant,
}

/// How long an announced abort is remembered. Those that are still wanted are announced again.
const WANTED_FOR: Duration = Duration::from_mins(1);
/// The most that are remembered.
const WANTED_MAX: usize = 10_000;

struct Held {
    stop: Arc<Stop>,
    extended_at: Instant,
}

/// The keeper's thread. Ends when dropped.
pub struct Keeping {
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl LeaseKeeper {
    /// Keeps leases of this length, nothing yet.
    pub fn new(lease: Duration) -> Self {
        Self { held: Arc::default(), wanted: Arc::default(), lease }
    }

    /// Starts the thread that renews.
    pub fn start(&self, queue: Arc<dyn Queue>, bus: &dyn Bus) -> std::io::Result<Keeping> {
        let keeper = self.clone();
        // Before the thread runs, which may take its time: an abort that is announced meanwhile
        // would be met only when leases are renewed.
        let signals = bus.subscribe();
        let end = CancellationToken::new();
        let ended = end.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread =
            std::thread::Builder::new().name("waystation-leases".into()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = keeper.keep(&*queue, signals) => {}
                        () = ended.cancelled() => {}
                    }
                });
            })?;
        Ok(Keeping { end, thread: Some(thread) })
    }

    /// Takes leases into keeping.
    pub fn hold<'a>(&self, leases: impl Iterator<Item = (&'a Lease, Arc<Stop>)>) {
        let extended_at = Instant::now();
        let mut held = self.held();
        for (lease, stop) in leases {
            held.insert(lease.clone(), Held { stop, extended_at });
        }
    }

    /// Lets leases go.
    pub fn release<'a>(&self, leases: impl Iterator<Item = &'a Lease>) {
        let mut held = self.held();
        for lease in leases {
            held.remove(lease);
        }
    }

    /// Lets all leases go, and tells which they were.
    pub fn release_all(&self) -> Vec<Lease> {
        std::mem::take(&mut *self.held()).into_keys().collect()
    }

    /// How many leases are held.
    pub fn count(&self) -> u64 {
        self.held().len() as u64
    }

    /// What is held, to be told to those who look on.
    pub fn hands(&self) -> Hands {
        let mut hands = Hands::default();
        let held = self.held();
        for lease in held.keys() {
            *hands.by_queue.entry(lease.queue.clone()).or_default() += 1;
        }
        let jobs = held.values().filter_map(|held| held.stop.in_hand.get());
        hands.jobs = jobs.cloned().collect();
        drop(held);
        hands.jobs.sort_by_key(|job| job.since);
        hands.jobs.truncate(JOBS_TOLD_MAX);
        hands
    }

    /// Tells everything that runs to stop.
    pub fn stop_all(&self, cause: &Cause) {
        for held in self.held().values() {
            held.stop.stop(cause.clone());
        }
    }

    async fn keep(&self, queue: &dyn Queue, mut signals: Subscription) {
        let mut tick = tokio::time::interval(self.lease / 4);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut listening = true;
        loop {
            tokio::select! {
                _ = tick.tick() => self.extend_due(queue).await,
                signal = signals.next(), if listening => match signal {
                    Some(Signal::Abort { job_id, reason }) => self.abort(&job_id, &reason),
                    Some(_) => {}
                    None => listening = false,
                }
            }
        }
    }

    /// Extends every lease that was not only just taken: each is renewed at three eighths of its
    /// length at the latest, and two more ticks are left when that fails.
    async fn extend_due(&self, queue: &dyn Queue) {
        let now = Instant::now();
        let due: Vec<Lease> = self
            .held()
            .iter()
            .filter(|(_, held)| now.duration_since(held.extended_at) >= self.lease / 8)
            .map(|(lease, _)| lease.clone())
            .collect();
        for leases in due.chunks(SETTLE_MAX) {
            match queue.extend(leases.to_vec(), self.lease).await {
                Ok(answers) => self.note(leases, &answers, now),
                // They last for two more ticks: time enough to try again.
                Err(error) => {
                    tracing::warn!(%error, leases = leases.len(), "leases could not be renewed");
                }
            }
        }
    }

    fn note(&self, leases: &[Lease], answers: &[Extended], now: Instant) {
        let mut all = self.held();
        for (lease, answer) in leases.iter().zip(answers) {
            // Settled in the meantime: nothing is lost.
            let Some(held) = all.get_mut(lease) else { continue };
            match answer {
                Extended::Held => held.extended_at = now,
                Extended::AbortRequested { reason } => {
                    held.extended_at = now;
                    held.stop.stop(Cause::Abort(reason.clone()));
                }
                Extended::Lost => {
                    let (queue, delivery) = (&lease.queue, lease.delivery_id);
                    tracing::warn!(%queue, delivery, "lease lost");
                    held.stop.stop(Cause::LeaseLost);
                }
            }
        }
    }

    /// Why somebody wants this job aborted, if that was announced, and how long ago it was so last.
    pub fn wanted_abort(&self, job_id: &JobId) -> Option<(String, Duration)> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.get(job_id).map(|wanted| (wanted.reason.clone(), wanted.heard_at.elapsed()))
    }

    /// Remembers that somebody wants this job aborted, whoever will run it.
    pub fn remember(&self, job_id: &JobId, reason: &str) {
        let heard_at = Instant::now();
        let mut all = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, wanted| heard_at.duration_since(wanted.heard_at) < WANTED_FOR);
        if all.len() < WANTED_MAX {
            all.insert(job_id.clone(), Wanted { reason: reason.to_owned(), heard_at });
        }
    }

    /// Remembers all aborts that are wanted by now.
    pub async fn remember_all(&self, ledger: &dyn Ledger) -> Result<(), Error> {
        let mut after = None;
        loop {
            let marks = ledger.abort_marks(after.as_ref(), PAGE_MAX).await?;
            for (job_id, reason) in &marks {
                self.remember(job_id, reason);
            }
            let Some((last, _)) = marks.into_iter().next_back() else { return Ok(()) };
            after = Some(last);
        }
    }

    fn abort(&self, job_id: &JobId, reason: &str) {
        self.remember(job_id, reason);
        for held in self.held().values() {
            if held.stop.job_id.get() == Some(job_id) {
                held.stop.stop(Cause::Abort(reason.to_owned()));
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Lease, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
