//! One queue as this process receives from it.
//!
//! Nothing is fetched ahead: a script hands out what somebody asked for, under leases, in one step
//! on the server. Who finds nothing waits on a connection that only watches, and takes nothing.

mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::key::Key;
use waystation_core::port::{Error, NORMAL_SHARE};

use crate::link::Link;
use crate::scripts::{CLAIM, SETTLE, SWEEP};
use crate::topology::{journal, wakers};

pub use watch::Watch;

/// The longest wait of one take.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// How often somebody who waits looks although nothing woke him.
const LOOK: Duration = Duration::from_secs(5);
/// A consumer that has nothing and was not heard of for this long is forgotten.
const CONSUMER_IDLE_MAX: Duration = Duration::from_hours(24);

/// A queue that is received from.
pub struct Line {
    link: Arc<Link>,
    base: String,
    consumer: Arc<str>,
    watch: Arc<Watch>,
    swept: AtomicBool,
}

/// What was handed out.
pub struct Claimed {
    /// Names it, with its lane.
    pub receipt: Receipt,
    /// How often it was handed out, this time included.
    pub deliveries: u32,
    /// Its wire form.
    pub body: Vec<u8>,
    /// Its key, where it came in its turn.
    pub key: Option<Key>,
    /// When it came into its lane or its line, by the server's clock.
    pub enqueued_at: Timestamp,
}

/// Names a delivery of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry and its lane in one number, for which the server is not asked.
    pub delivery_id: i64,
    /// Which handing out it is.
    pub token: u64,
}

/// What a look at the server brought.
struct Look {
    untaken: Untaken,
    /// When there is something to look for, if that is known.
    next: Option<Duration>,
    /// The last entries of the streams that are watched.
    seen: Vec<String>,
}

/// Deliveries that go back when nobody takes them.
struct Untaken {
    line: Arc<Line>,
    claimed: Vec<Claimed>,
}

/// In how many milliseconds to look again; the last entries of the streams; and the deliveries.
type Answer = (i64, String, String, String, Vec<Handed>);

/// Lane, entry, token, deliveries and body of a delivery; and where it has a key when it came, and
/// that.
type Handed = (u8, String, u64, u32, Vec<u8>, String);

impl Line {
    /// A line that nobody asks of yet.
    pub fn open(
        link: Arc<Link>,
        base: String,
        consumer: Arc<str>,
        closed: CancellationToken,
    ) -> Arc<Self> {
        let watch = Watch::open(Arc::clone(&link), wakers(&base), closed);
        Arc::new(Self { link, base, consumer, watch, swept: AtomicBool::new(false) })
    }

    /// Takes up to this many, for so long; waits for the first. Cancel-safe.
    pub async fn take(
        self: &Arc<Self>,
        max: usize,
        wait: Duration,
        lease: Duration,
    ) -> Result<Vec<Claimed>, Error> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        loop {
            // Listens before it looks, so that nothing comes unheard in between.
            let arrived = self.watch.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let mut look = self.look(max, lease).await?;
            if !look.untaken.claimed.is_empty() {
                return Ok(std::mem::take(&mut look.untaken.claimed));
            }
            let now = Instant::now();
            if now >= until {
                return Ok(Vec::new());
            }
            self.watch.saw(&look.seen);
            let _waiting = self.watch.wait();
            let look_again = until.min(now + look.next.map_or(LOOK, |next| next.min(LOOK)));
            let _ = tokio::time::timeout_at(look_again, arrived).await;
        }
    }

    /// Looks, however long the asker stays: what was handed out to nobody goes back.
    async fn look(self: &Arc<Self>, max: usize, lease: Duration) -> Result<Look, Error> {
        let (sender, receiver) = oneshot::channel();
        let line = Arc::clone(self);
        tokio::spawn(async move { sender.send(line.claim(max, lease).await) });
        receiver.await.unwrap_or_else(|_| Err(self.link.down()))
    }

    async fn claim(self: &Arc<Self>, max: usize, lease: Duration) -> Result<Look, Error> {
        let mut claim = CLAIM.key(self.base.as_str());
        claim.arg(&*self.consumer).arg(max).arg(lease.as_millis().max(1) as u64);
        claim.arg(NORMAL_SHARE);
        let (next_ms, normal, priority, woken, deliveries): Answer = self.link.call(&claim).await?;
        let claimed = deliveries.into_iter().map(Claimed::read).collect();
        let untaken = Untaken { line: Arc::clone(self), claimed };
        if !self.swept.swap(true, Ordering::Relaxed) {
            self.sweep("").await;
        }
        let next = u64::try_from(next_ms).ok().map(Duration::from_millis);
        Ok(Look { untaken, next, seen: vec![normal, priority, woken] })
    }

    /// Forgets consumers that are gone, and this one if it is named.
    async fn sweep(&self, leaving: &str) {
        let mut sweep = SWEEP.key(self.base.as_str());
        sweep.arg(CONSUMER_IDLE_MAX.as_millis() as u64).arg(leaving);
        if let Err(error) = self.link.call::<()>(&sweep).await {
            tracing::debug!(queue = self.base, %error, "consumers that are gone are kept");
        }
    }

    /// This process takes nothing more.
    pub async fn close(&self) {
        self.sweep(&self.consumer).await;
    }

    /// Returns what nobody took, as if it had not been handed out.
    async fn give_back(&self, claimed: Vec<Claimed>) {
        let mut settle = SETTLE.key(journal(self.link.options()));
        settle.key(self.base.as_str()).arg("batch").arg(claimed.len());
        for Claimed { receipt, .. } in &claimed {
            settle.arg(2).arg(receipt.priority()).arg(receipt.token).arg("back").arg(0);
        }
        if let Err(error) = self.link.call::<Vec<u8>>(&settle).await {
            // They return when their leases run out, and are counted.
            tracing::warn!(queue = self.base, %error, "not given back");
        }
    }
}

impl Claimed {
    fn read((lane, entry, token, deliveries, body, turn): Handed) -> Self {
        let (ms, sequence) = watch::numbers(&entry);
        let receipt = Receipt { delivery_id: pack(ms, sequence, lane > 0), token };
        // What stands there was a key when it was written.
        let turn = turn
            .split_once(' ')
            .and_then(|(since, key)| Some((since.parse::<i64>().ok()?, Key::new(key).ok()?)));
        let (since, key) = turn.map_or((ms as i64, None), |(since, key)| (since, Some(key)));
        Self { receipt, deliveries, body, key, enqueued_at: Timestamp(since) }
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        let claimed = std::mem::take(&mut self.claimed);
        if claimed.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let line = Arc::clone(&self.line);
            runtime.spawn(async move { line.give_back(claimed).await });
        }
    }
}

impl Receipt {
    /// One in the priority lane, zero otherwise.
    pub fn priority(self) -> i16 {
        (self.delivery_id & 1) as i16
    }
}

/// Milliseconds in 42 bits, the number within one in 20, the lane in one.
fn pack(ms: u64, sequence: u64, priority: bool) -> i64 {
    let packed = (ms & ((1 << 42) - 1)) << 21 | (sequence & ((1 << 20) - 1)) << 1;
    (packed | u64::from(priority)) as i64
}

#[cfg(test)]
mod tests {
    use super::{Receipt, pack};

    #[test]
    fn numbers_of_deliveries_grow_and_tell_the_lane() {
        let now = 1_800_000_000_000;
        let numbers = [pack(now, 0, false), pack(now, 0, true), pack(now, 1, false)];
        assert!(numbers.is_sorted() && numbers[0] > 0);
        let lanes = numbers.map(|delivery_id| Receipt { delivery_id, token: 1 }.priority());
        assert_eq!(lanes, [0, 1, 0]);
        assert!(pack(u64::MAX, u64::MAX, true) > 0);
    }
}
