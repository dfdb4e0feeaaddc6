//! Small documents.

use rusqlite::{Connection, OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Record, RecordPage};

use super::corrupt;

const RECORD: &str = "SELECT key, revision, value, updated_at, expires_at FROM record \
     WHERE collection = ?1 AND (expires_at IS NULL OR expires_at > ?2)";

/// A record that has not expired.
pub fn record(
    connection: &Connection,
    collection: &str,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(&format!("{RECORD} AND key = ?3"))?
        .query_row(params![collection, now.0, key], read)
        .optional()
}

/// A page of the records that have not expired, in the order of the keys' bytes.
pub fn records(
    connection: &Connection,
    collection: &str,
    page: &RecordPage,
    now: Timestamp,
) -> rusqlite::Result<Vec<Record>> {
    let order =
        if page.descending { "key < ?3) ORDER BY key DESC" } else { "key > ?3) ORDER BY key" };
    let mut select =
        connection.prepare_cached(&format!("{RECORD} AND (?3 IS NULL OR {order} LIMIT ?4"))?;
    let limit = page.limit.min(PAGE_MAX);
    let rows = select.query_map(params![collection, now.0, page.after, limit], read)?;
    rows.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    let value: String = row.get(2)?;
    Ok(Record {
        key: row.get(0)?,
        revision: row.get::<_, i64>(1)? as u64,
        value: serde_json::from_str(&value).map_err(|error| corrupt(2, error))?,
        updated_at: Timestamp(row.get(3)?),
        expires_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
    })
}
