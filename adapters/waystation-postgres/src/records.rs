//! The records port: each call is one statement, beside the writer.

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::port::{Error, Expected, Put, Record, RecordPage, Records, check_record};

use crate::Postgres;

#[async_trait]
impl Records for Postgres {
    async fn put_record(
        &self,
        collection: &str,
        key: &str,
        value: &Value,
        expected: Expected,
        expires_at: Option<Timestamp>,
    ) -> Result<Put, Error> {
        check_record(collection, key, value)?;
        let (place, now) = ((collection, key), self.shared.clock.now());
        self.shared.reader.put_record(place, value, expected, expires_at, now).await
    }

    async fn record(&self, collection: &str, key: &str) -> Result<Option<Record>, Error> {
        self.shared.reader.record(collection, key, self.shared.clock.now()).await
    }

    async fn records(&self, collection: &str, page: RecordPage) -> Result<Vec<Record>, Error> {
        self.shared.reader.records(collection, &page, self.shared.clock.now()).await
    }

    async fn remove_record(
        &self,
        collection: &str,
        key: &str,
        expected: Expected,
    ) -> Result<bool, Error> {
        let now = self.shared.clock.now();
        self.shared.reader.remove_record((collection, key), expected, now).await
    }

    async fn clear_expired_records(&self) -> Result<usize, Error> {
        self.shared.reader.clear_records(self.shared.clock.now()).await
    }
}
