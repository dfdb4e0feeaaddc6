//! The order of messages that have one key.
//!
//! Whatever a transaction changes of a line is noted, and the line is moved up at its end, under a
//! lock that all who change this line take: what came behind the first while that was about to go
//! is seen by one of the two. [The migration](../migrations/0007_turns.sql) tells what the columns
//! mean; what is out together with a head is [`super::runs`].

use std::collections::{BTreeSet, HashSet};

use tokio_postgres::Row;
use waystation_core::id::QueueName;
use waystation_core::key::{Key, hash};

use super::batch::{Result, Writer};
use crate::rows::BEHIND;

/// Lines share so many locks: the server has room for some thousands in all.
const STRIPES: i32 = 128;
/// "KEYS": tells these locks from other people's.
const LOCKS: i32 = 0x4b45_5953;

// Taken in one order by everybody, so that nobody waits in a circle.
const LOCK: &str = "SELECT pg_advisory_xact_lock($1, stripe) FROM unnest($2::integer[]) AS stripe";
/// What is to have each line's head: the first that is out, whether one that may be before it went
/// back, the first behind; and the head where it must make room for that one.
const NEXT: &str = "SELECT line.queue, line.key, up.message_id, up.is_passed, first.message_id, \
     head.message_id FROM unnest($1::text[], $2::text[]) AS line (queue, key) \
     LEFT JOIN LATERAL (SELECT message_id, rank FROM message \
     WHERE queue = line.queue AND key = line.key AND state = 5 \
     ORDER BY rank, coalesce(turn, message_id) LIMIT 1) AS first ON true \
     LEFT JOIN LATERAL (SELECT message_id, rank, \
     state = 0 AND deliveries = 0 AND turn IS DISTINCT FROM 0 AS fresh FROM message \
     WHERE queue = line.queue AND key = line.key \
     AND key IS NOT NULL AND (state < 2 OR turn = 0 AND state IN (2, 4))) AS head ON true \
     LEFT JOIN LATERAL (SELECT message_id, EXISTS (SELECT 1 FROM message AS before \
     WHERE before.queue = line.queue AND before.key = line.key AND before.state = 5 \
     AND before.rank = message.rank AND coalesce(before.turn, before.message_id) \
     < coalesce(message.turn, message.message_id)) AS is_passed FROM message \
     WHERE queue = line.queue AND key = line.key AND state = 6 \
     ORDER BY rank, coalesce(turn, message_id) LIMIT 1) AS up ON head.message_id IS NULL \
     WHERE head.message_id IS NULL AND coalesce(up.message_id, first.message_id) IS NOT NULL \
     OR head.fresh AND first.rank < head.rank";
// Its delivery counts from now on.
const BRING_UP: &str = "UPDATE message SET state = 1, deliveries = deliveries + 1 \
     WHERE message_id = ANY($1) AND state = 6 RETURNING queue, key";
const FALL_BACK: &str = "UPDATE message SET state = 5, due = NULL, token = NULL \
     FROM unnest($1::text[], $2::text[]) AS line (queue, key) \
     WHERE message.queue = line.queue AND message.key = line.key AND state = 6";
// Somebody may have received it meanwhile.
const MAKE_ROOM: &str = "UPDATE message SET state = 5 \
     WHERE message_id = ANY($1) AND state = 0 AND deliveries = 0 RETURNING message_id";
const MOVE_UP: &str = "UPDATE message SET state = 0 WHERE message_id = ANY($1) AND state = 5 \
     RETURNING queue";

/// The lines that a transaction changes.
#[derive(Default)]
pub struct Touched(Lines);

/// Queues and keys.
type Lines = BTreeSet<(String, String)>;

impl Touched {
    /// The line of a message, if it has a key.
    pub fn note(&mut self, queue: &str, key: Option<&str>) {
        if let Some(key) = key {
            self.0.insert((queue.to_owned(), key.to_owned()));
        }
    }

    /// The lines in two columns of each row.
    pub fn note_rows(&mut self, rows: &[Row], queue: usize) {
        for row in rows {
            self.note(row.get(queue), row.get(queue + 1));
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Writer {
    /// Moves up the lines that were changed.
    pub(super) async fn move_lines_up(&mut self) -> Result<()> {
        let touched = std::mem::take(&mut self.touched.0);
        if touched.is_empty() {
            return Ok(());
        }
        let stripes: BTreeSet<i32> = touched.iter().map(|(_, key)| stripe(key)).collect();
        let stripes: Vec<i32> = stripes.into_iter().collect();
        self.link.send(LOCK, &[&LOCKS, &stripes]).await?;
        let mut lines = touched;
        while !lines.is_empty() {
            lines = self.move_up(&lines).await?;
        }
        Ok(())
    }

    /// Gives these lines their heads. Those are to be looked at again of which something that was
    /// out was found, and is not any more.
    async fn move_up(&mut self, lines: &Lines) -> Result<Lines> {
        let (queues, keys): (Vec<&str>, Vec<&str>) =
            lines.iter().map(|(queue, key)| (queue.as_str(), key.as_str())).unzip();
        let rows = self.link.rows(NEXT, &[&queues, &keys]).await?;
        let (out, rows): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.get::<_, Option<i64>>(2).is_some());
        let again = self.bring_up(&out).await?;
        let heads: Vec<i64> = rows.iter().filter_map(|row| row.get(5)).collect();
        let mut moved: HashSet<i64> = HashSet::new();
        if !heads.is_empty() {
            let rows = self.link.rows(MAKE_ROOM, &[&heads]).await?;
            moved.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
        let is_free =
            |row: &&Row| row.get::<_, Option<i64>>(5).is_none_or(|head| moved.contains(&head));
        let first: Vec<i64> = rows.iter().filter(is_free).map(|row| row.get(4)).collect();
        if first.is_empty() {
            return Ok(again);
        }
        let rows = self.link.rows(MOVE_UP, &[&first]).await?;
        let filled: BTreeSet<&str> = rows.iter().map(|row| row.get(0)).collect();
        for queue in filled {
            let queue = QueueName::from(queue);
            self.note_filled(&queue);
            self.moved.insert(queue);
        }
        Ok(again)
    }

    /// Brings to the head what is out behind it, or has all that is out fall back where one before
    /// went back. Tells the lines that have no head yet.
    async fn bring_up(&mut self, out: &[Row]) -> Result<Lines> {
        if out.is_empty() {
            return Ok(Lines::new());
        }
        let line = |row: &Row| (row.get::<_, String>(0), row.get::<_, String>(1));
        let mut again: Lines = out.iter().map(line).collect();
        let (passed, up): (Vec<&Row>, Vec<&Row>) = out.iter().partition(|row| row.get(3));
        if !up.is_empty() {
            let ids: Vec<i64> = up.iter().map(|row| row.get(2)).collect();
            for row in self.link.rows(BRING_UP, &[&ids]).await? {
                again.remove(&line(&row));
            }
        }
        if !passed.is_empty() {
            let (queues, keys): (Vec<&str>, Vec<&str>) =
                passed.iter().map(|row| (row.get::<_, &str>(0), row.get::<_, &str>(1))).unzip();
            self.link.send(FALL_BACK, &[&queues, &keys]).await?;
        }
        Ok(again)
    }

    /// Gives messages the next places in their lines, in this order.
    pub(super) async fn line_up(&mut self, messages: &[i64]) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        // The numbers that messages have: whoever comes later has a higher one.
        let sql = "SELECT nextval(pg_get_serial_sequence('message', 'message_id')) \
             FROM generate_series(1, $1)";
        let rows = self.link.rows(sql, &[&(messages.len() as i32)]).await?;
        let mut turns: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        turns.sort_unstable();
        let sql = "UPDATE message SET state = $3, due = NULL, turn = new.turn \
             FROM unnest($1::bigint[], $2::bigint[]) AS new (id, turn) \
             WHERE message_id = new.id RETURNING queue, key";
        let rows = self.link.rows(sql, &[&messages.to_vec(), &turns, &BEHIND]).await?;
        self.touched.note_rows(&rows, 0);
        Ok(())
    }
}

/// What lies in a column was a key when it was written.
pub fn key(text: &str) -> Option<Key> {
    Key::new(text).ok()
}

fn stripe(key: &str) -> i32 {
    i32::from(hash(key)) % STRIPES
}
