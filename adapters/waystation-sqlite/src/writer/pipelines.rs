//! Keeping pipelines' texts by version.

use rusqlite::{OptionalExtension, params};
use waystation_core::id::PipelineName;

use super::batch::Writer;

impl Writer {
    /// The version of this text: the newest one's when it is the same, the next otherwise.
    pub(super) fn put_pipeline(
        &mut self,
        name: &PipelineName,
        source: &str,
    ) -> rusqlite::Result<u32> {
        let newest: Option<(u32, String)> = self
            .connection
            .prepare_cached(
                "SELECT version, source FROM pipeline WHERE name = ?1 \
                 ORDER BY version DESC LIMIT 1",
            )?
            .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let version = match newest {
            Some((version, known)) if known == source => return Ok(version),
            Some((version, _)) => version + 1,
            None => 1,
        };
        self.connection
            .prepare_cached("INSERT INTO pipeline (name, version, source) VALUES (?1, ?2, ?3)")?
            .execute(params![name.as_str(), version, source])?;
        Ok(version)
    }
}
