//! Brings the journal into the ledger, and reminds workers of the aborts that are wanted.
//!
//! A job is passed on a moment before the journal is told of it. A foreign stage that is quick may
//! tell earlier: its post is *early* then, and looked at again until the other one is there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::id::JobId;
use waystation_core::journal::{self, Change, Entry};
use waystation_core::port::{Bus, Error, POSTS_MAX, Post, SETTLE_MAX, Signal};

use super::Books;
use super::foreign::{self, Resolved};
use crate::definition::{Definition, Registry};

/// How long one read waits; posts end it early.
const READ_WAIT: Duration = Duration::from_secs(5);
/// How long the last posts are waited for when an engine ends.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// The wait after the ledger could not be used: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long an early post is left to be followed by what it builds on, and how often is looked.
const EARLY_MAX: Duration = Duration::from_secs(1);
const EARLY_LOOK: Duration = Duration::from_millis(20);
/// How often the aborts that are wanted are announced: a job that nobody ran when it was aborted
/// is met by a worker some time later.
const REMIND: Duration = Duration::from_secs(2);
/// The most aborts of one announcement.
const REMINDED_MAX: usize = 1_000;

/// Reads the journal.
pub struct Tracker {
    /// From the journal to the ledger.
    pub books: Books,
    /// Where aborts are announced.
    pub bus: Arc<dyn Bus>,
    /// Tells the time where an event does not.
    pub clock: Arc<dyn Clock>,
    /// The pipeline that runs here: foreign stages do not say which one is theirs.
    pub definition: Arc<Definition>,
    /// The others.
    pub registry: Registry,
    /// Cancelled when it is to end, once the journal is empty.
    pub finish: CancellationToken,
    /// Posts that were early when they were looked at last, in their order.
    pub early: Vec<Held>,
}

/// A post that is early, and until when it may be.
pub struct Held {
    post: Post,
    until: Instant,
}

impl Tracker {
    /// Tracks until it is to end, or until the ledger is gone for good.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut remind = tokio::time::interval(REMIND);
        remind.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let last = self.finish.is_cancelled();
            let wait = match (last, self.early.is_empty()) {
                (true, _) => LAST_WAIT,
                (false, true) => READ_WAIT,
                (false, false) => EARLY_LOOK,
            };
            let posts = tokio::select! {
                posts = self.books.journal.read(POSTS_MAX, wait) => posts,
                () = self.finish.cancelled(), if !last => continue,
                _ = remind.tick() => {
                    self.remind().await;
                    continue;
                }
            };
            let tracked = match posts {
                Ok(posts) if posts.is_empty() && last => return Ok(()),
                Ok(posts) => self.track(posts).await,
                Err(error) => Err(error),
            };
            if let Err(error) = tracked {
                if !error.retryable() {
                    return Err(error);
                }
                tracing::warn!(%error, "journal is not tracked, trying on");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Applies posts, and is done with those that were not early.
    async fn track(&mut self, posts: Vec<Post>) -> Result<(), Error> {
        let now = Instant::now();
        let held = std::mem::take(&mut self.early);
        let fresh = posts.into_iter().map(|post| Held { post, until: now + EARLY_MAX });
        let mut done = Vec::new();
        let mut pending: Vec<Entry> = Vec::new();
        // What follows an early post of a job waits with it.
        let mut waiting: HashSet<JobId> = HashSet::new();
        for Held { post, until } in held.into_iter().chain(fresh) {
            let entries = match journal::decode(&post.body, self.clock.now()) {
                Ok(entries) => entries,
                Err(error) => {
                    self.refuse(&post, &error.to_string()).await?;
                    continue;
                }
            };
            let follows = entries.iter().any(|one| !is_whole(one) && waiting.contains(&one.job_id));
            if follows && now < until {
                self.early.push(Held { post, until });
                continue;
            }
            match self.resolve(entries, &mut pending, until).await? {
                Told::Whole(mut entries) => {
                    pending.append(&mut entries);
                    done.push(post.receipt);
                }
                Told::Early(job_id) => {
                    waiting.insert(job_id);
                    self.early.push(Held { post, until });
                }
                Told::Stray(why) => self.refuse(&post, &why).await?,
            }
            if pending.len() >= SETTLE_MAX {
                self.project(&mut pending).await?;
            }
        }
        self.project(&mut pending).await?;
        self.books.journal.done(&done).await
    }

    /// The entries of a post with everything that foreign stages leave out. One that is early is
    /// taken as it is from this moment on.
    async fn resolve(
        &self,
        entries: Vec<Entry>,
        pending: &mut Vec<Entry>,
        until: Instant,
    ) -> Result<Told, Error> {
        let mut resolved = Vec::with_capacity(entries.len());
        for entry in entries {
            if is_whole(&entry) {
                resolved.push(entry);
                continue;
            }
            // What follows from it follows from where the job is by now.
            pending.append(&mut resolved);
            self.project(pending).await?;
            match self.complete(entry).await? {
                Resolved::Early(entry) if Instant::now() < until => {
                    return Ok(Told::Early(entry.job_id));
                }
                Resolved::Whole(entry) | Resolved::Early(entry) => resolved.push(entry),
                Resolved::Stray(why) => return Ok(Told::Stray(why)),
            }
        }
        Ok(Told::Whole(resolved))
    }

    /// Finds out what an entry leaves out, however long that takes: the journal waits.
    async fn complete(&self, entry: Entry) -> Result<Resolved, Error> {
        let (ledger, registry) = (&*self.books.ledger, &self.registry);
        let mut pause = PAUSE;
        loop {
            match foreign::resolve(entry.clone(), ledger, &self.definition, registry).await {
                Err(error) if error.retryable() => {
                    tracing::warn!(job = %entry.job_id, %error, "not looked up, trying on");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                resolved => return resolved,
            }
        }
    }

    /// Writes entries to the ledger, however long that takes: the journal waits.
    async fn project(&self, pending: &mut Vec<Entry>) -> Result<(), Error> {
        let mut pause = PAUSE;
        while !pending.is_empty() {
            let rest = pending.split_off(pending.len().min(SETTLE_MAX));
            let batch: Arc<[Entry]> = std::mem::replace(pending, rest).into();
            loop {
                match self.books.ledger.project(Arc::clone(&batch)).await {
                    Ok(_) => break,
                    Err(error) if error.retryable() => {
                        tracing::warn!(%error, entries = batch.len(), "not tracked, trying on");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn refuse(&self, post: &Post, why: &str) -> Result<(), Error> {
        tracing::error!(why, "an entry of the journal is put aside");
        self.books.journal.refuse(post.receipt, why).await
    }

    async fn remind(&self) {
        match self.books.ledger.abort_marks(REMINDED_MAX).await {
            Ok(marks) => {
                for (job_id, reason) in marks {
                    self.bus.publish(Signal::Abort { job_id, reason });
                }
            }
            Err(error) => tracing::warn!(%error, "wanted aborts are not known"),
        }
    }
}

/// What a post turned out to be.
enum Told {
    Whole(Vec<Entry>),
    /// It tells of this job before the ledger has it there.
    Early(JobId),
    /// It belongs nowhere, and why.
    Stray(String),
}

/// Whether an entry leaves nothing out, as those of our own workers.
fn is_whole(entry: &Entry) -> bool {
    let told = matches!(entry.change, Change::Told { .. });
    entry.origin.is_some() && entry.step.visit.is_some() && !told
}

#[cfg(test)]
mod tests;
