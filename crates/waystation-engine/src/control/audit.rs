//! Who did what: written once, read newest first, kept for ninety days.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waystation_core::clock::Timestamp;
use waystation_core::id::time_ordered;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Expected, RecordPage, Records};

use super::collection;

/// Where they lie.
const COLLECTION: &str = "audit";
/// How long an entry is kept.
const KEPT: Duration = Duration::from_hours(24 * 90);
/// The largest detail that is kept with an entry, as JSON.
const DETAIL_BYTES_MAX: usize = 64 * 1024;

/// Something that somebody did, or tried to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// As what, where people have roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What, as `job.retry`.
    pub action: String,
    /// To what, as a job's id or `pipeline/scans`.
    pub target: String,
    /// What else there is to say. Cut where it is large.
    #[serde(default)]
    pub detail: Value,
    /// What came of it: `done`, or why not.
    pub outcome: String,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// Its place in the order of writing: the cursor of the next page.
    pub key: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// A page of the audit, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// Only entries before the one with this key.
    pub before: Option<String>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// Writes an entry down. Durable when it returns.
pub async fn write(records: &dyn Records, mut entry: AuditEntry) -> Result<(), Error> {
    let bytes = entry.detail.to_string().len();
    if bytes > DETAIL_BYTES_MAX {
        entry.detail = json!({ "cut": format!("{bytes} bytes, more than are kept") });
    }
    let value = collection::written(COLLECTION, &entry)?;
    let gone = Some(entry.at.plus(KEPT));
    records.put_record(COLLECTION, &time_ordered(), &value, Expected::Absent, gone).await.map(drop)
}

/// Reads a page.
pub async fn read(records: &dyn Records, page: AuditPage) -> Result<Vec<Audited>, Error> {
    let limit = page.limit.min(PAGE_MAX);
    let page = RecordPage { descending: true, after: page.before, limit };
    let found = records.records(COLLECTION, page).await?;
    let entry = |record: waystation_core::port::Record| {
        let key = record.key.clone();
        Some(Audited { key, entry: collection::read(COLLECTION, record)? })
    };
    Ok(found.into_iter().filter_map(entry).collect())
}
