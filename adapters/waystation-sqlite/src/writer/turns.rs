//! The order of messages that have one key.
//!
//! Between two commands every line with anybody in it has a head, so that whoever comes need look
//! at that alone. [The migration](../migrations/0007_turns.sql) tells what the columns mean; what
//! is out together with a head is [`super::runs`].

use rusqlite::{OptionalExtension, Row, params};
use waystation_core::id::QueueName;
use waystation_core::key::Key;
use waystation_core::settlement::Message;

use super::batch::Writer;
use super::rows::{BEHIND, OUT_BEHIND, READY};

/// The turn of a message that keeps the place of another.
pub const KEPT: i64 = 0;

/// Makes the first behind the head of a line ready.
const FIRST_BEHIND: &str = "UPDATE message SET state = 0 WHERE message_id = \
     (SELECT message_id FROM message WHERE queue = ?1 AND key = ?2 AND state = 5 \
     ORDER BY rank, turn LIMIT 1)";
const STEP_BEHIND: &str = "UPDATE message SET state = 5 WHERE message_id = ?1";

/// A line, by the number of its queue and its key.
pub struct LineRow {
    pub queue: i64,
    pub key: String,
}

/// The key in a column that may be empty.
pub fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Key>> {
    let text: Option<String> = row.get(column)?;
    // What lies there was a key when it was written.
    Ok(text.and_then(|text| Key::new(&text).ok()))
}

/// Where a message stands.
#[derive(Clone, Copy)]
pub struct Standing {
    pub state: i64,
    pub turn: Option<i64>,
}

struct Head {
    message: i64,
    rank: i64,
    turn: i64,
    /// Nobody has had it, and it can be received: others may go before it.
    is_fresh: bool,
}

impl LineRow {
    /// From two columns, of which the second one may be empty.
    pub fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let (queue, key) = (row.get(first)?, row.get::<_, Option<String>>(first + 1)?);
        Ok(key.map(|key| Self { queue, key }))
    }
}

impl Writer {
    /// Where a message stands that comes now: ready, unless another one of its key is there.
    pub(super) fn stand(&mut self, message: &Message) -> rusqlite::Result<Standing> {
        let Some(turn) = &message.turn else {
            return Ok(Standing { state: READY, turn: None });
        };
        let queue = self.names.number(&self.connection, message.queue.as_str())?;
        let line = LineRow { queue, key: turn.key.as_str().to_owned() };
        self.stand_in(&line, -i64::from(message.priority))
    }

    /// Takes the place in its line of a message that can be received from now on.
    pub(super) fn line_up(&mut self, message: i64) -> rusqlite::Result<()> {
        let mut select = self
            .connection
            .prepare_cached("SELECT queue, key, rank FROM message WHERE message_id = ?1")?;
        let (line, rank) =
            select.query_row([message], |row| Ok((LineRow::read(row, 0)?, row.get(2)?)))?;
        drop(select);
        let Some(line) = line else { return Ok(()) };
        let Standing { state, turn } = self.stand_in(&line, rank)?;
        self.connection
            .prepare_cached(
                "UPDATE message SET state = ?2, due = NULL, turn = ?3 WHERE message_id = ?1",
            )?
            .execute(params![message, state, turn])?;
        if state == READY {
            self.note_line_filled(&line)?;
        }
        Ok(())
    }

    /// Takes a message out of its line, whoever stands behind it moves up.
    pub(super) fn leave_line(&mut self, message: i64) -> rusqlite::Result<()> {
        let left = self
            .connection
            .prepare_cached(
                "UPDATE message SET turn = NULL WHERE message_id = ?1 AND turn IS NOT NULL \
                 RETURNING queue, key, state",
            )?
            .query_row([message], |row| Ok((LineRow::read(row, 0)?, row.get::<_, i64>(2)?)))
            .optional()?;
        match left {
            Some((Some(line), state)) if state != BEHIND && state != OUT_BEHIND => {
                self.move_up(&line)
            }
            _ => Ok(()),
        }
    }

    /// The head of a line is gone: the next one has its place, and can be received unless it is
    /// out already.
    pub(super) fn move_up(&mut self, line: &LineRow) -> rusqlite::Result<()> {
        if self.bring_up(line)? {
            return Ok(());
        }
        let moved =
            self.connection.prepare_cached(FIRST_BEHIND)?.execute(params![line.queue, line.key])?;
        if moved > 0 {
            self.note_line_filled(line)?;
        }
        Ok(())
    }

    fn stand_in(&mut self, line: &LineRow, rank: i64) -> rusqlite::Result<Standing> {
        let Some(head) = self.head(line)? else {
            return Ok(Standing { state: READY, turn: Some(KEPT + 1) });
        };
        if rank < head.rank && head.is_fresh {
            self.connection.prepare_cached(STEP_BEHIND)?.execute([head.message])?;
            return Ok(Standing { state: READY, turn: Some(head.turn + 1) });
        }
        // Of those of another rank the turn says nothing.
        let last: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT max(turn) FROM (SELECT max(turn) AS turn FROM message \
                 WHERE queue = ?1 AND key = ?2 AND rank = ?3 AND state = 5 \
                 UNION ALL SELECT max(turn) FROM message \
                 WHERE queue = ?1 AND key = ?2 AND rank = ?3 AND state = 6)",
            )?
            .query_row(params![line.queue, line.key, rank], |row| row.get(0))?;
        let turn = last.unwrap_or(KEPT).max(head.turn) + 1;
        Ok(Standing { state: BEHIND, turn: Some(turn) })
    }

    fn head(&self, line: &LineRow) -> rusqlite::Result<Option<Head>> {
        self.connection
            .prepare_cached(
                "SELECT message_id, rank, turn, state = 0 AND deliveries = 0 AND turn <> 0 \
                 FROM message \
                 WHERE queue = ?1 AND key = ?2 AND turn IS NOT NULL AND state <> 5 \
                 AND state <> 6",
            )?
            .query_row(params![line.queue, line.key], |row| {
                let (message, rank) = (row.get(0)?, row.get(1)?);
                Ok(Head { message, rank, turn: row.get(2)?, is_fresh: row.get(3)? })
            })
            .optional()
    }

    /// The head of a line was given back: those of a higher priority go before it again, if nobody
    /// has had it before.
    pub(super) fn give_way(&mut self, line: &LineRow) -> rusqlite::Result<()> {
        let Some(head) = self.head(line)?.filter(|head| head.is_fresh) else { return Ok(()) };
        let lowest: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT min(rank) FROM message WHERE queue = ?1 AND key = ?2 AND state = 5",
            )?
            .query_row(params![line.queue, line.key], |row| row.get(0))?;
        if lowest.is_some_and(|rank| rank < head.rank) {
            self.connection.prepare_cached(STEP_BEHIND)?.execute([head.message])?;
            self.connection.prepare_cached(FIRST_BEHIND)?.execute(params![line.queue, line.key])?;
        }
        Ok(())
    }

    fn note_line_filled(&mut self, line: &LineRow) -> rusqlite::Result<()> {
        let queue = QueueName::new(self.names.text(&self.connection, line.queue)?);
        self.note_filled(&queue);
        Ok(())
    }
}
