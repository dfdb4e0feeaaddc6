//! The records port.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{
    Error, Expected, Held, LOCKS, Put, Record, RecordPage, Records, check_record,
};

use crate::Memory;

/// The collections, by name and key.
#[derive(Default)]
pub(crate) struct Collections {
    records: BTreeMap<(String, String), Record>,
    last_revision: u64,
}

#[async_trait]
impl Records for Memory {
    async fn put_record(
        &self,
        collection: &str,
        key: &str,
        value: &Value,
        expected: Expected,
        expires_at: Option<Timestamp>,
    ) -> Result<Put, Error> {
        check_record(collection, key, value)?;
        Ok(self.visit(|state, now| {
            let collections = &mut state.collections;
            if !collections.meets(collection, key, expected, now) {
                return Put::Conflict;
            }
            collections.last_revision += 1;
            let revision = collections.last_revision;
            let (key, value) = (key.to_owned(), value.clone());
            let record = Record { key: key.clone(), revision, value, updated_at: now, expires_at };
            collections.records.insert((collection.to_owned(), key), record);
            Put::Kept(revision)
        }))
    }

    async fn record(&self, collection: &str, key: &str) -> Result<Option<Record>, Error> {
        Ok(self.visit(|state, now| state.collections.get(collection, key, now).cloned()))
    }

    async fn records(&self, collection: &str, page: RecordPage) -> Result<Vec<Record>, Error> {
        Ok(self.visit(|state, now| state.collections.page(collection, &page, now)))
    }

    async fn remove_record(
        &self,
        collection: &str,
        key: &str,
        expected: Expected,
    ) -> Result<bool, Error> {
        Ok(self.visit(|state, now| {
            let collections = &mut state.collections;
            let is_there = collections.get(collection, key, now).is_some();
            if !is_there || !collections.meets(collection, key, expected, now) {
                return false;
            }
            collections.records.remove(&(collection.to_owned(), key.to_owned())).is_some()
        }))
    }

    async fn clear_expired_records(&self) -> Result<usize, Error> {
        Ok(self.visit(|state, now| {
            let records = &mut state.collections.records;
            let expired = records.iter().filter(|(_, record)| !lasts(record, now));
            let expired: Vec<_> = expired.map(|(key, _)| key.clone()).take(PAGE_MAX).collect();
            for key in &expired {
                records.remove(key);
            }
            expired.len()
        }))
    }
}

impl Collections {
    fn get(&self, collection: &str, key: &str, now: Timestamp) -> Option<&Record> {
        let record = self.records.get(&(collection.to_owned(), key.to_owned()))?;
        lasts(record, now).then_some(record)
    }

    fn meets(&self, collection: &str, key: &str, expected: Expected, now: Timestamp) -> bool {
        expected.is_met(self.get(collection, key, now).map(|record| record.revision))
    }

    /// Whether a lock is held.
    pub(crate) fn has(&self, held: &Held, now: Timestamp) -> bool {
        self.meets(LOCKS, &held.lock, Expected::Revision(held.token), now)
    }

    fn page(&self, collection: &str, page: &RecordPage, now: Timestamp) -> Vec<Record> {
        let place = |key: &str| (collection.to_owned(), key.to_owned());
        let first = Bound::Included(place(""));
        let (from, to) = match (&page.after, page.descending) {
            (None, _) => (first, Bound::Unbounded),
            (Some(after), false) => (Bound::Excluded(place(after)), Bound::Unbounded),
            (Some(after), true) => (first, Bound::Excluded(place(after))),
        };
        let all = self.records.range((from, to));
        let of_it = all.filter(|((name, _), _)| name == collection).map(|(_, record)| record);
        let of_it = of_it.filter(|record| lasts(record, now)).cloned();
        let limit = page.limit.min(PAGE_MAX);
        if page.descending {
            of_it.rev().take(limit).collect()
        } else {
            of_it.take(limit).collect()
        }
    }
}

fn lasts(record: &Record, now: Timestamp) -> bool {
    record.expires_at.is_none_or(|moment| moment > now)
}
