//! The records port: small documents about the running of things.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use crate::clock::Timestamp;

/// The longest name of a collection, and the longest key, in bytes.
pub const RECORD_KEY_BYTES_MAX: usize = 250;
/// The largest value, as JSON.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;

/// A small document: what is paused, which worker serves what, how far a bulk operation is, who did
/// what. Jobs and what becomes of them are no records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its key, unique in its collection.
    pub key: String,
    /// Counts its changes: larger after each, and never the same again for this key.
    pub revision: u64,
    /// What it says.
    pub value: Value,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// From this moment on it is gone, if it does not stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The collection of locks: records that expire unless they are renewed.
pub const LOCKS: &str = "locks";

/// That a lock is held. Its token is its record's revision, which is never given again: whoever
/// took the lock since has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lock: the key of its record in [`LOCKS`].
    pub lock: String,
    /// Its fencing token.
    pub token: u64,
}

/// What must be there for a record to be written or removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever there is.
    #[default]
    Any,
    /// Nothing under this key.
    Absent,
    /// The record as it was at this revision.
    Revision(u64),
}

impl Expected {
    /// Whether this is what is there: a record at this revision, or none.
    pub fn is_met(self, revision: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => revision.is_none(),
            Self::Revision(expected) => revision == Some(expected),
        }
    }
}

/// What came of writing a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is kept, at this revision.
    Kept(u64),
    /// What was expected is not there. Nothing was written.
    Conflict,
}

/// A page of a collection, in the order of the keys' bytes.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// From the last key on down, not from the first one up.
    pub descending: bool,
    /// Only keys behind this one, in the order of the page.
    pub after: Option<String>,
    /// At most this many, and never more than [`PAGE_MAX`](crate::job::PAGE_MAX).
    pub limit: usize,
}

/// Keeps small documents in named collections. Made for thousands of them, not for millions.
///
/// Writes are durable when they return. A record that has expired is gone for every call, also
/// before it is cleared away.
#[async_trait]
pub trait Records: Send + Sync {
    /// Writes a record, if what is expected is there: of callers at the same time that expect the
    /// same, one succeeds.
    async fn put_record(
        &self,
        collection: &str,
        key: &str,
        value: &Value,
        expected: Expected,
        expires_at: Option<Timestamp>,
    ) -> Result<Put, Error>;

    /// A record.
    async fn record(&self, collection: &str, key: &str) -> Result<Option<Record>, Error>;

    /// A page of a collection.
    async fn records(&self, collection: &str, page: RecordPage) -> Result<Vec<Record>, Error>;

    /// Removes a record, if what is expected is there. Tells whether it did; removing what is not
    /// there does nothing.
    async fn remove_record(
        &self,
        collection: &str,
        key: &str,
        expected: Expected,
    ) -> Result<bool, Error>;

    /// Clears away what has expired, of all collections: the first
    /// [`PAGE_MAX`](crate::job::PAGE_MAX). Tells how many there were.
    async fn clear_expired_records(&self) -> Result<usize, Error>;
}

/// Refuses a record that no adapter takes, before anything is written.
pub fn check_record(collection: &str, key: &str, value: &Value) -> Result<(), Error> {
    let name = || format!("record {key} of {collection}");
    for text in [collection, key] {
        if text.is_empty() || text.len() > RECORD_KEY_BYTES_MAX || text.contains('\0') {
            let message = format!("a name is 1 to {RECORD_KEY_BYTES_MAX} bytes without NUL");
            return Err(Error::Broken { name: name(), message });
        }
    }
    let bytes = value.to_string().len();
    if bytes > RECORD_BYTES_MAX {
        let message = format!("{bytes} bytes, more than the {RECORD_BYTES_MAX} allowed");
        return Err(Error::Broken { name: name(), message });
    }
    Ok(())
}
