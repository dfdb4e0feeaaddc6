//! What is counted: gathered over a batch, and written once in its commit.

use rusqlite::params;
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::state::JobState;
use waystation_core::statistics::{EVER, Measure, count, minute};

use super::batch::Writer;

/// The most minutes that are forgotten in one transaction: others wait for it.
const FORGOTTEN_MAX: usize = 60;

impl Writer {
    /// Counts a job that came to its end at this moment.
    pub(super) fn count_ended(
        &mut self,
        (pipeline, stage): (i64, i64),
        state: JobState,
        created_at: Timestamp,
    ) -> rusqlite::Result<()> {
        let Some(measure) = Measure::of_end(state) else { return Ok(()) };
        let pipeline = PipelineName::new(self.names.text(&self.connection, pipeline)?);
        let stage = StageId::new(self.names.text(&self.connection, stage)?);
        let took = self.now.since(created_at);
        count(&mut self.sums, (&pipeline, &stage), measure, Some(took));
        Ok(())
    }

    /// Writes what the batch counted: for this minute, and since ever.
    pub(super) fn write_sums(&mut self) -> rusqlite::Result<()> {
        if self.sums.is_empty() {
            return Ok(());
        }
        let mut add = self.connection.prepare_cached(
            "INSERT INTO statistic (minute, pipeline, stage, measure, bucket, count, total_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (minute, pipeline, stage, measure, bucket) DO UPDATE \
             SET count = count + excluded.count, total_ms = total_ms + excluded.total_ms",
        )?;
        for (key, sum) in std::mem::take(&mut self.sums) {
            let pipeline = self.names.number(&self.connection, key.pipeline.as_str())?;
            let stage = self.names.number(&self.connection, key.stage.as_str())?;
            for minute in [EVER, minute(self.now)] {
                add.execute(params![
                    minute.0,
                    pipeline,
                    stage,
                    key.measure.number(),
                    key.bucket,
                    sum.count as i64,
                    sum.total_ms as i64,
                ])?;
            }
        }
        Ok(())
    }

    /// Forgets minutes before this moment, up to a limit. Tells whether there may be more.
    pub(super) fn forget_statistics(&mut self, before: Timestamp) -> rusqlite::Result<bool> {
        let minutes: Vec<i64> = self
            .connection
            .prepare_cached(
                "SELECT DISTINCT minute FROM statistic WHERE minute > ?1 AND minute < ?2 \
                 ORDER BY minute LIMIT ?3",
            )?
            .query_map(params![EVER.0, before.0, FORGOTTEN_MAX], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut forget =
            self.connection.prepare_cached("DELETE FROM statistic WHERE minute = ?1")?;
        for minute in &minutes {
            forget.execute([minute])?;
        }
        Ok(minutes.len() == FORGOTTEN_MAX)
    }
}
