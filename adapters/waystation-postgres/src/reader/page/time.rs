//! Where a moment lies among the jobs.
//!
//! Numbers grow with the time, more or less: what several processes submit, and what a journal
//! tells of late, stands a little out of place. So the place is found by halves, where the median
//! of some neighbours speaks for each, and taken with a margin.

use waystation_core::clock::Timestamp;
use waystation_core::job::OUT_OF_PLACE_MAX;
use waystation_core::port::Error;

use super::Reader;

const PLACE: &str = "WITH RECURSIVE halves (low, high) AS ( \
     SELECT coalesce(min(job_number), 0), coalesce(max(job_number), 0) + 1 FROM job \
     UNION ALL SELECT CASE WHEN is_before THEN middle + 1 ELSE low END, \
     CASE WHEN is_before THEN high ELSE middle END \
     FROM (SELECT low, high, low + (high - low) / 2 AS middle FROM halves \
     WHERE low < high) AS half, \
     LATERAL (SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at) < $1, \
     false) AS is_before FROM (SELECT created_at FROM job WHERE job_number >= middle \
     ORDER BY job_number LIMIT 5) AS neighbours) AS looked) \
     SELECT low FROM halves WHERE low = high";

/// Where a moment lies, by the numbers of jobs.
pub struct Around {
    /// All that came at the moment or later stands here or behind it.
    pub earliest: i64,
    /// All that came before the moment stands before this.
    pub latest: i64,
}

impl Reader {
    /// Finds a moment.
    pub(super) async fn place_of(&self, moment: Timestamp) -> Result<Around, Error> {
        let rows = self.rows(PLACE, &[&moment.0]).await?;
        let place: i64 = rows.first().map_or(0, |row| row.get(0));
        let margin = OUT_OF_PLACE_MAX as i64;
        Ok(Around { earliest: place.saturating_sub(margin), latest: place.saturating_add(margin) })
    }
}
