//! One crawl: discover, submit with the checkpoint, batch by batch.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use waystation_core::job::Checkpoint;
use waystation_core::port::Error;
use waystation_core::settlement::{NewJob, Submitted};
use waystation_core::source::{BATCH_MAX, Discovery, Item, Letter, Source};

use super::item;
use super::kept::{self, Crawl, CrawlState, Tally};
use super::letters::Letters;
use super::worker::Ended;
use crate::backend::Backend;
use crate::control::locks::Lock;
use crate::definition::Definition;
use crate::lanes;

/// The wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often is looked whether there is room for what was found.
const ROOM_PAUSE: Duration = Duration::from_millis(200);
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
    /// Whether it is to end: it looks no further then, but what it has found becomes jobs.
    pub drain: &'a CancellationToken,
    /// What is known of it.
    pub crawl: Mutex<Crawl>,
}

impl Crawling<'_> {
    /// Looks at everything there is behind this checkpoint. Tells whether it came to its end.
    pub async fn run(&self, from: Option<Value>) -> Result<CrawlState, Ended> {
        let mut checkpoint = from;
        let mut told = Instant::now();
        loop {
            let found = tokio::select! {
                found = self.source.discover(checkpoint.clone()) => found.map_err(Ended::Source)?,
                () = self.drain.cancelled() => return Ok(CrawlState::Interrupted),
            };
            let more = found.more;
            checkpoint = found.checkpoint.clone().or(checkpoint);
            self.submit(found).await?;
            self.note(|crawl| crawl.to.clone_from(&checkpoint));
            if !more {
                return Ok(CrawlState::Completed);
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
        let count = found.items.len() + found.letters.len();
        let mut tally = Tally { found: count as u64, ..Tally::default() };
        for fault in found.faults {
            tally.fault(fault.what, fault.message);
        }
        let key = self.known().source.key();
        let mut letters = found.letters;
        let mut planned = self.plan(found.items, &mut letters, &mut tally).into_iter().peekable();
        let mut stored = Vec::new();
        let mut first = found.checkpoint.is_some();
        while std::mem::take(&mut first) || planned.peek().is_some() {
            let batch: Vec<Planned> = planned.by_ref().take(BATCH_MAX).collect();
            // The checkpoint covers all of them, so that it goes with the last ones.
            let value = found.checkpoint.clone().filter(|_| planned.peek().is_none());
            stored.extend(self.submit_batch(&key, batch, value, &mut tally).await?);
        }
        self.bury(letters, &mut stored, &mut tally).await;
        self.note(|crawl| crawl.tally.add(tally));
        if self.source.takes() && !stored.is_empty() {
            // They are found again, and known.
            if let Err(failure) = self.source.stored(&stored).await {
                tracing::warn!(source = key, %failure, "stored items are not acknowledged");
            }
        }
        Ok(())
    }

    /// The jobs of items. One that can become none stops no other: it is for the dead letters where
    /// its source would not find it again, and told of otherwise.
    fn plan(&self, items: Vec<Item>, letters: &mut Vec<Letter>, tally: &mut Tally) -> Vec<Planned> {
        let Crawl { id: crawl_id, source, .. } = self.known();
        let again = self.again.then_some(crawl_id.as_str());
        let mut planned = Vec::with_capacity(items.len());
        for item in items {
            let (item_id, kept) = (item.id.clone(), self.source.takes().then(|| item.clone()));
            match item::plan(self.backend, self.definition, &source.stage, item, again) {
                Ok(job) => planned.push(Planned { item_id, job }),
                Err(failure) => match kept {
                    Some(item) => letters.push(Letter { item, failure }),
                    None => tally.fault(item_id, failure.to_string()),
                },
            }
        }
        planned
    }

    /// Submits jobs for as long as the store is away, and tells which items are jobs now. One that
    /// the store does not take is told of and left, and stops no other.
    async fn submit_batch(
        &self,
        key: &str,
        mut planned: Vec<Planned>,
        checkpoint: Option<Value>,
        tally: &mut Tally,
    ) -> Result<Vec<String>, Ended> {
        self.await_room(key, &planned).await?;
        loop {
            let held = self.lock.held().await;
            let checkpoint = checkpoint
                .clone()
                .map(|value| Checkpoint { held: Some(held.get()), ..Checkpoint::new(key, value) });
            let jobs = planned.iter().map(|one| one.job.clone()).collect();
            let answer = self.backend.queue.submit(jobs, checkpoint).await;
            drop(held);
            match answer {
                Ok(submitted) => {
                    tally.new += submitted.iter().filter(|one| one.is_new()).count() as u64;
                    let known = |one: &&Submitted| !one.is_new();
                    tally.skipped += submitted.iter().filter(known).count() as u64;
                    return Ok(planned.into_iter().map(|one| one.item_id).collect());
                }
                Err(Error::Fenced { .. }) => return Err(Ended::Fenced),
                Err(error) if error.retryable() && !self.drain.is_cancelled() => {
                    self.wait_for_store(key, &error).await;
                }
                Err(Error::TooLarge { job_id, bytes, bytes_max }) => {
                    let place = planned.iter().position(|one| one.job.job_id.as_str() == job_id);
                    let Some(place) = place else {
                        return Err(Ended::Store(Error::TooLarge { job_id, bytes, bytes_max }));
                    };
                    let item = planned.remove(place).item_id;
                    let message = format!("{bytes} bytes, more than the {bytes_max} allowed");
                    tracing::error!(source = key, item, bytes, bytes_max, "item is too large");
                    tally.fault(item, message);
                }
                Err(error) => return Err(Ended::Store(error)),
            }
        }
    }

    /// Waits for room where these jobs start. Whoever is to end has what was found become jobs
    /// without.
    async fn await_room(&self, key: &str, planned: &[Planned]) -> Result<(), Ended> {
        let mut is_told = false;
        while !self.drain.is_cancelled() {
            let jobs = planned.iter().map(|one| &one.job);
            match lanes::look(self.backend, self.definition.graph(), jobs).await {
                Ok(None) => return Ok(()),
                Ok(Some(full)) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::info!(source = key, %full, "found items wait");
                    }
                    let _ = self.drain.run_until_cancelled(tokio::time::sleep(ROOM_PAUSE)).await;
                }
                Err(error) if error.retryable() => self.wait_for_store(key, &error).await,
                Err(error) => return Err(Ended::Store(error)),
            }
        }
        Ok(())
    }

    /// Lays letters with the dead letters, for as long as the store is away.
    async fn bury(&self, letters: Vec<Letter>, stored: &mut Vec<String>, tally: &mut Tally) {
        let Crawl { source, .. } = self.known();
        let (backend, graph) = (self.backend, self.definition.graph());
        let place = Letters { backend, graph, source: &source.stage };
        for letter in letters {
            loop {
                match place.bury(&letter).await {
                    Ok(()) => {
                        stored.push(letter.item.id.clone());
                        tally.fault(letter.item.id, letter.failure.to_string());
                        break;
                    }
                    Err(error) if error.retryable() && !self.drain.is_cancelled() => {
                        self.wait_for_store(&source.key(), &error).await;
                    }
                    // It stays where it came from.
                    Err(error) => {
                        let message = format!("{}; no dead letter: {error}", letter.failure);
                        tally.fault(letter.item.id, message);
                        break;
                    }
                }
            }
        }
    }

    async fn wait_for_store(&self, key: &str, error: &Error) {
        tracing::warn!(source = key, %error, "found items not stored, trying on");
        let _ = self.drain.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// An item and the job that it becomes.
struct Planned {
    item_id: String,
    job: NewJob,
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
