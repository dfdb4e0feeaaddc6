//! Small documents. Each call is one statement, apart from the transactions that move jobs.

use serde_json::Value;
use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Expected, Put, Record, RecordPage};

use super::Reader;
use crate::parameter::Parameter;

const INSERT: &str = "INSERT INTO record \
     (collection, key, revision, value, updated_at, expires_at) \
     VALUES ($1, $2, nextval('record_revision'), $3, $4, $5) \
     ON CONFLICT (collection, key) DO UPDATE SET revision = nextval('record_revision'), \
     value = excluded.value, updated_at = excluded.updated_at, expires_at = excluded.expires_at";
const UPDATE: &str = "UPDATE record SET revision = nextval('record_revision'), value = $3, \
     updated_at = $4, expires_at = $5 WHERE collection = $1 AND key = $2 AND revision = $6 \
     AND (expires_at IS NULL OR expires_at > $4) RETURNING revision";
const REMOVE: &str = "DELETE FROM record WHERE collection = $1 AND key = $2 \
     AND (expires_at IS NULL OR expires_at > $3) AND ($4::bigint IS NULL OR revision = $4) \
     RETURNING revision";
const CLEAR: &str = "DELETE FROM record WHERE (collection, key) IN \
     (SELECT collection, key FROM record WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) \
     AND expires_at <= $1 RETURNING revision";
const RECORD: &str = "SELECT key, revision, value, updated_at, expires_at FROM record \
     WHERE collection = $1 AND (expires_at IS NULL OR expires_at > $2)";

impl Reader {
    /// Writes a record, if what is expected is there.
    pub async fn put_record(
        &self,
        (collection, key): (&str, &str),
        value: &Value,
        expected: Expected,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Put, Error> {
        let (value, expires_at) = (value.to_string(), expires_at.map(|moment| moment.0));
        let common: [&(dyn Parameter + Sync); 5] = [&collection, &key, &value, &now.0, &expires_at];
        let rows = match expected {
            Expected::Any => self.change(&format!("{INSERT} RETURNING revision"), &common).await?,
            Expected::Absent => {
                let sql = format!("{INSERT} WHERE record.expires_at <= $4 RETURNING revision");
                self.change(&sql, &common).await?
            }
            Expected::Revision(revision) => {
                let revision = revision as i64;
                let [collection, key, value, now, expires_at] = common;
                let all = [collection, key, value, now, expires_at, &revision];
                self.change(UPDATE, &all).await?
            }
        };
        let revision = rows.first().map(|row| row.get::<_, i64>(0) as u64);
        Ok(revision.map_or(Put::Conflict, Put::Kept))
    }

    /// A record that has not expired.
    pub async fn record(
        &self,
        collection: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, Error> {
        if has_nul(&[collection, key]) {
            return Ok(None);
        }
        let sql = format!("{RECORD} AND key = $3");
        let rows = self.rows(&sql, &[&collection, &now.0, &key]).await?;
        rows.first().map(|row| self.read_record(row)).transpose()
    }

    /// A page of the records that have not expired, in the order of the keys' bytes.
    pub async fn records(
        &self,
        collection: &str,
        page: &RecordPage,
        now: Timestamp,
    ) -> Result<Vec<Record>, Error> {
        let after = page.after.as_deref();
        if has_nul(&[collection, after.unwrap_or_default()]) {
            return Ok(Vec::new());
        }
        let order =
            if page.descending { "key < $3) ORDER BY key DESC" } else { "key > $3) ORDER BY key" };
        let sql = format!("{RECORD} AND ($3::text IS NULL OR {order} LIMIT $4");
        let limit = page.limit.min(PAGE_MAX) as i64;
        let rows = self.rows(&sql, &[&collection, &now.0, &after, &limit]).await?;
        rows.iter().map(|row| self.read_record(row)).collect()
    }

    /// Removes a record, if what is expected is there. Tells whether it did.
    pub async fn remove_record(
        &self,
        (collection, key): (&str, &str),
        expected: Expected,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let revision = match expected {
            Expected::Any => None,
            Expected::Revision(revision) => Some(revision as i64),
            // What is not there cannot be removed.
            Expected::Absent => return Ok(false),
        };
        if has_nul(&[collection, key]) {
            return Ok(false);
        }
        let rows = self.change(REMOVE, &[&collection, &key, &now.0, &revision]).await?;
        Ok(!rows.is_empty())
    }

    /// Clears away what has expired, up to a limit. Tells how many there were.
    pub async fn clear_records(&self, now: Timestamp) -> Result<usize, Error> {
        Ok(self.change(CLEAR, &[&now.0, &(PAGE_MAX as i64)]).await?.len())
    }

    fn read_record(&self, row: &Row) -> Result<Record, Error> {
        let value: &str = row.get(2);
        Ok(Record {
            key: row.get(0),
            revision: row.get::<_, i64>(1) as u64,
            value: serde_json::from_str(value).map_err(|_| self.corrupt("value of a record"))?,
            updated_at: Timestamp(row.get(3)),
            expires_at: row.get::<_, Option<i64>>(4).map(Timestamp),
        })
    }
}

/// Whether one of these is no text to PostgreSQL, and so the name of nothing.
fn has_nul(texts: &[&str]) -> bool {
    texts.iter().any(|text| text.contains('\0'))
}
