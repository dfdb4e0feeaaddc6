//! Small documents.

use rusqlite::{OptionalExtension, params};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Expected, Put};

use super::batch::Writer;
use super::command::NewRecord;

impl Writer {
    /// Writes a record, if what is expected is there.
    pub(super) fn put_record(
        &mut self,
        record: &NewRecord,
        expected: Expected,
    ) -> rusqlite::Result<Put> {
        let there = self.revision_of(&record.collection, &record.key)?;
        if !expected.is_met(there) {
            return Ok(Put::Conflict);
        }
        let revision: i64 = self
            .connection
            .prepare_cached(
                "REPLACE INTO record (collection, key, value, updated_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5) RETURNING revision",
            )?
            .query_row(
                params![
                    record.collection,
                    record.key,
                    record.value,
                    self.now.0,
                    record.expires_at.map(|moment| moment.0),
                ],
                |row| row.get(0),
            )?;
        Ok(Put::Kept(revision as u64))
    }

    /// Removes a record, if what is expected is there. Tells whether it did.
    pub(super) fn remove_record(
        &mut self,
        collection: &str,
        key: &str,
        expected: Expected,
    ) -> rusqlite::Result<bool> {
        let Some(there) = self.revision_of(collection, key)? else { return Ok(false) };
        if !expected.is_met(Some(there)) {
            return Ok(false);
        }
        self.connection
            .prepare_cached("DELETE FROM record WHERE revision = ?1")?
            .execute([there as i64])?;
        Ok(true)
    }

    /// Clears away what has expired, up to a limit. Tells how many there were.
    pub(super) fn clear_records(&mut self) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(
                "DELETE FROM record WHERE revision IN (SELECT revision FROM record \
                 WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute(params![self.now.0, PAGE_MAX])
    }

    /// The revision of a record that has not expired.
    pub(super) fn revision_of(&self, collection: &str, key: &str) -> rusqlite::Result<Option<u64>> {
        self.connection
            .prepare_cached(
                "SELECT revision FROM record WHERE collection = ?1 AND key = ?2 \
                 AND (expires_at IS NULL OR expires_at > ?3)",
            )?
            .query_row(params![collection, key, self.now.0], |row| row.get::<_, i64>(0))
            .optional()
            .map(|revision| revision.map(|revision| revision as u64))
    }
}
