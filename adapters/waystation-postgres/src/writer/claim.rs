//! Taking deliveries under leases, making leases last, and giving deliveries back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::{Extended, Purpose};
use waystation_core::settlement::{Delivery, Lease};

use super::batch::{Result, Writer};
use super::floors::Place;
use super::turns::key;
use super::waiters::Waiter;
use crate::parameter::{Parameter, Parameters};

// The comparison of rows is where the index is entered.
const CLAIM: &str = "WITH taken AS (SELECT message_id FROM message \
     WHERE queue = $1 AND state = 0 AND (rank, message_id) >= ($5, $6) \
     ORDER BY rank, message_id LIMIT $2 FOR UPDATE SKIP LOCKED) \
     UPDATE message SET state = 1, due = $3, deliveries = deliveries + 1, \
     token = nextval('lease_token'), leased_at = $4 \
     FROM taken WHERE message.message_id = taken.message_id \
     RETURNING message.message_id, token, rank, deliveries, enqueued_at, body, key";

impl Writer {
    /// Leases messages to receivers, one a queue: highest priority first, then as they came. Gives
    /// what each of them gets.
    pub(super) async fn claim(
        &mut self,
        asking: &[(QueueName, Waiter)],
    ) -> Result<Vec<Vec<Delivery>>> {
        let begun = Instant::now();
        let terms: Vec<(&str, i64, i64, Option<i64>, Place)> = asking
            .iter()
            .map(|(queue, waiter)| {
                let (max, until) = (waiter.max as i64, self.now.plus(waiter.lease).0);
                let since = (waiter.purpose == Purpose::Work).then_some(self.now.0);
                (queue.as_str(), max, until, since, self.floors.start(queue, begun))
            })
            .collect();
        let sets: Vec<[&(dyn Parameter + Sync); 6]> = terms
            .iter()
            .map(|(queue, max, until, since, (rank, id))| {
                [queue as _, max as _, until as _, since as _, rank as _, id as _]
            })
            .collect();
        let sets: Vec<Parameters<'_>> = sets.iter().map(<[_; 6]>::as_slice).collect();
        let timed = asking.iter().any(|(queue, _)| self.floors.is_timed(queue, begun));
        if timed {
            // What was sent before is not to count.
            self.link.finish().await?;
        }
        let asked = Instant::now();
        let answers = self.link.rows_of_each(CLAIM, &sets).await?;
        let (ended, all) = (Instant::now(), answers.iter().map(Vec::len).sum());
        let mut found = Vec::with_capacity(answers.len());
        for (((queue, _), (_, _, until, _, _)), rows) in asking.iter().zip(&terms).zip(&answers) {
            let deliveries = deliveries(queue, rows);
            if self.floors.is_timed(queue, begun) {
                self.floors.timed(queue, all, ended - asked, ended);
            }
            self.floors.claimed(queue, deliveries.last().map(place));
            if !deliveries.is_empty() {
                self.expect_due(Timestamp(*until));
            }
            found.push(deliveries);
        }
        Ok(found)
    }

    /// Makes leases last from now.
    pub(super) async fn extend(
        &mut self,
        leases: &[Lease],
        lease: Duration,
    ) -> Result<Vec<Extended>> {
        let until = self.now.plus(lease);
        let (ids, tokens) = columns(leases);
        let sql = "UPDATE message SET state = 1, due = $3 \
             FROM unnest($1::bigint[], $2::bigint[]) AS held (id, token) \
             WHERE message_id = held.id AND message.token = held.token \
             RETURNING message_id, message.token, abort";
        let rows = self.link.rows(sql, &[&ids, &tokens, &until.0]).await?;
        let marks: HashMap<(i64, i64), Option<String>> =
            rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        self.expect_due(until);
        let answer = |lease: &Lease| match marks.get(&(lease.delivery_id, lease.token as i64)) {
            None => Extended::Lost,
            Some(None) => Extended::Held,
            Some(Some(reason)) => Extended::AbortRequested { reason: reason.clone() },
        };
        Ok(leases.iter().map(answer).collect())
    }

    /// Gives back deliveries that nobody received, as if they had never been handed out.
    pub(super) async fn return_unwanted(&mut self, leases: &[Lease]) -> Result<()> {
        let (ids, tokens) = columns(leases);
        let sql = "UPDATE message SET state = 0, due = NULL, token = NULL, \
             deliveries = deliveries - 1 \
             FROM unnest($1::bigint[], $2::bigint[]) AS held (id, token) \
             WHERE message_id = held.id AND message.token = held.token \
             RETURNING message_id, queue, job, abort";
        for row in self.link.rows(sql, &[&ids, &tokens]).await? {
            match row.get::<_, Option<String>>(3) {
                Some(reason) => self.abort_reclaimed(row.get(0), row.get(2), &reason).await?,
                None => self.note_filled(&QueueName::from(row.get::<_, String>(1))),
            }
        }
        Ok(())
    }
}

fn place(delivery: &Delivery) -> Place {
    (delivery.priority.saturating_neg(), delivery.lease.delivery_id)
}

/// In order: RETURNING promises none.
fn deliveries(queue: &QueueName, rows: &[Row]) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = rows
        .iter()
        .map(|row| Delivery {
            lease: Lease {
                queue: queue.clone(),
                delivery_id: row.get(0),
                token: row.get::<_, i64>(1) as u64,
            },
            priority: row.get::<_, i16>(2).saturating_neg(),
            deliveries: row.get::<_, i32>(3) as u32,
            enqueued_at: Timestamp(row.get(4)),
            key: row.get::<_, Option<&str>>(6).and_then(key),
            body: row.get(5),
        })
        .collect();
    deliveries.sort_unstable_by_key(|delivery| {
        (-i32::from(delivery.priority), delivery.lease.delivery_id)
    });
    deliveries
}

fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i64>) {
    leases.iter().map(|lease| (lease.delivery_id, lease.token as i64)).unzip()
}
