//! What goes on beside the requests: leases that are extended or run out, time that is over,
//! aborts, and telling who works.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waystation_core::clock::Timestamp;
use waystation_core::port::{Extended, SETTLE_MAX, Signal, Subscription};
use waystation_core::settlement::Lease;

use super::claims::Slot;
use super::ending::Told;
use super::service::Inner;
use super::token::Token;
use super::{ClaimId, Error, Extension, LEASE_MAX, LEASE_MIN};
use crate::control::{PRESENCE_INTERVAL, remember_presence};
use crate::lease_keeper::LeaseKeeper;
use crate::stop::Cause;

/// How often is looked for leases that have run out and time that is over.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a queue is kept open that nobody asks for work of: what a broker sent ahead goes back.
const IDLE: Duration = Duration::from_secs(15);

/// A claim that is to be extended: its place among the answers, its lease, and what is known of it.
type Due = (usize, Lease, Option<Arc<Slot>>);

impl Inner {
    /// Makes claims last from now.
    pub async fn extend(
        &self,
        claims: &[ClaimId],
        lease: Option<Duration>,
    ) -> Result<Vec<Extension>, Error> {
        let lease = lease.map(|lease| lease.clamp(LEASE_MIN, LEASE_MAX));
        let mut answers = vec![Extension::Lost; claims.len()];
        let mut due: HashMap<Duration, Vec<Due>> = HashMap::new();
        for (index, id) in claims.iter().enumerate() {
            let Ok(token) = Token::read(id) else { continue };
            let slot = self.claims.get(id);
            if self.is_over(&token) || !self.is_known(slot.as_deref()) {
                continue;
            }
            self.callers.heard(&token.worker, self.now());
            let length = lease.unwrap_or(Duration::from_millis(token.lease_ms));
            due.entry(length).or_default().push((index, token.lease(), slot));
        }
        for (length, due) in due {
            for due in due.chunks(SETTLE_MAX) {
                let leases = due.iter().map(|(_, lease, _)| lease.clone()).collect();
                let until = self.now().plus(length);
                let extended = self.client.backend().queue.extend(leases, length).await?;
                for ((index, _, slot), extended) in due.iter().zip(extended) {
                    answers[*index] = note(&claims[*index], slot.as_deref(), extended, until, self);
                }
            }
        }
        Ok(answers)
    }

    /// Ends with the last clone of the service.
    pub async fn keep(self: Arc<Self>) {
        let mut told_at: Option<Instant> = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.end_what_is_over().await;
            self.claims.forget_old();
            for queue in self.posts.take_idle(IDLE) {
                self.client.backend().leave(&queue).await;
            }
            self.give_back_room().await;
            if told_at.is_none_or(|at| at.elapsed() >= PRESENCE_INTERVAL) {
                told_at = Some(Instant::now());
                self.tell().await;
            }
        }
    }

    /// Gives back what is sent for workers who do not ask any more, though others do.
    async fn give_back_room(&self) {
        for post in self.posts.list() {
            let wanted = self.out_and_wanted(&post);
            if !post.room().is_too_much(wanted, IDLE) {
                continue;
            }
            self.client.backend().leave(&post.queue).await;
            if post.wanted() > 0
                && let Err(error) = self.make_room(&post).await
            {
                let queue = &post.queue;
                tracing::debug!(%queue, %error, "who waits does so until asked again");
            }
        }
    }

    /// Hears who is to be aborted.
    pub async fn hear(self: Arc<Self>, mut signals: Subscription, keeper: LeaseKeeper) {
        while let Some(signal) = signals.next().await {
            if let Signal::Abort { job_id, reason } = signal {
                keeper.remember(&job_id, &reason);
                self.claims.abort(&job_id, &reason);
            }
        }
    }

    /// Gives back what no other server can take back.
    pub async fn give_back(&self) {
        if self.client.backend().queue.capabilities().atomic_settlement {
            return;
        }
        for (id, slot) in self.claims.list() {
            if let Err(error) = self.end(&id, Told::HandedBack).await {
                let job = &slot.token.job_id;
                tracing::debug!(%job, %error, "claim is not given back");
            }
        }
        for queue in self.posts.take_idle(Duration::ZERO) {
            self.client.backend().leave(&queue).await;
        }
    }

    pub fn now(&self) -> Timestamp {
        self.client.backend().clock.now()
    }

    /// Forgets claims whose leases have run out, and fails attempts whose time is over.
    async fn end_what_is_over(&self) {
        let now = self.now();
        for (id, slot) in self.claims.list() {
            if slot.lease_until() <= now {
                // While it is being settled, it is still somebody's.
                if slot.stand.try_lock().is_ok() {
                    self.claims.remove(&id);
                    let lease = slot.token.lease();
                    self.client.backend().abandon(std::slice::from_ref(&lease)).await;
                }
            } else if self.is_over(&slot.token)
                && let Err(error) = self.end(&id, Told::TimedOut).await
            {
                let job = &slot.token.job_id;
                tracing::debug!(%job, %error, "attempt whose time is over ends with its lease");
            }
        }
    }

    /// Whether the attempt's time is over, and the time after it in which its end is still taken.
    fn is_over(&self, token: &Token) -> bool {
        let last = token.over_at.map(|over_at| over_at.plus(self.options.grace));
        last.is_some_and(|last| last <= self.now())
    }

    /// Whether a claim that is not known here may be taken up.
    fn is_known(&self, slot: Option<&Slot>) -> bool {
        slot.is_some() || self.client.backend().queue.capabilities().atomic_settlement
    }

    async fn tell(&self) {
        let slots: Vec<_> = self.claims.list().into_iter().map(|(_, slot)| slot).collect();
        for presence in self.callers.tell(&slots, self.now()) {
            if let Err(error) = remember_presence(self.client.backend(), &presence).await {
                tracing::debug!(worker = presence.worker_id, %error, "presence is not told");
            }
        }
    }
}

/// Notes what came of extending a claim.
fn note(
    id: &ClaimId,
    slot: Option<&Slot>,
    extended: Extended,
    until: Timestamp,
    inner: &Inner,
) -> Extension {
    if let (Some(slot), Extended::Held | Extended::AbortRequested { .. }) = (slot, &extended) {
        slot.extended(until);
    }
    let announced = slot.and_then(|slot| match slot.stop.cause() {
        Some(Cause::Abort(reason)) => Some(reason.clone()),
        _ => None,
    });
    match (extended, announced) {
        (Extended::Held, None) => Extension::Held { lease_until: until },
        (Extended::Held, Some(reason)) => Extension::AbortRequested { reason },
        (Extended::AbortRequested { reason }, _) => {
            if let Some(slot) = slot {
                slot.stop.stop(Cause::Abort(reason.clone()));
            }
            Extension::AbortRequested { reason }
        }
        (Extended::Lost, _) => {
            inner.claims.remove(id);
            Extension::Lost
        }
    }
}
