//! Watches streams on a connection of its own while somebody waits for something to come.
//!
//! It reads without a group, after the last entries that were seen: it takes nothing, misses
//! nothing, and can be cut off at any moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::link::Link;

/// How long one read is blocked.
const BLOCK: Duration = Duration::from_secs(5);
/// The wait after watching broke while the connection held: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The number of an entry: milliseconds, and the number within one.
type Id = (u64, u64);

/// Tells whoever waits that something came.
pub struct Watch {
    link: Arc<Link>,
    streams: Vec<String>,
    state: Mutex<State>,
    /// Somebody began to wait.
    asked: Notify,
    /// Something came.
    pub arrived: Notify,
}

#[derive(Default)]
struct State {
    waiting: usize,
    seen: Vec<Id>,
}

/// Somebody waits until this is dropped.
pub struct Waiting<'a>(&'a Watch);

/// Of each stream that has something new: its name, and its entries with their fields.
type Found = Option<Vec<(String, Vec<(String, Value)>)>>;

impl Watch {
    /// Watches whenever somebody waits, until the token is cancelled.
    pub fn open(link: Arc<Link>, streams: Vec<String>, closed: CancellationToken) -> Arc<Self> {
        let state = State { waiting: 0, seen: vec![(0, 0); streams.len()] };
        let (state, asked, arrived) = (Mutex::new(state), Notify::new(), Notify::new());
        let watch = Arc::new(Self { link, streams, state, asked, arrived });
        let task = Arc::clone(&watch);
        tokio::spawn(async move { closed.run_until_cancelled(task.keep_watching()).await });
        watch
    }

    /// Up to these entries everything was looked at.
    pub fn saw(&self, last: &[String]) {
        let mut state = self.state();
        for (seen, last) in state.seen.iter_mut().zip(last) {
            *seen = (*seen).max(numbers(last));
        }
    }

    /// Notes that somebody waits.
    pub fn wait(&self) -> Waiting<'_> {
        self.state().waiting += 1;
        self.asked.notify_one();
        Waiting(self)
    }

    async fn keep_watching(self: Arc<Self>) {
        let mut pause = PAUSE;
        loop {
            self.somebody_waits().await;
            if self.link.next_session().await.is_none() {
                return;
            }
            let Err(error) = self.watch(&mut pause).await;
            tracing::debug!(streams = ?self.streams, %error, "not watched, taking it up again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn watch(
        &self,
        pause: &mut Duration,
    ) -> Result<std::convert::Infallible, redis::RedisError> {
        let mut connection = self.link.connection(BLOCK).await?;
        // Whoever waits looks, in case that something was missed.
        self.arrived.notify_waiters();
        loop {
            self.somebody_waits().await;
            let found = self.read(&mut connection).await?;
            *pause = PAUSE;
            if self.note(found.unwrap_or_default()) {
                self.arrived.notify_waiters();
            }
        }
    }

    async fn read(&self, connection: &mut MultiplexedConnection) -> redis::RedisResult<Found> {
        let seen = self.state().seen.clone();
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(&self.streams);
        for (ms, sequence) in seen {
            read.arg(format!("{ms}-{sequence}"));
        }
        read.query_async(connection).await
    }

    /// Notes what was found; tells whether there was anything.
    fn note(&self, found: Vec<(String, Vec<(String, Value)>)>) -> bool {
        let mut state = self.state();
        let anything = !found.is_empty();
        for (stream, entries) in found {
            let place = self.streams.iter().position(|name| *name == stream);
            if let (Some(place), Some((id, _))) = (place, entries.last()) {
                state.seen[place] = state.seen[place].max(numbers(id));
            }
        }
        anything
    }

    async fn somebody_waits(&self) {
        while self.state().waiting == 0 {
            self.asked.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// The numbers of an entry; zeros where there are none.
pub fn numbers(entry: &str) -> Id {
    let (ms, sequence) = entry.split_once('-').unwrap_or((entry, ""));
    (ms.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}
