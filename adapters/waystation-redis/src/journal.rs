//! The journal port: the stream of events, which one tracker at a time reads.
//!
//! States of a reader: *idle* (it never asked, or another one holds the lock), *reading* (it has
//! the lock: first it gets what the one before it did not end, then what is new). Whoever reads
//! keeps the lock, also while the ledger takes its time; it lapses with the process.

mod announce;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::port::{Error, Journal, POSTS_MAX, Post};

use crate::Redis;
use crate::line::Watch;
use crate::link::Link;
use crate::scripts::{JOURNAL_DONE, JOURNAL_HOLD, JOURNAL_READ};
use crate::topology::{journal, journal_lock};
use announce::Announcer;

/// How long a reader that was not heard of keeps the lock: it may wait for its ledger.
const KEEP_MAX: Duration = Duration::from_mins(1);
/// The longest wait of one read, and how often it looks although nothing woke it.
const WAIT_MAX: Duration = Duration::from_hours(1);
const LOOK: Duration = Duration::from_secs(5);
/// The entry after which everything is read that was not ended.
const BEGINNING: &str = "0-0";
/// Stands where an entry is named that nothing ends.
const NO_ENTRY: &str = "0-0";

/// The one reader of this process, and what it read.
pub struct Reading {
    link: Arc<Link>,
    reader: Arc<str>,
    watch: Arc<Watch>,
    /// Held while the server is asked for posts.
    asking: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
    announcer: tokio::sync::Mutex<Announcer>,
}

#[derive(Default)]
struct State {
    /// The last entry that came, while the lock is ours.
    after: Option<String>,
    /// Was read, and waits for whoever asks.
    fresh: VecDeque<u64>,
    /// Was read and is not done: entries with their bodies.
    posts: HashMap<u64, (String, Vec<u8>)>,
    next: u64,
    last_heard: Option<Instant>,
}

/// What the server answers to whoever wants to read.
enum Answer {
    /// Another one reads. Its lock lasts so long.
    Taken {
        /// At most.
        lasts: Duration,
    },
    /// This one reads.
    Ours {
        /// Since now.
        is_new: bool,
        /// Entries with their bodies.
        posts: Vec<(String, Vec<u8>)>,
    },
}

#[async_trait]
impl Journal for Redis {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Post>, Error> {
        self.reading().read(max.min(POSTS_MAX), wait).await
    }

    async fn done(&self, receipts: &[u64]) -> Result<(), Error> {
        self.reading().done(receipts).await
    }

    async fn leave(&self) -> Result<(), Error> {
        self.reading().close().await;
        Ok(())
    }

    async fn refuse(&self, receipt: u64, why: &str) -> Result<(), Error> {
        self.reading().refuse(receipt, why).await
    }

    async fn set_aside(&self, part: &[u8], why: &str) -> Result<(), Error> {
        self.reading().set_aside(part, why).await
    }
}

impl Reading {
    /// A reader that has not asked yet, and keeps the lock once it has it.
    pub fn open(link: Arc<Link>, reader: Arc<str>, closed: CancellationToken) -> Arc<Self> {
        let streams = vec![journal(link.options())];
        let watch = Watch::open(Arc::clone(&link), streams, closed.clone());
        let (asking, state, announcer) = <_>::default();
        let reading = Arc::new(Self { link, reader, watch, asking, state, announcer });
        let task = Arc::clone(&reading);
        tokio::spawn(async move { closed.run_until_cancelled(task.keep_lock()).await });
        reading
    }

    async fn read(self: &Arc<Self>, max: usize, wait: Duration) -> Result<Vec<Post>, Error> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        loop {
            // Listens before it looks, so that nothing comes unheard in between.
            let arrived = self.watch.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let taken = self.look(max).await?;
            let posts = self.state().take(max);
            let now = Instant::now();
            if !posts.is_empty() || now >= until || max == 0 {
                return Ok(posts);
            }
            if let Some(lasts) = taken {
                // Another one reads: it is our turn when it goes away.
                tokio::time::sleep_until(until.min(now + lasts)).await;
                continue;
            }
            let _waiting = self.watch.wait();
            let _ = tokio::time::timeout_at(until.min(now + LOOK), arrived).await;
        }
    }

    /// Asks the server for posts unless some wait already. It is asked to the end, and what it
    /// gives is kept, however long the asker stays. Tells how long another one's lock lasts.
    async fn look(self: &Arc<Self>, max: usize) -> Result<Option<Duration>, Error> {
        let reading = Arc::clone(self);
        let asking = tokio::spawn(async move {
            let _asking = Arc::clone(&reading.asking).lock_owned().await;
            if !reading.state().fresh.is_empty() || max == 0 {
                return Ok(None);
            }
            reading.ask(max).await
        });
        asking.await.unwrap_or_else(|_| Err(self.link.down()))
    }

    async fn ask(&self, max: usize) -> Result<Option<Duration>, Error> {
        let options = self.link.options();
        let after = {
            let mut state = self.state();
            state.last_heard = Some(Instant::now());
            state.after.clone().unwrap_or_else(|| BEGINNING.to_owned())
        };
        let mut script = JOURNAL_READ.key(journal(options));
        script.key(journal_lock(options)).arg(&*self.reader);
        script.arg(options.lease.as_millis() as u64).arg(max).arg(after);
        match self.link.call(&script).await? {
            Answer::Taken { lasts } => {
                self.state().lose();
                Ok(Some(lasts))
            }
            Answer::Ours { is_new, posts } => {
                let mut state = self.state();
                state.add(is_new, posts);
                self.watch.saw(state.after.as_slice());
                Ok(None)
            }
        }
    }

    async fn done(&self, receipts: &[u64]) -> Result<(), Error> {
        let posts = self.state().close(receipts);
        if posts.is_empty() {
            return Ok(());
        }
        let mut script = self.ending(0);
        for (_, (entry, _)) in &posts {
            script.arg(entry);
        }
        match self.link.call(&script).await {
            Ok(true) => {
                let bodies: Vec<_> = posts.iter().map(|(_, (_, body))| body.as_slice()).collect();
                if let Err(error) = self.announcer.lock().await.announce(&self.link, &bodies).await
                {
                    tracing::warn!(%error, "events are not announced");
                }
                Ok(())
            }
            Ok(false) => {
                self.state().lose();
                Ok(())
            }
            Err(error) => {
                self.state().reopen(posts);
                Err(error)
            }
        }
    }

    async fn refuse(&self, receipt: u64, why: &str) -> Result<(), Error> {
        let mut posts = self.state().close(&[receipt]);
        let Some((receipt, (entry, body))) = posts.pop() else { return Ok(()) };
        let mut script = self.ending(1);
        script.arg(&entry).arg(body.as_slice()).arg(why);
        let ended = self.link.call::<bool>(&script).await;
        match ended {
            Ok(true) => {}
            Ok(false) => self.state().lose(),
            Err(error) => {
                self.state().reopen(vec![(receipt, (entry, body))]);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn set_aside(&self, part: &[u8], why: &str) -> Result<(), Error> {
        let mut script = self.ending(1);
        script.arg(NO_ENTRY).arg(part).arg(why);
        if !self.link.call::<bool>(&script).await? {
            self.state().lose();
        }
        Ok(())
    }

    fn ending(&self, refused: usize) -> redis::ScriptInvocation<'static> {
        let options = self.link.options();
        let mut script = JOURNAL_DONE.key(journal(options));
        script.key(journal_lock(options)).arg(&*self.reader).arg(refused);
        self.state().last_heard = Some(Instant::now());
        script
    }

    /// Makes the lock last while its reader is heard of.
    async fn keep_lock(&self) {
        let lease = self.link.options().lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            let heard = {
                let state = self.state();
                let reads = state.after.is_some();
                state.last_heard.is_some_and(|at| reads && at.elapsed() < KEEP_MAX)
            };
            if heard && let Err(error) = self.hold(lease).await {
                tracing::debug!(%error, "the journal's lock is not renewed");
            }
        }
    }

    async fn hold(&self, lease: Duration) -> Result<bool, Error> {
        let mut hold = JOURNAL_HOLD.key(journal_lock(self.link.options()));
        hold.arg(&*self.reader).arg(lease.as_millis() as u64);
        self.link.call(&hold).await
    }

    /// Lets another one read.
    pub async fn close(&self) {
        if self.state().after.is_some() {
            let _ = self.hold(Duration::ZERO).await;
            self.state().lose();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in what was read. A new reader reads everything again that is not ended.
    fn add(&mut self, is_new: bool, posts: Vec<(String, Vec<u8>)>) {
        if is_new {
            self.lose();
        }
        self.after.get_or_insert_with(|| BEGINNING.to_owned());
        for post in posts {
            self.after = Some(post.0.clone());
            self.next += 1;
            self.posts.insert(self.next, post);
            self.fresh.push_back(self.next);
        }
    }

    fn take(&mut self, max: usize) -> Vec<Post> {
        let receipts = self.fresh.drain(..max.min(self.fresh.len()));
        let posts = receipts.filter_map(|receipt| {
            let (_, body) = self.posts.get(&receipt)?;
            Some(Post { receipt, body: body.clone() })
        });
        posts.collect()
    }

    fn close(&mut self, receipts: &[u64]) -> Vec<(u64, (String, Vec<u8>))> {
        let close = |receipt: &u64| Some((*receipt, self.posts.remove(receipt)?));
        receipts.iter().filter_map(close).collect()
    }

    /// Gives posts back into the hands that had them: they could not be ended.
    fn reopen(&mut self, posts: Vec<(u64, (String, Vec<u8>))>) {
        self.posts.extend(posts);
    }

    /// Nothing that was read is ours any more.
    fn lose(&mut self) {
        self.after = None;
        self.fresh.clear();
        self.posts.clear();
    }
}

impl redis::FromRedisValue for Answer {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        if let redis::Value::Array(parts) = &value
            && let [redis::Value::Int(0), redis::Value::Int(lasts)] = parts[..]
        {
            // A little later, so that it has lapsed; and soon when it is about to.
            let lasts = Duration::from_millis(u64::try_from(lasts).unwrap_or(0) + 10);
            return Ok(Self::Taken { lasts });
        }
        let (_, is_new, posts): (i64, bool, Vec<(String, Vec<u8>)>) =
            redis::from_redis_value(value)?;
        Ok(Self::Ours { is_new, posts })
    }
}

impl Redis {
    fn reading(&self) -> &Arc<Reading> {
        self.shared.reading()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posts(entries: &[&str]) -> Vec<(String, Vec<u8>)> {
        entries.iter().map(|entry| ((*entry).to_owned(), entry.as_bytes().to_vec())).collect()
    }

    #[test]
    fn posts_wait_for_whoever_asks_and_return_when_they_cannot_be_ended() {
        let mut state = State::default();
        state.add(true, posts(&["1-0", "2-0", "3-0"]));
        let taken = state.take(2);
        assert_eq!(taken.iter().map(|post| post.receipt).collect::<Vec<_>>(), [1, 2]);
        let closed = state.close(&[1, 1, 9]);
        assert_eq!(closed.len(), 1);
        state.reopen(closed);
        assert_eq!(state.close(&[1, 2]).len(), 2);
        assert_eq!(state.take(9).len(), 1);
    }

    #[test]
    fn a_new_reader_forgets_what_it_had() {
        let mut state = State::default();
        state.add(true, posts(&["1-0", "2-0"]));
        let before = state.take(9);
        state.add(true, posts(&["1-0", "2-0"]));
        assert!(state.close(&[before[0].receipt, before[1].receipt]).is_empty());
        assert_eq!(state.take(9).len(), 2);
    }
}
