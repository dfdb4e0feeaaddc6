//! Messages of one key that are handed out together.
//!
//! [The migration](../migrations/0008_runs.sql) tells how they are kept. Those of a run come up to
//! the head of their line one after the other, whenever that is gone, also within one batch of
//! settlements.

use rusqlite::{OptionalExtension, params};

use super::batch::Writer;
use super::turns::LineRow;

/// Nothing, where some are out already.
const NEXT: &str = "SELECT message_id, deliveries FROM message \
     WHERE queue = ?1 AND key = ?2 AND state = 5 AND NOT EXISTS (SELECT 1 FROM message \
     WHERE queue = ?1 AND key = ?2 AND state = 6) ORDER BY rank, turn LIMIT ?3";

/// The first that is out behind a head, and whether one that may be before it went back.
const FIRST_OUT: &str = "SELECT message_id, EXISTS (SELECT 1 FROM message AS before \
     WHERE before.queue = ?1 AND before.key = ?2 AND before.state = 5 \
     AND before.rank = message.rank AND before.turn < message.turn) \
     FROM message WHERE queue = ?1 AND key = ?2 AND state = 6 ORDER BY rank, turn LIMIT 1";
const BRING_UP: &str =
    "UPDATE message SET state = 1, deliveries = deliveries + 1 WHERE message_id = ?1";
const FALL_BACK: &str = "UPDATE message SET state = 5, due = NULL, token = NULL \
     WHERE queue = ?1 AND key = ?2 AND state = 6";

impl Writer {
    /// Those directly behind the head of a line, to be handed out with it: up to so many, and none
    /// that was handed out before nor any behind such.
    pub(super) fn next_in_line(&self, line: &LineRow, max: usize) -> rusqlite::Result<Vec<i64>> {
        let mut select = self.connection.prepare_cached(NEXT)?;
        let mut rows = select.query(params![line.queue, line.key, max as i64])?;
        let mut next = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? > 0 {
                break;
            }
            next.push(row.get(0)?);
        }
        Ok(next)
    }

    /// Brings the first that is out behind the head of a line to its place, as it is. Its delivery
    /// counts from now on. Where one before it was given back, all that is out falls back instead.
    /// Tells whether one came up.
    pub(super) fn bring_up(&self, line: &LineRow) -> rusqlite::Result<bool> {
        let first: Option<(i64, bool)> = self
            .connection
            .prepare_cached(FIRST_OUT)?
            .query_row(params![line.queue, line.key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((first, is_passed)) = first else { return Ok(false) };
        if is_passed {
            self.connection.prepare_cached(FALL_BACK)?.execute(params![line.queue, line.key])?;
        } else {
            self.connection.prepare_cached(BRING_UP)?.execute([first])?;
        }
        Ok(!is_passed)
    }
}
