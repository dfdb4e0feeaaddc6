//! Brings the journal into the ledger, and reminds workers of the aborts that are wanted.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::journal::{self, Change, Entry};
use waystation_core::port::{Bus, Error, POSTS_MAX, Post, SETTLE_MAX, Signal};

use super::{Books, foreign};
use crate::definition::{Definition, Registry};

/// How long one read waits; posts end it early.
const READ_WAIT: Duration = Duration::from_secs(5);
/// How long the last posts are waited for when an engine ends.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// The wait after the ledger could not be used: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
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
}

impl Tracker {
    /// Tracks until it is to end, or until the ledger is gone for good.
    pub async fn run(self) -> Result<(), Error> {
        let mut remind = tokio::time::interval(REMIND);
        remind.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let last = self.finish.is_cancelled();
            let wait = if last { LAST_WAIT } else { READ_WAIT };
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

    /// Applies posts, and is done with them.
    async fn track(&self, posts: Vec<Post>) -> Result<(), Error> {
        let mut done = Vec::with_capacity(posts.len());
        let mut pending: Vec<Entry> = Vec::new();
        for post in posts {
            let entries = match journal::decode(&post.body, self.clock.now()) {
                Ok(entries) => entries,
                Err(error) => {
                    self.refuse(&post, &error.to_string()).await?;
                    continue;
                }
            };
            match self.resolve(entries, &mut pending).await? {
                Ok(mut entries) => {
                    pending.append(&mut entries);
                    done.push(post.receipt);
                }
                Err(why) => self.refuse(&post, &why).await?,
            }
            if pending.len() >= SETTLE_MAX {
                self.project(&mut pending).await?;
            }
        }
        self.project(&mut pending).await?;
        self.books.journal.done(&done).await
    }

    /// The entries with everything that foreign stages leave out, or why they belong nowhere.
    async fn resolve(
        &self,
        entries: Vec<Entry>,
        pending: &mut Vec<Entry>,
    ) -> Result<Result<Vec<Entry>, String>, Error> {
        let mut resolved = Vec::with_capacity(entries.len());
        for entry in entries {
            let told = matches!(entry.change, Change::Told { .. });
            if entry.origin.is_some() && entry.step.visit.is_some() && !told {
                resolved.push(entry);
                continue;
            }
            // What follows from it follows from where the job is by now.
            pending.append(&mut resolved);
            self.project(pending).await?;
            match foreign::resolve(entry, &*self.books.ledger, &self.definition, &self.registry)
                .await?
            {
                Ok(entry) => resolved.push(entry),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(resolved))
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
