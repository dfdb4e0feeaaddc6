//! A partition's one owner: how it becomes that, and how it gives the partition up.
//!
//! The broker lets one consumer at a time have something of a queue, and tells nobody who that is.
//! So whoever wants a partition puts a mark into its queue of retries, again and again: who has its
//! own mark back is the active one, and has seen all that keeps its place. An owner that gives the
//! partition up puts another mark there: without it, its successor takes it that the owner before
//! was ended with deliveries out, and counts those that may have been.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::BasicQosOptions;

use super::consuming::{Consumers, Ended, PART_PREFETCH};
use super::fetched::mark_of;
use super::{Fetched, Line};
use crate::link::Session;
use crate::publisher::{self, DELIVERIES, KEY, MARK, Outgoing, PRIORITY};
use crate::topology::QueueKey;

/// How often is looked whether a partition that another process has is ours by now.
const MARK_INTERVAL: Duration = Duration::from_millis(500);
/// The mark of an owner that had nothing out when it left.
const LEFT: &str = "left";

impl Line {
    /// Consumes a partition. What keeps its place comes first, whole, so that nothing of its keys
    /// is taken before it. Only who has seen it consumes the other queues.
    pub(super) async fn own(
        self: &Arc<Self>,
        session: &Session,
        consumers: &mut Consumers,
    ) -> Result<(), Ended> {
        let window = self.link.options().prefetch.unwrap_or(PART_PREFETCH);
        self.state().suspects = 0;
        for role in self.roles() {
            let key = QueueKey::of(&self.base, role);
            let keeps_place = role.keeps_place();
            // Without a limit: a key whose retry is not seen would go on without it.
            let prefetch = if keeps_place { 0 } else { window };
            let qos = consumers.channel.basic_qos(prefetch, BasicQosOptions::default());
            qos.await.map_err(|error| self.broken(&error))?;
            publisher::declare(&self.link, session, &key).await.map_err(Ended::Broken)?;
            let consumer = self.subscribe(session, &consumers.channel, &key).await?;
            consumers.add(role, consumer);
            if keeps_place {
                self.see_retries(&key, consumers).await?;
            }
        }
        consumers.prefetch = window;
        self.state().owns = true;
        self.arrived.notify_waiters();
        tracing::debug!(queue = self.base, kind = ?self.kind, "owned");
        Ok(())
    }

    /// Takes in what keeps its place. While another process is the active consumer, our marks go to
    /// that, and so we wait; as soon as one comes to us, the partition is ours.
    async fn see_retries(
        self: &Arc<Self>,
        queue: &QueueKey,
        consumers: &mut Consumers,
    ) -> Result<(), Ended> {
        let ours = format!("{:016x}", fastrand::u64(..));
        let mut marking = tokio::time::interval(MARK_INTERVAL);
        marking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut retries, mut left) = (Vec::new(), false);
        loop {
            tokio::select! {
                Some(brought) = consumers.streams.next() => match brought {
                    Some((role, Ok(delivery))) => {
                        let mark = mark_of(&delivery);
                        left |= mark.as_deref() == Some(LEFT);
                        let is_ours = mark.is_some_and(|mark| mark == ours);
                        retries.push((role, delivery));
                        if is_ours {
                            break;
                        }
                    }
                    Some((_, Err(error))) => return Err(self.broken(&error)),
                    None => return Err(self.gone("a consumer was cancelled")),
                },
                _ = marking.tick() => {
                    if self.prefetch() == 0 {
                        return Err(consumers.close().await);
                    }
                    self.mark(queue, &ours).await?;
                }
                () = self.asked.notified() => {
                    if self.prefetch() == 0 {
                        return Err(consumers.close().await);
                    }
                }
            }
        }
        {
            let mut state = self.state();
            state.suspects = if left { 0 } else { state.capacity };
        }
        for (role, delivery) in retries {
            self.arrive(delivery, role);
        }
        Ok(())
    }

    async fn mark(&self, queue: &QueueKey, mark: &str) -> Result<(), Ended> {
        let mark = Outgoing::new(queue.clone(), Vec::new()).text(MARK, mark);
        let marked = publisher::publish(&self.link, &[mark], self.clock.now()).await;
        marked.map_err(Ended::Broken)
    }

    /// A delivery that came back, the first of its key, may be what ended the owner before. As many
    /// of them as a process has out count as handed out, and are put before their keys with that
    /// count; the others were only fetched ahead.
    pub(super) fn without_suspects(
        self: &Arc<Self>,
        tag: u64,
        fetched: Fetched,
    ) -> Option<Fetched> {
        let is_held_up = fetched.not_before.is_some_and(|moment| moment > self.clock.now());
        let (Some(retries), Some(key)) = (self.retries(), fetched.key.clone()) else {
            return Some(fetched);
        };
        if !fetched.uncounted || is_held_up {
            return Some(fetched);
        }
        {
            let mut state = self.state();
            if state.suspects == 0 || state.tags.knows(&key) {
                return Some(fetched);
            }
            state.suspects -= 1;
            state.tags.expect(&key);
        }
        let receipt = self.pass_through(tag);
        let copy = Outgoing::new(QueueKey::of(&self.base, retries), fetched.body.clone())
            .text(KEY, key.as_str())
            .number(DELIVERIES, i64::from(fetched.deliveries))
            .number(PRIORITY, i64::from(fetched.priority));
        let line = Arc::clone(self);
        tokio::spawn(async move {
            match publisher::publish(&line.link, &[copy], line.clock.now()).await {
                Ok(()) => line.acknowledge(&[receipt]).await,
                Err(error) => {
                    tracing::warn!(queue = line.base, %error, "counted here only");
                    let deliveries = fetched.deliveries.saturating_add(1);
                    line.take_in(receipt, Fetched { deliveries, ..fetched });
                    line.expect_no_more(receipt, &key);
                }
            }
        });
        None
    }

    fn take_in(&self, receipt: super::Receipt, fetched: Fetched) {
        let mut state = self.state();
        if state.epoch == receipt.epoch {
            state.tags.arrive(receipt.tag, fetched, self.clock.now());
        }
    }

    /// Ends a partition's consumers once nothing is out of it: all at once, so that whoever comes
    /// next finds what was fetched where it was.
    pub(super) async fn give_up(&self, consumers: &mut Consumers) -> Result<(), Ended> {
        let (leaving, rests, returns) = {
            let mut state = self.state();
            let rests = state.capacity == 0 && state.tags.rests();
            let returns = !state.tags.has_nothing();
            if rests {
                // From here on nothing of it can be taken.
                state.tags = super::Tags::default();
            }
            (std::mem::take(&mut state.leaving), rests, returns)
        };
        for told in leaving {
            let _ = told.send(());
        }
        if !rests {
            return Ok(());
        }
        if returns
            && let Some(retries) = self.retries()
            && let Err(Ended::Broken(error)) =
                self.mark(&QueueKey::of(&self.base, retries), LEFT).await
        {
            tracing::debug!(queue = self.base, %error, "not told that nothing was out");
        }
        Err(consumers.close().await)
    }
}
