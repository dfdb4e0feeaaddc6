//! What was counted.

use rusqlite::{Connection, params};
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::statistics::{EVER, Key, Measure, Period, Statistic, Sum, minute};

use super::nth;

/// What was counted in a period, by minutes.
pub fn statistics(connection: &Connection, period: &Period) -> rusqlite::Result<Vec<Statistic>> {
    let (from, to) = match period {
        Period::Ever => (EVER, EVER),
        Period::Minutes(from, to) => (minute(*from).max(Timestamp(EVER.0 + 1)), minute(*to)),
    };
    let mut select = connection.prepare_cached(
        "SELECT minute, pipeline.text, stage.text, measure, bucket, count, total_ms \
         FROM statistic JOIN name AS pipeline ON pipeline.name_id = statistic.pipeline \
         JOIN name AS stage ON stage.name_id = statistic.stage \
         WHERE minute BETWEEN ?1 AND ?2 ORDER BY minute, pipeline.text, stage.text, 4, 5",
    )?;
    let rows = select.query_map(params![from.0, to.0], |row| {
        let (pipeline, stage): (String, String) = (row.get(1)?, row.get(2)?);
        Ok(Statistic {
            minute: Timestamp(row.get(0)?),
            key: Key {
                pipeline: PipelineName::from(pipeline),
                stage: StageId::from(stage),
                measure: nth(row, 3, &Measure::ALL)?,
                bucket: row.get(4)?,
            },
            sum: Sum { count: row.get(5)?, total_ms: row.get(6)? },
        })
    })?;
    rows.collect()
}
