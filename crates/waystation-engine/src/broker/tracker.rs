//! Brings the journal into the ledger, and reminds workers of the aborts that are wanted.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Clock;
use waystation_core::id::JobId;
use waystation_core::job::PAGE_MAX;
use waystation_core::journal::{self, Entry};
use waystation_core::port::{Bus, Error, POSTS_MAX, Post, SETTLE_MAX, Signal};

use super::Books;
use super::early::{Early, Held};
use super::foreign::{self, Resolved, is_whole};
use crate::definition::Registry;
use crate::graph::Graph;

/// How long one read waits; posts end it early.
const READ_WAIT: Duration = Duration::from_secs(5);
/// How long the last posts are waited for when an engine ends.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// The wait after the ledger could not be used: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often is looked whether early posts are so no more.
const EARLY_LOOK: Duration = Duration::from_millis(20);
/// How often the aborts that are wanted are announced: a job that nobody ran when it was aborted
/// is met by a worker some time later.
const REMIND: Duration = Duration::from_secs(2);
/// The most aborts of one announcement. The next one goes on from there.
const REMINDED_MAX: usize = PAGE_MAX;

/// Reads the journal.
pub struct Tracker {
    /// From the journal to the ledger.
    pub books: Books,
    /// Where aborts are announced.
    pub bus: Arc<dyn Bus>,
    /// Tells the time where an event does not.
    pub clock: Arc<dyn Clock>,
    /// The pipeline that runs here: foreign stages do not say which one is theirs.
    pub running: Arc<Graph>,
    /// The others.
    pub registry: Registry,
    /// Cancelled when it is to end, once the journal is empty.
    pub finish: CancellationToken,
    /// What waits for other posts.
    pub early: Early,
    /// The job whose abort was announced last, unless it was the last of all.
    pub reminded: Option<JobId>,
}

impl Tracker {
    /// Tracks until it is to end, or until the ledger is gone for good. While another engine's
    /// tracker reads the same journal here, it waits: what two of them read gets out of order.
    pub async fn run(mut self) -> Result<(), Error> {
        let turn = Arc::clone(&self.books.turn);
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            () = self.finish.cancelled() => return Ok(()),
        };
        let tracked = AssertUnwindSafe(self.read_on()).catch_unwind().await;
        // Also after a fault of ours: nobody else could read on before the connection's end.
        if let Err(error) = self.books.journal.leave().await {
            tracing::warn!(%error, "the journal is left by its connection's end");
        }
        tracked.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let mut remind = tokio::time::interval(REMIND);
        remind.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let last = self.finish.is_cancelled();
            let quiet = self.early.is_empty();
            let wait = match (quiet, last) {
                (true, true) => LAST_WAIT,
                (true, false) => READ_WAIT,
                (false, _) => EARLY_LOOK,
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
                Ok(posts) if posts.is_empty() && quiet && last => return Ok(()),
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
        let fresh = posts.into_iter().map(Held::new);
        let mut line: VecDeque<Held> = self.early.take().chain(fresh).collect();
        let mut done: Vec<Post> = Vec::with_capacity(line.len());
        let mut pending: Vec<Entry> = Vec::new();
        while let Some(held) = line.pop_front() {
            let entries = match journal::decode(&held.post.body, self.clock.now()) {
                Ok(entries) => entries,
                Err(error) => {
                    self.refuse(&held.post, &error.to_string()).await?;
                    continue;
                }
            };
            let overtaken = self.early.overtaken_by(&entries);
            if !overtaken.is_empty() {
                line.push_front(held);
                put_first(&mut line, overtaken);
                continue;
            }
            match self.resolve(entries, &mut pending, &held).await? {
                Told::Whole(mut entries, strays) => {
                    put_first(&mut line, self.early.reached_by(&entries));
                    pending.append(&mut entries);
                    self.set_aside(&held.post, strays).await?;
                    done.push(held.post);
                }
                Told::Early(entry) => self.early.hold(held, &entry),
                Told::Stray(why) => self.refuse(&held.post, &why).await?,
            }
        }
        match self.project(&mut pending).await {
            Err(error) if is_refusal(&error) => return self.track_one_by_one(done).await,
            projected => projected?,
        }
        let receipts: Vec<u64> = done.iter().map(|post| post.receipt).collect();
        self.books.journal.done(&receipts).await
    }

    /// Finds out which of these posts the ledger does not take, and puts it aside.
    async fn track_one_by_one(&self, posts: Vec<Post>) -> Result<(), Error> {
        for post in posts {
            let mut pending = Vec::new();
            for entry in journal::decode(&post.body, self.clock.now()).unwrap_or_default() {
                match self.complete(entry).await? {
                    Resolved::Whole(entry) | Resolved::Early(entry) => pending.push(entry),
                    // It was put aside when it was met first.
                    Resolved::Unplaced(..) | Resolved::Stray(_) => {}
                }
            }
            match self.project(&mut pending).await {
                Ok(()) => self.books.journal.done(&[post.receipt]).await?,
                Err(error) if is_refusal(&error) => self.refuse(&post, &error.to_string()).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The entries of a post with everything that foreign stages leave out.
    async fn resolve(
        &self,
        entries: Vec<Entry>,
        pending: &mut Vec<Entry>,
        held: &Held,
    ) -> Result<Told, Error> {
        let count = entries.len();
        let mut resolved = Vec::with_capacity(count);
        let mut strays = Vec::new();
        for (place, entry) in entries.into_iter().enumerate() {
            if is_whole(&entry) {
                resolved.push(entry);
                continue;
            }
            if held.is_patient() && self.early.waits(&entry.job_id) {
                return Ok(Told::Early(Box::new(entry)));
            }
            // What follows from it follows from where the job is by now.
            pending.append(&mut resolved);
            if let Err(error) = self.project(pending).await {
                if !is_refusal(&error) {
                    return Err(error);
                }
                // Found out at the end, post by post.
                tracing::debug!(%error, "a batch of the journal is not taken whole");
            }
            match self.complete(entry).await? {
                Resolved::Early(entry) | Resolved::Unplaced(entry, _) if held.is_patient() => {
                    return Ok(Told::Early(Box::new(entry)));
                }
                Resolved::Whole(entry) | Resolved::Early(entry) => resolved.push(entry),
                Resolved::Unplaced(_, why) | Resolved::Stray(why) => {
                    strays.push(Stray { place, why });
                }
            }
        }
        Ok(match strays.pop() {
            Some(stray) if strays.len() + 1 == count => Told::Stray(stray.why),
            last => Told::Whole(resolved, strays.into_iter().chain(last).collect()),
        })
    }

    /// Finds out what an entry leaves out, however long that takes: the journal waits.
    async fn complete(&self, entry: Entry) -> Result<Resolved, Error> {
        let (ledger, registry) = (&*self.books.ledger, &self.registry);
        let mut pause = PAUSE;
        loop {
            match foreign::resolve(entry.clone(), ledger, &self.running, registry).await {
                Err(error) if error.retryable() => {
                    tracing::warn!(job = %entry.job_id, %error, "not looked up, trying on");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                resolved => return resolved,
            }
        }
    }

    /// Writes entries to the ledger, however long that takes: the journal waits. Those that it
    /// refuses stay pending, with those that come after them.
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
                    Err(error) => {
                        pending.splice(0..0, batch.iter().cloned());
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts entries of a post aside, however long that takes, so that none is passed over when the
    /// others are done.
    async fn set_aside(&self, post: &Post, strays: Vec<Stray>) -> Result<(), Error> {
        for Stray { place, why } in strays {
            tracing::error!(why, "an entry of the journal is put aside");
            // It was read before.
            let Ok(part) = journal::part(&post.body, place) else { continue };
            let mut pause = PAUSE;
            while let Err(error) = self.books.journal.set_aside(&part, &why).await {
                if !error.retryable() {
                    return Err(error);
                }
                tracing::warn!(%error, "an entry is not put aside, trying on");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        Ok(())
    }

    async fn refuse(&self, post: &Post, why: &str) -> Result<(), Error> {
        tracing::error!(why, "an entry of the journal is put aside");
        self.books.journal.refuse(post.receipt, why).await
    }

    async fn remind(&mut self) {
        match self.books.ledger.abort_marks(self.reminded.as_ref(), REMINDED_MAX).await {
            Ok(marks) => {
                let last = marks.last().filter(|_| marks.len() >= REMINDED_MAX);
                self.reminded = last.map(|(job_id, _)| job_id.clone());
                for (job_id, reason) in marks {
                    self.bus.publish(Signal::Abort { job_id, reason });
                }
            }
            Err(error) => tracing::warn!(%error, "wanted aborts are not known"),
        }
    }
}

/// Whether the ledger will never take these entries.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Broken { .. } | Error::TooLarge { .. } | Error::BatchTooLarge { .. })
}

/// What a post turned out to be.
enum Told {
    /// All that it tells belongs somewhere, but for these.
    Whole(Vec<Entry>, Vec<Stray>),
    /// It tells this of a job before the ledger has it there.
    Early(Box<Entry>),
    /// Nothing that it tells belongs anywhere, and why.
    Stray(String),
}

/// An entry that belongs nowhere.
struct Stray {
    /// Which one of its post.
    place: usize,
    why: String,
}

/// Puts posts before all others, in their order.
fn put_first(line: &mut VecDeque<Held>, posts: Vec<Held>) {
    posts.into_iter().rev().for_each(|held| line.push_front(held));
}

#[cfg(test)]
mod tests;
