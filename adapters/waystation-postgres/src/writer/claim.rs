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

// The comparison of rows is where the index is entered. With what is taken comes the lowest rank
// that was ready, from the index's other end: whether anything is passed over costs no statement.
macro_rules! claim {
    ($which:literal) => {
        concat!(
            "WITH taken AS (SELECT message_id FROM message \
             WHERE queue = $1 AND state = 0 AND (rank, message_id) >= ($5, $6) ",
            $which,
            " LIMIT $2 FOR UPDATE SKIP LOCKED) \
             UPDATE message SET state = 1, due = $3, deliveries = deliveries + 1, \
             token = nextval('lease_token'), leased_at = $4 \
             FROM taken WHERE message.message_id = taken.message_id \
             RETURNING message.message_id, token, rank, deliveries, enqueued_at, body, key, \
             turn IS DISTINCT FROM 0, (SELECT last.rank FROM message AS last \
             WHERE last.queue = $1 AND last.state = 0 AND (last.rank, last.message_id) >= ($5, $6) \
             ORDER BY last.rank DESC, last.message_id DESC LIMIT 1)"
        )
    };
}

const CLAIM: &str = claim!("ORDER BY rank, message_id");
const CLAIM_LOWEST: &str = claim!(
    "AND rank = (SELECT rank FROM message WHERE queue = $1 AND state = 0 \
     AND (rank, message_id) >= ($5, $6) ORDER BY rank DESC, message_id DESC LIMIT 1) \
     ORDER BY message_id"
);

/// What a receiver asks for.
struct Terms<'a> {
    queue: &'a QueueName,
    max: usize,
    /// How many of these are to be the oldest of the lowest priority.
    due: usize,
    until: Timestamp,
    since: Option<i64>,
    floor: Place,
}

/// What a receiver gets.
pub struct Claimed {
    pub deliveries: Vec<Delivery>,
    /// How many of them could be received by themselves.
    pub heads: usize,
}

impl Writer {
    /// Leases messages to receivers, one a queue: highest priority first, then as they came, and
    /// the share of those that are passed over. Each that is the first of its key brings those
    /// behind it. Gives what each receiver gets.
    pub(super) async fn claim(&mut self, asking: &[(QueueName, Waiter)]) -> Result<Vec<Claimed>> {
        let begun = Instant::now();
        let terms: Vec<Terms<'_>> =
            asking.iter().map(|(queue, waiter)| self.terms(queue, waiter, begun)).collect();
        let timed = terms.iter().any(|one| self.floors.is_timed(one.queue, begun));
        if timed {
            // What was sent before is not to count.
            self.link.finish().await?;
        }
        let asked = Instant::now();
        let asked_for: Vec<_> = terms.iter().map(|one| (one, one.max - one.due)).collect();
        let answers = self.lease(CLAIM, &asked_for).await?;
        let (ended, all) = (Instant::now(), answers.iter().map(Vec::len).sum());
        let mut found = Vec::with_capacity(answers.len());
        for ((one, (_, waiter)), rows) in terms.iter().zip(asking).zip(answers) {
            let last = rows.iter().map(|row| (row.get(2), row.get(0))).max();
            if self.floors.is_timed(one.queue, begun) {
                self.floors.timed(one.queue, all, ended - asked, ended);
            }
            self.floors.claimed(one.queue, last);
            let rows = self.share_out(one, rows, last).await?;
            let deliveries = deliveries(one.queue, &rows);
            if !deliveries.is_empty() {
                self.expect_due(one.until);
            }
            let most = waiter.together.saturating_sub(1);
            let lines = if most == 0 { Vec::new() } else { untried(&rows) };
            let (heads, terms) = (deliveries.len(), (most, one.until.0, one.since));
            let deliveries = self.add_runs(one.queue, deliveries, &lines, terms).await?;
            found.push(Claimed { deliveries, heads });
        }
        Ok(found)
    }

    fn terms<'a>(&self, queue: &'a QueueName, waiter: &Waiter, begun: Instant) -> Terms<'a> {
        let share = self.shares.get(queue).copied().unwrap_or_default();
        Terms {
            queue,
            max: waiter.max,
            due: share.due(waiter.max),
            until: self.now.plus(waiter.lease),
            since: (waiter.purpose == Purpose::Work).then_some(self.now.0),
            floor: self.floors.start(queue, begun),
        }
    }

    /// Adds to what was taken by priority, up to a place, the share of those that are passed over.
    async fn share_out(
        &mut self,
        terms: &Terms<'_>,
        mut first: Vec<Row>,
        last_taken: Option<Place>,
    ) -> Result<Vec<Row>> {
        let (mut last, mut passed_over) = (Vec::new(), false);
        if first.len() == terms.max - terms.due {
            let lowest: Option<i16> = first.first().and_then(|row| row.get(8));
            passed_over = last_taken.is_some_and(|(rank, _)| lowest > Some(rank));
            last = self.lease_more(CLAIM_LOWEST, terms, terms.due).await?;
            first.extend(self.lease_more(CLAIM, terms, terms.due - last.len()).await?);
        }
        let before = self.shares.get(terms.queue).copied().unwrap_or_default();
        let mut share = before;
        share.took(first.len(), last.len(), passed_over);
        if share != before {
            self.shares.insert(terms.queue.clone(), share);
        }
        first.append(&mut last);
        Ok(first)
    }

    async fn lease_more(
        &mut self,
        sql: &'static str,
        terms: &Terms<'_>,
        max: usize,
    ) -> Result<Vec<Row>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        Ok(self.lease(sql, &[(terms, max)]).await?.into_iter().flatten().collect())
    }

    /// Leases up to so many on each of these terms.
    async fn lease(
        &mut self,
        sql: &'static str,
        asked_for: &[(&Terms<'_>, usize)],
    ) -> Result<Vec<Vec<Row>>> {
        let values: Vec<_> = asked_for
            .iter()
            .map(|(one, max)| (one.queue.as_str(), *max as i64, one.until.0, one.floor))
            .collect();
        let sets: Vec<[&(dyn Parameter + Sync); 6]> = asked_for
            .iter()
            .zip(&values)
            .map(|((one, _), (queue, max, until, (rank, id)))| {
                [queue as _, max as _, until as _, &one.since as _, rank as _, id as _]
            })
            .collect();
        let sets: Vec<Parameters<'_>> = sets.iter().map(<[_; 6]>::as_slice).collect();
        self.link.rows_of_each(sql, &sets).await
    }

    /// Makes leases last from now.
    pub(super) async fn extend(
        &mut self,
        leases: &[Lease],
        lease: Duration,
    ) -> Result<Vec<Extended>> {
        let until = self.now.plus(lease);
        let (ids, tokens) = columns(leases);
        let sql = "UPDATE message SET state = CASE state WHEN 6 THEN 6 ELSE 1 END, due = $3 \
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
        let sql = "UPDATE message SET state = CASE state WHEN 6 THEN 5 ELSE 0 END, due = NULL, \
             token = NULL, deliveries = deliveries - CASE state WHEN 6 THEN 0 ELSE 1 END \
             FROM unnest($1::bigint[], $2::bigint[]) AS held (id, token) \
             WHERE message_id = held.id AND message.token = held.token \
             RETURNING message_id, queue, job, abort, queue, key";
        let rows = self.link.rows(sql, &[&ids, &tokens]).await?;
        self.touched.note_rows(&rows, 4);
        for row in rows {
            match row.get::<_, Option<String>>(3) {
                Some(reason) => self.abort_reclaimed(row.get(0), row.get(2), &reason).await?,
                None => self.note_filled(&QueueName::from(row.get::<_, String>(1))),
            }
        }
        Ok(())
    }
}

/// The keys of those that were never handed out before, nor kept the place of such.
fn untried(rows: &[Row]) -> Vec<&str> {
    let untried = rows.iter().filter(|row| row.get::<_, i32>(3) == 1 && row.get(7));
    untried.filter_map(|row| row.get(6)).collect()
}

/// What a row tells of a message that is handed out.
pub(super) fn delivery(queue: &QueueName, row: &Row) -> Delivery {
    Delivery {
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
    }
}

/// In order: RETURNING promises none.
fn deliveries(queue: &QueueName, rows: &[Row]) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = rows.iter().map(|row| delivery(queue, row)).collect();
    deliveries.sort_unstable_by_key(|delivery| {
        (-i32::from(delivery.priority), delivery.lease.delivery_id)
    });
    deliveries
}

fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i64>) {
    leases.iter().map(|lease| (lease.delivery_id, lease.token as i64)).unzip()
}
