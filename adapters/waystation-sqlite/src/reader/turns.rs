//! Who goes before a job that is behind others of its key.

use rusqlite::{Connection, OptionalExtension};
use waystation_core::id::JobId;
use waystation_core::job::Behind;
use waystation_core::key::Key;

/// What a job waits for that is behind others of its key.
pub fn behind(connection: &Connection, job_id: &JobId) -> rusqlite::Result<Option<Behind>> {
    connection
        .prepare_cached(
            "SELECT own.key, first.job_id, 1 + (SELECT count(*) FROM message AS other \
             WHERE other.queue = own.queue AND other.key = own.key AND other.state = 5 \
             AND (other.rank, other.turn) < (own.rank, own.turn)) \
             + (SELECT count(*) FROM message AS other \
             WHERE other.queue = own.queue AND other.key = own.key AND other.state = 6) \
             FROM job JOIN message AS own \
             ON own.message_id = job.live AND own.job = job.job_number AND own.state = 5 \
             JOIN message AS head ON head.queue = own.queue AND head.key = own.key \
             AND head.turn IS NOT NULL AND head.state <> 5 AND head.state <> 6 \
             JOIN job AS first ON first.job_number = head.job WHERE job.job_id = ?1",
        )?
        .query_row([job_id.as_str()], |row| {
            let (key, first): (String, String) = (row.get(0)?, row.get(1)?);
            let ahead = row.get(2)?;
            Ok(Key::new(&key).ok().map(|key| Behind { key, first: JobId::from(first), ahead }))
        })
        .optional()
        .map(Option::flatten)
}
