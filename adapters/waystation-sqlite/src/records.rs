//! The records port: writes go through the writer, reads through connections of their own.

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::port::{Error, Expected, Put, Record, RecordPage, Records, check_record};

use crate::Sqlite;
use crate::reader;
use crate::writer::{Command, NewRecord};

#[async_trait]
impl Records for Sqlite {
    async fn put_record(
        &self,
        collection: &str,
        key: &str,
        value: &Value,
        expected: Expected,
        expires_at: Option<Timestamp>,
    ) -> Result<Put, Error> {
        check_record(collection, key, value)?;
        let (collection, key) = (collection.to_owned(), key.to_owned());
        let record = NewRecord { collection, key, value: value.to_string(), expires_at };
        self.shared.writer.ask(|reply| Command::PutRecord { record, expected, reply }).await
    }

    async fn record(&self, collection: &str, key: &str) -> Result<Option<Record>, Error> {
        let (collection, key) = (collection.to_owned(), key.to_owned());
        let now = self.shared.clock.now();
        self.read(move |connection| reader::record(connection, &collection, &key, now)).await
    }

    async fn records(&self, collection: &str, page: RecordPage) -> Result<Vec<Record>, Error> {
        let (collection, now) = (collection.to_owned(), self.shared.clock.now());
        self.read(move |connection| reader::records(connection, &collection, &page, now)).await
    }

    async fn remove_record(
        &self,
        collection: &str,
        key: &str,
        expected: Expected,
    ) -> Result<bool, Error> {
        let (collection, key) = (collection.to_owned(), key.to_owned());
        let remove = |reply| Command::RemoveRecord { collection, key, expected, reply };
        self.shared.writer.ask(remove).await
    }

    async fn clear_expired_records(&self) -> Result<usize, Error> {
        self.shared.writer.ask(|reply| Command::ClearRecords { reply }).await
    }
}
