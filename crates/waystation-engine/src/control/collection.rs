//! Records of one kind, as values of ours.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use waystation_core::port::{Error, Record, RecordPage, Records};

/// One record as what it says. `None` where it says something that nobody here knows, as a newer
/// version may have written it: that is told, and stops nobody.
pub fn read<T: DeserializeOwned>(collection: &str, record: Record) -> Option<T> {
    match serde_json::from_value(record.value) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(collection, key = record.key, %error, "record is not understood");
            None
        }
    }
}

/// What is to be written of a value.
pub fn written<T: Serialize>(collection: &str, value: &T) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::Broken {
        name: format!("record of {collection}"),
        message: error.to_string(),
    })
}

/// The first page of a collection, from its first key on. These collections are small.
pub async fn first<T: DeserializeOwned>(
    records: &dyn Records,
    collection: &str,
    limit: usize,
) -> Result<Vec<T>, Error> {
    let page = RecordPage { limit, ..RecordPage::default() };
    let found = records.records(collection, page).await?;
    Ok(found.into_iter().filter_map(|record| read(collection, record)).collect())
}
