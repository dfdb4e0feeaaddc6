//! One crawl: discover, submit with the checkpoint, batch by batch.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use waystation_core::job::Checkpoint;
use waystation_core::port::Error;
use waystation_core::settlement::{NewJob, Submitted};
use waystation_core::source::{BATCH_MAX, Discovery, Source};

use super::item;
use super::kept::{self, Crawl, Tally};
use super::worker::Ended;
use crate::backend::Backend;
use crate::control::locks::Lock;
use crate::definition::Definition;

/// The wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what a crawl has found is written down while it looks.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// A crawl under way. What it found until it was dropped stays to be read.
pub struct Crawling<'a> {
    /// Where jobs go.
    pub backend: &'a Backend,
    /// The pipeline.
    pub definition: &'a Definition,
    /// The code that looks.
    pub source: &'a dyn Source,
    /// Under this lock.
    pub lock: &'a Lock,
    /// Whether items that are jobs already become jobs again.
    pub again: bool,
    /// What is known of it.
    pub crawl: Mutex<Crawl>,
}

impl Crawling<'_> {
    /// Looks at everything there is behind this checkpoint.
    pub async fn run(&self, from: Option<Value>) -> Result<(), Ended> {
        let mut checkpoint = from;
        let mut told = Instant::now();
        loop {
            let found = self.source.discover(checkpoint.clone()).await.map_err(Ended::Source)?;
            let more = found.more;
            checkpoint = found.checkpoint.clone().or(checkpoint);
            self.submit(found).await?;
            self.note(|crawl| crawl.to.clone_from(&checkpoint));
            if !more {
                return Ok(());
            }
            if told.elapsed() >= TELL_INTERVAL {
                told = Instant::now();
                self.tell().await;
            }
        }
    }

    /// What is known of it by now.
    pub fn known(&self) -> Crawl {
        self.crawl.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes what is known of it.
    pub fn note(&self, change: impl FnOnce(&mut Crawl)) {
        change(&mut self.crawl.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    async fn tell(&self) {
        if let Err(error) = kept::put_crawl(&*self.backend.records, &self.known()).await {
            tracing::debug!(%error, "what a crawl has found is not told");
        }
    }

    async fn submit(&self, found: Discovery) -> Result<(), Ended> {
        let mut tally = Tally { found: found.items.len() as u64, ..Tally::default() };
        for fault in found.faults {
            tally.fault(fault.what, fault.message);
        }
        let Crawl { id, source, .. } = self.known();
        let again = self.again.then_some(id.as_str());
        let mut jobs = Vec::with_capacity(found.items.len());
        for item in found.items {
            let id = item.id.clone();
            match item::plan(self.backend, self.definition, &source.stage, item, again) {
                Ok(job) => jobs.push(job),
                // It stops no other item.
                Err(failure) => tally.fault(id, failure.to_string()),
            }
        }
        let mut jobs = jobs.into_iter().peekable();
        let mut first = found.checkpoint.is_some();
        while std::mem::take(&mut first) || jobs.peek().is_some() {
            let batch: Vec<NewJob> = jobs.by_ref().take(BATCH_MAX).collect();
            // The checkpoint covers all of them, so that it goes with the last ones.
            let value = found.checkpoint.clone().filter(|_| jobs.peek().is_none());
            let batch_tally = self.submit_batch(&source.key(), batch, value).await?;
            tally.new += batch_tally.new;
            tally.skipped += batch_tally.skipped;
            for fault in batch_tally.faults {
                tally.fault(fault.item, fault.message);
            }
        }
        self.note(|crawl| crawl.tally.add(tally));
        Ok(())
    }

    /// Submits jobs for as long as the store is away. An item that the store does not take is told
    /// of and left, and stops no other.
    async fn submit_batch(
        &self,
        key: &str,
        mut jobs: Vec<NewJob>,
        checkpoint: Option<Value>,
    ) -> Result<Tally, Ended> {
        let mut tally = Tally::default();
        loop {
            let held = self.lock.held().await;
            let checkpoint = checkpoint
                .clone()
                .map(|value| Checkpoint { held: Some(held.get()), ..Checkpoint::new(key, value) });
            let answer = self.backend.queue.submit(jobs.clone(), checkpoint).await;
            drop(held);
            match answer {
                Ok(submitted) => {
                    tally.new += submitted.iter().filter(|one| one.is_new()).count() as u64;
                    let known = |one: &&Submitted| !one.is_new();
                    tally.skipped += submitted.iter().filter(known).count() as u64;
                    return Ok(tally);
                }
                Err(Error::Fenced { .. }) => return Err(Ended::Fenced),
                Err(error) if error.retryable() => {
                    tracing::warn!(source = key, %error, "found items not stored, trying on");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Error::TooLarge { job_id, bytes, bytes_max }) => {
                    let place = jobs.iter().position(|job| job.job_id.as_str() == job_id);
                    let Some(place) = place else {
                        return Err(Ended::Store(Error::TooLarge { job_id, bytes, bytes_max }));
                    };
                    let item = jobs.remove(place).dedupe.map_or(job_id, |dedupe| dedupe.key);
                    let message = format!("{bytes} bytes, more than the {bytes_max} allowed");
                    tracing::error!(source = key, item, bytes, bytes_max, "item is too large");
                    tally.fault(item, message);
                }
                Err(error) => return Err(Ended::Store(error)),
            }
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.found += other.found;
        self.new += other.new;
        self.skipped += other.skipped;
        let told = other.faults.len() as u64;
        for fault in other.faults {
            self.fault(fault.item, fault.message);
        }
        self.failed += other.failed - told;
    }
}
