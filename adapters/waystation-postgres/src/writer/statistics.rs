//! What is counted: gathered over a batch, and written in one statement with its commit.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::state::JobState;
use waystation_core::statistics::{EVER, Measure, count, minute};

use super::batch::{Result, Writer};
use crate::parameter::Parameter;

/// How many sets of rows there are to be added to.
const SLOTS: i32 = 16;
/// The first number of the lock that stands for a slot; the second is the slot's.
const SLOT_LOCK: i32 = 0x5741_5953;

// A process adds to its own slot, or to one of two others where somebody else is about to commit
// there: else they would wait for each other's commits. Rows go in one order everywhere, so that of
// two who meet all the same one waits for the other, not both.
const ADD: &str = "WITH chosen AS MATERIALIZED (SELECT CASE \
     WHEN pg_try_advisory_xact_lock($9, $1) THEN $1 \
     WHEN pg_try_advisory_xact_lock($9, ($1 + 5) % $10) THEN ($1 + 5) % $10 \
     ELSE ($1 + 11) % $10 END AS slot) \
     INSERT INTO statistic \
     (minute, slot, pipeline, stage, measure, bucket, count, total_ms) \
     SELECT minute, slot, pipeline, stage, measure, bucket, count, total_ms \
     FROM chosen, unnest($2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::bigint[], \
     $7::bigint[]) WITH ORDINALITY \
     AS new (pipeline, stage, measure, bucket, count, total_ms, place), \
     unnest($8::bigint[]) AS minute ORDER BY minute, place \
     ON CONFLICT (minute, slot, pipeline, stage, measure, bucket) DO UPDATE \
     SET count = statistic.count + excluded.count, \
     total_ms = statistic.total_ms + excluded.total_ms";

/// One of the slots, by chance.
pub fn any_slot() -> i32 {
    (RandomState::new().hash_one(0) % u64::from(SLOTS.unsigned_abs())) as i32
}

impl Writer {
    /// Counts a job that came to its end at this moment.
    pub(super) fn count_ended(
        &mut self,
        pipeline: &PipelineName,
        stage: &StageId,
        state: JobState,
        created_at: Option<Timestamp>,
    ) {
        let Some(measure) = Measure::of_end(state) else { return };
        let took: Option<Duration> = created_at.map(|moment| self.now.since(moment));
        count(&mut self.sums, (pipeline, stage), measure, took);
    }

    /// Writes what the batch counted: for this minute, and since ever.
    pub(super) async fn write_sums(&mut self) -> Result<()> {
        if self.sums.is_empty() {
            return Ok(());
        }
        let sums = std::mem::take(&mut self.sums);
        let pipelines: Vec<&str> = sums.keys().map(|key| key.pipeline.as_str()).collect();
        let stages: Vec<&str> = sums.keys().map(|key| key.stage.as_str()).collect();
        let measures: Vec<i16> = sums.keys().map(|key| i16::from(key.measure.number())).collect();
        let buckets: Vec<i16> = sums.keys().map(|key| i16::from(key.bucket)).collect();
        let counts: Vec<i64> = sums.values().map(|sum| sum.count as i64).collect();
        let totals: Vec<i64> = sums.values().map(|sum| sum.total_ms as i64).collect();
        let minutes = vec![EVER.0, minute(self.now).0];
        let parameters: [&(dyn Parameter + Sync); 10] = [
            &self.slot, &pipelines, &stages, &measures, &buckets, &counts, &totals, &minutes,
            &SLOT_LOCK, &SLOTS,
        ];
        self.link.send(ADD, &parameters).await
    }
}
