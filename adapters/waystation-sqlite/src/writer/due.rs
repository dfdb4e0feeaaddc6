//! What becomes due by itself: delays that are over and leases that ran out.

use rusqlite::{Connection, params};
use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{PipelineName, StageId};
use waystation_core::statistics::count_events;

use super::batch::Writer;
use super::rows::{HELD, OUT_BEHIND, READY};

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
    /// Whether it was out behind another one, so that nobody had begun with it.
    is_behind: bool,
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
                 (SELECT message_id FROM message WHERE state = ?2 AND due <= ?3 \
                 AND (key IS NULL OR turn IS NOT NULL) ORDER BY due LIMIT ?4)",
            )?
            .execute(params![READY, HELD, self.now.0, DUE_MAX])?;
        let held = held + self.line_up_due()?;
        let abandoned = abandoned(&self.connection, self.now)?;
        self.reclaim(&abandoned)?;
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

    /// Those with a key that have no place in line yet take one.
    fn line_up_due(&mut self) -> rusqlite::Result<usize> {
        let due: Vec<i64> = self
            .connection
            .prepare_cached(
                "SELECT message_id FROM message WHERE state = ?1 AND due <= ?2 \
                 AND key IS NOT NULL AND turn IS NULL ORDER BY due, message_id LIMIT ?3",
            )?
            .query_map(params![HELD, self.now.0, DUE_MAX], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for message in &due {
            self.line_up(*message)?;
        }
        Ok(due.len())
    }

    /// Makes abandoned deliveries ready again and writes down that they were abandoned. The token
    /// stays: until somebody else gets the delivery, its late holder may still settle it. What was
    /// behind others returns there, as if it had not been handed out.
    fn reclaim(&mut self, abandoned: &[Abandoned]) -> rusqlite::Result<()> {
        for lost in abandoned {
            self.connection
                .prepare_cached(
                    "UPDATE message SET state = iif(state = 6, 5, 0), due = NULL, \
                     token = iif(state = 6, NULL, token) WHERE message_id = ?1",
                )?
                .execute([lost.message])?;
            if lost.worked && !lost.is_behind {
                self.note_abandoned(lost)?;
            }
        }
        Ok(())
    }

    fn note_abandoned(&mut self, lost: &Abandoned) -> rusqlite::Result<()> {
        let (job_id, pipeline, stage): (String, i64, i64) = self
            .connection
            .prepare_cached("SELECT job_id, pipeline, stage FROM job WHERE job_number = ?1")?
            .query_row([lost.job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let pipeline = PipelineName::new(self.names.text(&self.connection, pipeline)?);
        // What cannot be parsed is found out by the worker that gets it.
        let (visit, attempt) = Contract::parse(&lost.body)
            .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
        let events = [Event {
            job_id: job_id.into(),
            kind: EventKind::Abandoned,
            stage: StageId::new(self.names.text(&self.connection, stage)?),
            visit,
            attempt,
            at: self.now,
            detail: Some(json!({ "deliveries": lost.deliveries })),
        }];
        count_events(&mut self.sums, &pipeline, &events, None);
        self.insert_events(lost.job, &events)
    }
}

/// Ends every lease in the file. For a process that knows it is alone: what was leased is due at
/// once, and the next batch takes it back.
pub fn expire_all(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE message SET due = 0 WHERE due IS NOT NULL AND state IN (1, 6)", [])?;
    Ok(())
}

fn abandoned(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Abandoned>> {
    let mut select = connection.prepare_cached(
        "SELECT message_id, job, deliveries, abort, body, leased_at IS NOT NULL, state = ?1 \
         FROM message WHERE state IN (1, ?1) AND due <= ?2 ORDER BY due LIMIT ?3",
    )?;
    let rows = select.query_map(params![OUT_BEHIND, now.0, DUE_MAX], |row| {
        Ok(Abandoned {
            message: row.get(0)?,
            job: row.get(1)?,
            deliveries: row.get(2)?,
            abort: row.get(3)?,
            body: row.get(4)?,
            worked: row.get(5)?,
            is_behind: row.get(6)?,
        })
    })?;
    rows.collect()
}
