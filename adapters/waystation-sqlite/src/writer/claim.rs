//! Taking deliveries under leases, making leases last, and giving deliveries back.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::{Extended, Purpose, RECEIVE_MAX};
use waystation_core::settlement::{Delivery, Lease};

use super::batch::Writer;
use super::turns::{KEPT, LineRow, key};
use super::waiters::Waiter;

// The token is random, so that a number which another row had before cannot be mistaken for it.
macro_rules! claim {
    ($which:literal) => {
        concat!(
            "UPDATE message SET state = 1, due = ?3, deliveries = deliveries + 1, \
             token = random() & 0x7fffffffffffffff, leased_at = ?4 \
             WHERE message_id IN (SELECT message_id FROM message WHERE queue = ?1 AND state = 0 ",
            $which,
            " LIMIT ?2) \
             RETURNING message_id, token, rank, deliveries, enqueued_at, body, key, turn"
        )
    };
}

const CLAIM: &str = claim!("ORDER BY rank, message_id");
// The index of the ready ones gives the lowest rank from its other end.
const CLAIM_LOWEST: &str = claim!(
    "AND rank = (SELECT max(rank) FROM message WHERE queue = ?1 AND state = 0) ORDER BY message_id"
);
const LOWEST: &str = "SELECT max(rank) FROM message WHERE queue = ?1 AND state = 0";
/// The delivery counts when all before it have left.
const CLAIM_BEHIND: &str = "UPDATE message SET state = 6, due = ?2, \
     token = random() & 0x7fffffffffffffff, leased_at = ?3 WHERE message_id = ?1 \
     RETURNING message_id, token, rank, deliveries + 1, enqueued_at, body, key";

/// What a receiver gets.
pub struct Claimed {
    pub deliveries: Vec<Delivery>,
    /// How many of them could be received by themselves.
    pub heads: usize,
}

/// What could be received by itself.
struct Head {
    delivery: Delivery,
    turn: Option<i64>,
}

impl Writer {
    /// Leases messages of a queue to a receiver: highest priority first, then as they came, and
    /// the share of those that are passed over. Each that is the first of its key brings those
    /// behind it.
    pub(super) fn claim(
        &mut self,
        queue: &QueueName,
        waiter: &Waiter,
    ) -> rusqlite::Result<Claimed> {
        let number = self.names.number(&self.connection, queue.as_str())?;
        let until = self.now.plus(waiter.lease);
        let since = (waiter.purpose == Purpose::Work).then_some(self.now.0);
        let heads = self.heads(queue, number, waiter.max, (until, since))?;
        if !heads.is_empty() {
            self.expect_due(until);
        }
        let mut claimed = Claimed { deliveries: Vec::new(), heads: heads.len() };
        let mut room = RECEIVE_MAX.saturating_sub(heads.len());
        for Head { delivery, turn } in heads {
            let is_untried = delivery.deliveries == 1 && turn != Some(KEPT);
            let key = delivery.key.as_ref().filter(|_| is_untried);
            let line = key.map(|key| LineRow { queue: number, key: key.as_str().to_owned() });
            claimed.deliveries.push(delivery);
            let max = room.min(waiter.together.saturating_sub(1));
            let Some(line) = line.filter(|_| max > 0) else { continue };
            let run = self.claim_behind(queue, &line, max, (until, since))?;
            room -= run.len();
            claimed.deliveries.extend(run);
        }
        Ok(claimed)
    }

    /// Leases what can be received by itself, until a moment and since another.
    fn heads(
        &mut self,
        queue: &QueueName,
        number: i64,
        max: usize,
        terms: (Timestamp, Option<i64>),
    ) -> rusqlite::Result<Vec<Head>> {
        let before = self.shares.get(queue).copied().unwrap_or_default();
        let due = before.due(max);
        let mut first = self.lease(CLAIM, queue, number, max - due, terms)?;
        let (mut last, mut passed_over) = (Vec::new(), false);
        if first.len() == max - due {
            let lowest = first.last().map(|head| -i64::from(head.delivery.priority));
            passed_over = lowest.is_some() && self.lowest(number)? > lowest;
            last = self.lease(CLAIM_LOWEST, queue, number, due, terms)?;
            first.extend(self.lease(CLAIM, queue, number, due - last.len(), terms)?);
        }
        let mut share = before;
        share.took(first.len(), last.len(), passed_over);
        if share != before {
            self.shares.insert(queue.clone(), share);
        }
        first.append(&mut last);
        in_order(&mut first);
        Ok(first)
    }

    /// The lowest rank of a queue that is ready.
    fn lowest(&self, queue: i64) -> rusqlite::Result<Option<i64>> {
        self.connection.prepare_cached(LOWEST)?.query_row([queue], |row| row.get(0))
    }

    fn lease(
        &self,
        sql: &str,
        queue: &QueueName,
        number: i64,
        max: usize,
        (until, since): (Timestamp, Option<i64>),
    ) -> rusqlite::Result<Vec<Head>> {
        let mut heads = Vec::new();
        if max == 0 {
            return Ok(heads);
        }
        let mut claim = self.connection.prepare_cached(sql)?;
        let mut rows = claim.query(params![number, max as i64, until.0, since])?;
        while let Some(row) = rows.next()? {
            heads.push(Head { delivery: delivery(queue, row)?, turn: row.get(7)? });
        }
        // RETURNING promises no order.
        in_order(&mut heads);
        Ok(heads)
    }

    /// Leases what comes directly behind the head of a line, until a moment and since another.
    fn claim_behind(
        &self,
        queue: &QueueName,
        line: &LineRow,
        max: usize,
        (until, since): (Timestamp, Option<i64>),
    ) -> rusqlite::Result<Vec<Delivery>> {
        let mut claim = self.connection.prepare_cached(CLAIM_BEHIND)?;
        let next = self.next_in_line(line, max)?.into_iter();
        next.map(|message| {
            claim.query_row(params![message, until.0, since], |row| delivery(queue, row))
        })
        .collect()
    }

    /// Makes leases last from now.
    pub(super) fn extend(
        &mut self,
        leases: &[Lease],
        lease: Duration,
    ) -> rusqlite::Result<Vec<Extended>> {
        let until = self.now.plus(lease);
        let mut extend = self.connection.prepare_cached(
            "UPDATE message SET state = iif(state = 6, 6, 1), due = ?1 \
             WHERE message_id = ?2 AND token = ?3 RETURNING abort",
        )?;
        let mut extended = Vec::with_capacity(leases.len());
        for lease in leases {
            let marked: Option<Option<String>> = extend
                .query_row(params![until.0, lease.delivery_id, lease.token as i64], |row| {
                    row.get(0)
                })
                .optional()?;
            extended.push(match marked {
                None => Extended::Lost,
                Some(Some(reason)) => Extended::AbortRequested { reason },
                Some(None) => Extended::Held,
            });
        }
        drop(extend);
        self.expect_due(until);
        Ok(extended)
    }

    /// Gives back deliveries that nobody received, as if they had never been handed out.
    pub(super) fn return_unwanted(&mut self, leases: &[Lease]) -> rusqlite::Result<()> {
        for lease in leases {
            let returned = self
                .connection
                .prepare_cached(
                    "UPDATE message SET state = iif(state = 6, 5, 0), due = NULL, token = NULL, \
                     deliveries = deliveries - (state <> 6) \
                     WHERE message_id = ?1 AND token = ?2 \
                     RETURNING abort IS NOT NULL, queue, key",
                )?
                .query_row(params![lease.delivery_id, lease.token as i64], |row| {
                    Ok((row.get(0)?, LineRow::read(row, 1)?))
                })
                .optional()?;
            match returned {
                Some((true, _)) => self.abort_reclaimed(lease.delivery_id)?,
                Some((false, line)) => {
                    self.note_filled(&lease.queue);
                    line.map_or(Ok(()), |line| self.give_way(&line))?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn delivery(queue: &QueueName, row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let rank: i64 = row.get(2)?;
    Ok(Delivery {
        lease: Lease {
            queue: queue.clone(),
            delivery_id: row.get(0)?,
            token: row.get::<_, i64>(1)? as u64,
        },
        priority: -rank as i16,
        deliveries: row.get(3)?,
        enqueued_at: Timestamp(row.get(4)?),
        key: key(row, 6)?,
        body: row.get(5)?,
    })
}

/// By priority, then as they came.
fn in_order(heads: &mut [Head]) {
    heads.sort_unstable_by_key(|Head { delivery, .. }| {
        (-i32::from(delivery.priority), delivery.lease.delivery_id)
    });
}
