//! Taking deliveries under leases, making leases last, and giving deliveries back.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::{Extended, Purpose};
use waystation_core::settlement::{Delivery, Lease};

use super::batch::Writer;
use super::rows::{LEASED, READY};
use super::turns::key;
use super::waiters::Waiter;

// The token is random, so that a number which another row had before cannot be mistaken for it.
const CLAIM: &str = "UPDATE message SET state = 1, due = ?3, deliveries = deliveries + 1, \
     token = random() & 0x7fffffffffffffff, leased_at = ?4 \
     WHERE message_id IN (SELECT message_id FROM message WHERE queue = ?1 AND state = 0 \
     ORDER BY rank, message_id LIMIT ?2) \
     RETURNING message_id, token, rank, deliveries, enqueued_at, body, key";

impl Writer {
    /// Leases messages of a queue to a receiver: highest priority first, then as they came.
    pub(super) fn claim(
        &mut self,
        queue: &QueueName,
        waiter: &Waiter,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let number = self.names.number(&self.connection, queue.as_str())?;
        let until = self.now.plus(waiter.lease);
        let since = (waiter.purpose == Purpose::Work).then_some(self.now.0);
        let mut claim = self.connection.prepare_cached(CLAIM)?;
        let mut rows = claim.query(params![number, waiter.max as i64, until.0, since])?;
        let mut deliveries = Vec::new();
        while let Some(row) = rows.next()? {
            let rank: i64 = row.get(2)?;
            deliveries.push(Delivery {
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
            });
        }
        drop(rows);
        drop(claim);
        // RETURNING promises no order.
        deliveries.sort_unstable_by_key(|delivery| {
            (-i32::from(delivery.priority), delivery.lease.delivery_id)
        });
        if !deliveries.is_empty() {
            self.expect_due(until);
        }
        Ok(deliveries)
    }

    /// Makes leases last from now.
    pub(super) fn extend(
        &mut self,
        leases: &[Lease],
        lease: Duration,
    ) -> rusqlite::Result<Vec<Extended>> {
        let until = self.now.plus(lease);
        let mut extend = self.connection.prepare_cached(
            "UPDATE message SET state = ?1, due = ?2 WHERE message_id = ?3 AND token = ?4 \
             RETURNING abort",
        )?;
        let mut extended = Vec::with_capacity(leases.len());
        for lease in leases {
            let marked: Option<Option<String>> = extend
                .query_row(params![LEASED, until.0, lease.delivery_id, lease.token as i64], |row| {
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
            let marked: Option<bool> = self
                .connection
                .prepare_cached(
                    "UPDATE message SET state = ?1, due = NULL, token = NULL, \
                     deliveries = deliveries - 1 WHERE message_id = ?2 AND token = ?3 \
                     RETURNING abort IS NOT NULL",
                )?
                .query_row(params![READY, lease.delivery_id, lease.token as i64], |row| row.get(0))
                .optional()?;
            match marked {
                Some(true) => self.abort_reclaimed(lease.delivery_id)?,
                Some(false) => self.note_filled(&lease.queue),
                None => {}
            }
        }
        Ok(())
    }
}
