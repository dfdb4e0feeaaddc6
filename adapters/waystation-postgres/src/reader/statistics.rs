//! What was counted, of all slots together.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::port::Error;
use waystation_core::statistics::{EVER, Key, Measure, Period, Statistic, Sum, minute};

use super::Reader;

/// The most rows that are forgotten in one transaction.
const FORGOTTEN_MAX: i64 = 10_000;

impl Reader {
    /// What was counted in a period, by minutes.
    pub async fn statistics(&self, period: &Period) -> Result<Vec<Statistic>, Error> {
        let (from, to) = match period {
            Period::Ever => (EVER, EVER),
            Period::Minutes(from, to) => (minute(*from).max(Timestamp(EVER.0 + 1)), minute(*to)),
        };
        let sql = "SELECT minute, pipeline, stage, measure, bucket, sum(count)::bigint, \
             sum(total_ms)::bigint FROM statistic WHERE minute BETWEEN $1 AND $2 \
             GROUP BY minute, pipeline, stage, measure, bucket \
             ORDER BY minute, pipeline, stage, measure, bucket";
        let rows = self.rows(sql, &[&from.0, &to.0]).await?;
        rows.iter().map(|row| self.statistic(row)).collect()
    }

    fn statistic(&self, row: &Row) -> Result<Statistic, Error> {
        let key = Key {
            pipeline: row.get::<_, &str>(1).into(),
            stage: row.get::<_, &str>(2).into(),
            measure: self.nth(row.get(3), &Measure::ALL, "measure")?,
            bucket: row.get::<_, i16>(4) as u8,
        };
        let (count, total_ms) = (row.get::<_, i64>(5) as u64, row.get::<_, i64>(6) as u64);
        Ok(Statistic { minute: Timestamp(row.get(0)), key, sum: Sum { count, total_ms } })
    }

    /// Forgets the minutes before this moment, a part at a time.
    pub async fn forget_statistics(&self, before: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM statistic WHERE ctid = ANY(ARRAY(SELECT ctid FROM statistic \
             WHERE minute > $1 AND minute < $2 LIMIT $3)) RETURNING 1";
        let forgotten = FORGOTTEN_MAX as usize;
        while self.change(sql, &[&EVER.0, &before.0, &FORGOTTEN_MAX]).await?.len() == forgotten {}
        Ok(())
    }
}
