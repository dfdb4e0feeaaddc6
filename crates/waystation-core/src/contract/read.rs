//! The fields of a contract as they come, before anything is made of them.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{Error, kind_of};
use crate::Params;
use crate::clock::Timestamp;

/// What an object has of the fields that we know, and the rest in its order.
#[derive(Default)]
pub struct Fields {
    pub job_id: Option<Value>,
    pub entry_stage: Option<Value>,
    pub exit_stage: Option<Value>,
    pub retry_count: Option<Value>,
    pub params: Option<Value>,
    pub pipeline: Option<Value>,
    pub pipeline_version: Option<Value>,
    pub visit: Option<Value>,
    pub parent: Option<Value>,
    pub gathered: Option<Value>,
    pub loops: Option<Value>,
    pub deadline: Option<Value>,
    pub other: Map<String, Value>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    JobId,
    EntryStage,
    ExitStage,
    RetryCount,
    Params,
    Pipeline,
    PipelineVersion,
    Visit,
    Parent,
    Gathered,
    Loops,
    Deadline,
    Other(String),
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_key()? {
            let value = map.next_value()?;
            let known = match field {
                Field::JobId => &mut fields.job_id,
                Field::EntryStage => &mut fields.entry_stage,
                Field::ExitStage => &mut fields.exit_stage,
                Field::RetryCount => &mut fields.retry_count,
                Field::Params => &mut fields.params,
                Field::Pipeline => &mut fields.pipeline,
                Field::PipelineVersion => &mut fields.pipeline_version,
                Field::Visit => &mut fields.visit,
                Field::Parent => &mut fields.parent,
                Field::Gathered => &mut fields.gathered,
                Field::Loops => &mut fields.loops,
                Field::Deadline => &mut fields.deadline,
                Field::Other(name) => {
                    fields.other.insert(name, value);
                    continue;
                }
            };
            *known = Some(value);
        }
        Ok(fields)
    }
}

/// Reads an object. Of a field that comes twice, the last one counts.
pub fn fields(bytes: &[u8]) -> Result<Fields, Error> {
    let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if start != Some(&b'{') {
        return Err(Error::NotAnObject(kind_of(&serde_json::from_slice(bytes)?)));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let fields = reader.deserialize_map(Object)?;
    reader.end()?;
    Ok(fields)
}

/// A field that is a text, or absent.
pub fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Err(Error::Invalid { field, expected: "a text", value }),
    }
}

/// A field that counts something, or is absent.
pub fn count(field: &'static str, value: Option<Value>) -> Result<Option<u32>, Error> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
        Some(count) => Ok(Some(count)),
        None => Err(Error::Invalid { field, expected: "a whole number from 0", value }),
    }
}

/// A field that names a moment, or is absent.
pub fn moment(field: &'static str, value: Option<Value>) -> Result<Option<Timestamp>, Error> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_str().and_then(Timestamp::parse) {
        Some(moment) => Ok(Some(moment)),
        None => Err(Error::Invalid { field, expected: "a moment of RFC 3339", value }),
    }
}

/// A field of ours that has parts of its own, or is absent. One that somebody else gave another
/// meaning is kept among the others, as it came.
pub fn parts<T: serde::de::DeserializeOwned>(
    field: &str,
    value: Option<Value>,
    other: &mut Map<String, Value>,
) -> Option<T> {
    let value = value.filter(|value| !value.is_null())?;
    let parts = T::deserialize(&value).ok();
    if parts.is_none() {
        other.insert(field.to_owned(), value);
    }
    parts
}

/// The params; none where the field is absent.
pub fn params(value: Option<Value>) -> Result<Params, Error> {
    match value {
        None | Some(Value::Null) => Ok(Params::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(value) => Err(Error::Invalid { field: "params", expected: "an object", value }),
    }
}
