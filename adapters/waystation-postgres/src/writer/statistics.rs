//! What is counted: gathered over a batch, and written in one statement with its commit.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::state::JobState;
use waystation_core::statistics::{EVER, Measure, count, minute};

use super::batch::{Result, Writer};
use crate::parameter::Parameter;

/// How many sets of rows there are to be added to. Processes that happen to have the same one wait
/// for each other's commits, and for nothing else: it is the last that a transaction writes.
const SLOTS: u64 = 16;

// In one order everywhere, so that of two who meet one waits for the other, not both.
const ADD: &str = "INSERT INTO statistic \
     (minute, slot, pipeline, stage, measure, bucket, count, total_ms) \
     SELECT minute, $1, pipeline, stage, measure, bucket, count, total_ms \
     FROM unnest($2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::bigint[], \
     $7::bigint[]) WITH ORDINALITY \
     AS new (pipeline, stage, measure, bucket, count, total_ms, place), \
     unnest($8::bigint[]) AS minute ORDER BY minute, place \
     ON CONFLICT (minute, slot, pipeline, stage, measure, bucket) DO UPDATE \
     SET count = statistic.count + excluded.count, \
     total_ms = statistic.total_ms + excluded.total_ms";

/// One of the slots, by chance.
pub fn any_slot() -> i16 {
    (RandomState::new().hash_one(0) % SLOTS) as i16
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
        let parameters: [&(dyn Parameter + Sync); 8] =
            [&self.slot, &pipelines, &stages, &measures, &buckets, &counts, &totals, &minutes];
        self.link.send(ADD, &parameters).await
    }
}
