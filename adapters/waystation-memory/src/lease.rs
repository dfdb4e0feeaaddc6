//! Messages go out under leases, and come back when the leases run out.
//!
//! A message's lease is *live* until its end, then *expired* until a receiver of its queue
//! reclaims it. Its holder may settle or extend it all that time, and also afterwards, for as
//! long as nobody else was given it: work that was done is not thrown away for being late.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::event::EventKind;
use waystation_core::id::QueueName;
use waystation_core::port::{Depth, Extended, Purpose, RECEIVE_MAX, Receive};
use waystation_core::settlement::{Delivery, Lease};

use crate::state::{State, event};

/// What a visit of a receiver found.
pub(crate) struct Received {
    pub deliveries: Vec<Delivery>,
    /// When to look again, if nobody calls before.
    pub look_again: Option<Timestamp>,
    /// Whether jobs changed.
    pub changed: bool,
}

impl State {
    /// Hands out what is deliverable now.
    pub fn receive(&mut self, request: &Receive, max: usize, now: Timestamp) -> Received {
        let reclaimed = self.reclaim(&request.queue, now);
        self.release_due(&request.queue, now);
        let ids = self.line(&request.queue).take_ready(max);
        let until = now.plus(request.lease);
        let since = (request.purpose == Purpose::Work).then_some(now);
        let mut room = RECEIVE_MAX.saturating_sub(ids.len());
        let mut deliveries = Vec::with_capacity(ids.len());
        for id in ids {
            let run = self.take_run(id, room.min(request.together.saturating_sub(1)));
            room -= run.len();
            let all = std::iter::once(id).chain(run);
            deliveries.extend(all.filter_map(|id| self.hand_out(id, until, since, now)));
        }
        Received {
            changed: reclaimed || !deliveries.is_empty(),
            deliveries,
            look_again: self.line(&request.queue).next_moment(),
        }
    }

    /// Makes a lease last until `now + lease`.
    pub fn extend(&mut self, lease: &Lease, duration: Duration, now: Timestamp) -> Extended {
        let id = lease.delivery_id;
        if !self.holds(lease) {
            return Extended::Lost;
        }
        let Some(mut message) = self.lift_message(id) else {
            return Extended::Lost;
        };
        message.leased_until = Some(now.plus(duration));
        let answer = match message.abort.clone() {
            Some(reason) => Extended::AbortRequested { reason },
            None => Extended::Held,
        };
        self.line(&lease.queue).insert(id, &message, now);
        self.messages.insert(id, message);
        answer
    }

    /// Whether this lease is the last one that its message was handed out under.
    pub fn holds(&self, lease: &Lease) -> bool {
        self.messages.get(&lease.delivery_id).is_some_and(|message| {
            message.queue == lease.queue && message.token == Some(lease.token)
        })
    }

    /// Ends a lease whose holder gave the message back, as if it had never been handed out.
    pub fn hand_back(&mut self, id: i64, now: Timestamp) {
        let Some(mut message) = self.lift_message(id) else {
            return;
        };
        message.leased_until = None;
        if !self.fall_back(id, &mut message) {
            message.token = None;
            message.deliveries = message.deliveries.saturating_sub(1);
            self.line(&message.queue).insert(id, &message, now);
        }
        self.messages.insert(id, message);
    }

    /// How much waits. An expired lease is as good as none; what somebody wants aborted is not
    /// deliverable any more.
    pub fn depth(&mut self, queue: &QueueName, now: Timestamp) -> Depth {
        if self.lines.contains_key(queue) {
            self.release_due(queue, now);
        }
        let Some(line) = self.lines.get(queue) else {
            return Depth::default();
        };
        let expired = line.expired(now);
        let (behind, back): (Vec<i64>, Vec<i64>) = expired
            .iter()
            .filter(|id| self.messages[id].abort.is_none())
            .partition(|id| self.is_out_behind(**id));
        let oldest = line.oldest_ready().into_iter().chain(back.clone()).min();
        let urgent = back.iter().filter(|id| self.messages[*id].priority > 0).count();
        Depth {
            priority: (line.urgent_count() + urgent) as u64,
            ready: (line.ready_count() + back.len()) as u64,
            delayed: line.delayed_count() as u64,
            behind: (self.turns.behind(queue) + behind.len()) as u64,
            leased: (line.leased_count() - expired.len()) as u64,
            oldest: oldest.map(|id| self.messages[&id].enqueued_at),
        }
    }

    /// How much of each queue a broker has, as the journal told of it last.
    pub fn away_depths(&self, now: Timestamp) -> BTreeMap<QueueName, Depth> {
        let mut depths: BTreeMap<QueueName, Depth> = BTreeMap::new();
        for message in self.messages.values().filter(|message| message.away) {
            let depth = depths.entry(message.queue.clone()).or_default();
            match (message.leased_at, message.not_before) {
                (Some(_), _) => depth.leased += 1,
                (None, Some(moment)) if moment > now => depth.delayed += 1,
                (None, _) => {
                    depth.ready += 1;
                    depth.priority += u64::from(message.priority > 0);
                    let since = message.enqueued_at;
                    depth.oldest = Some(depth.oldest.map_or(since, |oldest| oldest.min(since)));
                }
            }
        }
        depths
    }

    /// `since` is when work on it begins; nothing when it is only carried.
    fn hand_out(
        &mut self,
        id: i64,
        until: Timestamp,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Delivery> {
        let token = self.next_token();
        let is_behind = self.is_out_behind(id);
        let message = self.messages.get_mut(&id)?;
        message.token = Some(token);
        message.leased_until = Some(until);
        message.leased_at = since;
        let deliveries = message.deliveries.saturating_add(1);
        if !is_behind {
            message.deliveries = deliveries;
        }
        let delivery = Delivery {
            lease: Lease { queue: message.queue.clone(), delivery_id: id, token },
            body: message.body.clone(),
            priority: message.priority,
            key: message.key.clone(),
            deliveries,
            enqueued_at: message.enqueued_at,
        };
        let line = self.lines.get_mut(&message.queue)?;
        line.insert(id, message, now);
        Some(delivery)
    }

    /// Returns what is under an expired lease to its place, or ends it if somebody wants that.
    /// Tells whether there was any.
    fn reclaim(&mut self, queue: &QueueName, now: Timestamp) -> bool {
        let expired = self.line(queue).expired(now);
        for id in &expired {
            self.abandon(*id, now);
        }
        !expired.is_empty()
    }

    fn abandon(&mut self, id: i64, now: Timestamp) {
        let Some(mut message) = self.lift_message(id) else {
            return;
        };
        message.leased_until = None;
        let is_behind = self.fall_back(id, &mut message);
        if !is_behind {
            self.line(&message.queue).insert(id, &message, now);
        }
        let was_worked_on = message.leased_at.is_some();
        let job_id = message.job_id.clone();
        let abort = message.abort.clone().filter(|_| was_worked_on);
        // Nobody has begun with what is behind another one.
        let abandoned = (was_worked_on && !is_behind).then(|| {
            event(
                EventKind::Abandoned,
                &job_id,
                &message.stage,
                &message.body,
                now,
                json!({ "deliveries": message.deliveries }),
            )
        });
        self.messages.insert(id, message);
        self.note_events(&job_id, abandoned.into_iter().collect(), None, now);
        if let Some(reason) = abort {
            self.end_as_aborted(&job_id, &reason, now);
        }
    }
}
