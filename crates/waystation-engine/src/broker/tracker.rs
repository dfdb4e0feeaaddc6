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

/// Why a post is not tracked.
enum Untracked {
    /// Nobody can make anything of it.
    Refused(String),
    /// The ledger did not take it.
    Port(Error),
}

impl From<Error> for Untracked {
    fn from(error: Error) -> Self {
        Self::Port(error)
    }
}

impl Tracker {
    /// Tracks until it is to end, or until the ledger is gone for good.
    pub async fn run(self) -> Result<(), Error> {
        let tracked = self.read_on().await;
        if let Err(error) = self.books.journal.leave().await {
            tracing::warn!(%error, "the journal is left to its next reader by the end of the channel");
        }
        tracked
    }

    async fn read_on(&self) -> Result<(), Error> {
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
            match posts {
                Ok(posts) if posts.is_empty() && last => return Ok(()),
                Ok(posts) => self.track_until_done(&posts).await?,
                Err(error) if error.retryable() => {
                    tracing::warn!(%error, "journal is not read, trying on");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tracks posts however long that takes: they do not come again while this reader is there.
    async fn track_until_done(&self, posts: &[Post]) -> Result<(), Error> {
        let mut pause = PAUSE;
        loop {
            match self.track(posts).await {
                Err(error) if error.retryable() => {
                    tracing::warn!(%error, posts = posts.len(), "not tracked, trying on");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                result => return result,
            }
        }
    }

    /// Applies posts, and is done with them. Where the ledger takes them only without one of them,
    /// that one is put aside.
    async fn track(&self, posts: &[Post]) -> Result<(), Error> {
        let mut receipts = Vec::with_capacity(posts.len());
        let mut pending = Vec::new();
        for post in posts {
            match self.apply(post, &mut pending).await {
                Ok(()) => receipts.push(post.receipt),
                Err(Untracked::Refused(why)) => self.refuse(post, &why).await?,
                Err(Untracked::Port(error)) if error.retryable() => return Err(error),
                Err(Untracked::Port(error)) => {
                    tracing::debug!(%error, "posts are tracked one by one");
                    return self.track_one_by_one(posts).await;
                }
            }
        }
        match self.project(&mut pending).await {
            Ok(()) => {}
            Err(error) if error.retryable() => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "posts are tracked one by one");
                return self.track_one_by_one(posts).await;
            }
        }
        self.books.journal.done(&receipts).await
    }

    async fn track_one_by_one(&self, posts: &[Post]) -> Result<(), Error> {
        for post in posts {
            let mut pending = Vec::new();
            let applied = match self.apply(post, &mut pending).await {
                Ok(()) => self.project(&mut pending).await.map_err(Untracked::Port),
                refused => refused,
            };
            match applied {
                Ok(()) => self.books.journal.done(&[post.receipt]).await?,
                Err(Untracked::Refused(why)) => self.refuse(post, &why).await?,
                Err(Untracked::Port(error)) if error.retryable() => return Err(error),
                Err(Untracked::Port(error)) => self.refuse(post, &error.to_string()).await?,
            }
        }
        Ok(())
    }

    /// Adds a post's entries to those that wait for the ledger. Entries of foreign stages leave
    /// out what follows from where the job is by then: the others go before them.
    async fn apply(&self, post: &Post, pending: &mut Vec<Entry>) -> Result<(), Untracked> {
        let entries = journal::decode(&post.body, self.clock.now())
            .map_err(|error| Untracked::Refused(error.to_string()))?;
        for entry in entries {
            let told = matches!(entry.change, Change::Told { .. });
            if entry.origin.is_some() && entry.step.visit.is_some() && !told {
                pending.push(entry);
            } else {
                self.project(pending).await?;
                let (ledger, registry) = (&*self.books.ledger, &self.registry);
                let resolved = foreign::resolve(entry, ledger, &self.definition, registry).await?;
                pending.push(resolved.map_err(Untracked::Refused)?);
            }
            if pending.len() >= SETTLE_MAX {
                self.project(pending).await?;
            }
        }
        Ok(())
    }

    /// Writes entries to the ledger.
    async fn project(&self, pending: &mut Vec<Entry>) -> Result<(), Error> {
        while !pending.is_empty() {
            let rest = pending.split_off(pending.len().min(SETTLE_MAX));
            let batch = std::mem::replace(pending, rest);
            self.books.ledger.project(batch.into()).await?;
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
