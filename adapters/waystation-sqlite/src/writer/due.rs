//! What becomes due by itself: delays that are over and leases that ran out.

use rusqlite::{Connection, params};
use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;

use super::batch::Writer;
use super::rows::{HELD, LEASED, READY, kind_number};

/// The most that becomes due in one transaction; the rest is due in the next.
const DUE_MAX: i64 = 5_000;

/// A delivery whose lease ran out.
struct Abandoned {
    message: i64,
    job: i64,
    deliveries: u32,
    abort: Option<String>,
    body: Vec<u8>,
    /// Whether it was being worked on, not only carried.
    worked: bool,
}

impl Writer {
    /// Releases what is due, up to a limit, and finds out when the next is. Tells whether there
    /// was anything.
    pub(super) fn release_due(&mut self) -> rusqlite::Result<bool> {
        if self.next_due.is_none_or(|due| due > self.now) {
            return Ok(false);
        }
        let held = self
            .connection
            .prepare_cached(
                "UPDATE message SET state = ?1, due = NULL WHERE message_id IN \
                 (SELECT message_id FROM message \
                 WHERE state = ?2 AND due <= ?3 ORDER BY due LIMIT ?4)",
            )?
            .execute(params![READY, HELD, self.now.0, DUE_MAX])?;
        let abandoned = abandoned(&self.connection, self.now)?;
        reclaim(&self.connection, &abandoned, self.now)?;
        for lost in abandoned.iter().filter(|lost| lost.worked && lost.abort.is_some()) {
            self.abort_reclaimed(lost.message)?;
        }
        if held > 0 || !abandoned.is_empty() {
            self.waiters.promise_all();
        }
        self.next_due = self
            .connection
            .prepare_cached("SELECT min(due) FROM message WHERE due IS NOT NULL")?
            .query_row([], |row| row.get::<_, Option<i64>>(0))?
            .map(Timestamp);
        Ok(held > 0 || !abandoned.is_empty())
    }
}

/// Ends every lease in the file. For a process that knows it is alone: what was leased is due at
/// once, and the next batch takes it back.
pub fn expire_all(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE message SET due = 0 WHERE due IS NOT NULL AND state = ?1", [LEASED])?;
    Ok(())
}

fn abandoned(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Abandoned>> {
    let mut select = connection.prepare_cached(
        "SELECT message_id, job, deliveries, abort, body, leased_at IS NOT NULL FROM message \
         WHERE state = ?1 AND due <= ?2 ORDER BY due LIMIT ?3",
    )?;
    let rows = select.query_map(params![LEASED, now.0, DUE_MAX], |row| {
        Ok(Abandoned {
            message: row.get(0)?,
            job: row.get(1)?,
            deliveries: row.get(2)?,
            abort: row.get(3)?,
            body: row.get(4)?,
            worked: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Makes abandoned deliveries ready again and writes down that they were abandoned. The token
/// stays: until somebody else gets the delivery, its late holder may still settle it.
fn reclaim(
    connection: &Connection,
    abandoned: &[Abandoned],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut release = connection
        .prepare_cached("UPDATE message SET state = ?1, due = NULL WHERE message_id = ?2")?;
    let mut note = connection.prepare_cached(
        "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
         SELECT job_number, ?2, stage, ?3, ?4, ?5, ?6 FROM job WHERE job_number = ?1",
    )?;
    for lost in abandoned {
        release.execute(params![READY, lost.message])?;
        if !lost.worked {
            continue;
        }
        // What cannot be parsed is found out by the worker that gets it.
        let (visit, attempt) = Contract::parse(&lost.body)
            .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
        note.execute(params![
            lost.job,
            kind_number(EventKind::Abandoned),
            visit,
            attempt,
            now.0,
            json!({ "deliveries": lost.deliveries }).to_string(),
        ])?;
    }
    Ok(())
}
