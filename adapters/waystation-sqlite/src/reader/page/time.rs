//! Where a moment lies among the jobs.
//!
//! Numbers grow with the time, more or less: what several processes submit, and what a journal
//! tells of late, stands a little out of place. So the place is found by halves, where the median
//! of some neighbours speaks for each, and taken with a margin.

use rusqlite::{Connection, params};
use waystation_core::clock::Timestamp;
use waystation_core::job::OUT_OF_PLACE_MAX;

/// How many neighbours are asked.
const NEIGHBOURS: usize = 5;

/// Where a moment lies, by the numbers of jobs.
pub struct Place {
    /// All that came at the moment or later stands here or behind it.
    pub earliest: i64,
    /// All that came before the moment stands before this.
    pub latest: i64,
}

/// Finds a moment.
pub fn place(connection: &Connection, moment: Timestamp) -> rusqlite::Result<Place> {
    let (mut low, mut high): (i64, i64) = connection
        .prepare_cached(
            "SELECT coalesce((SELECT min(job_number) FROM job), 0), \
             coalesce((SELECT max(job_number) FROM job), 0) + 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    while low < high {
        let middle = low + (high - low) / 2;
        match median(connection, middle)? {
            Some(time) if time < moment => low = middle + 1,
            _ => high = middle,
        }
    }
    let margin = OUT_OF_PLACE_MAX as i64;
    Ok(Place { earliest: low.saturating_sub(margin), latest: low.saturating_add(margin) })
}

/// When the jobs came that stand there.
fn median(connection: &Connection, number: i64) -> rusqlite::Result<Option<Timestamp>> {
    let mut select = connection.prepare_cached(
        "SELECT created_at FROM job WHERE job_number >= ?1 ORDER BY job_number LIMIT ?2",
    )?;
    let rows = select.query_map(params![number, NEIGHBOURS], |row| row.get(0).map(Timestamp))?;
    let mut moments: Vec<Timestamp> = rows.collect::<rusqlite::Result<_>>()?;
    moments.sort_unstable();
    Ok(moments.get(moments.len() / 2).copied())
}
