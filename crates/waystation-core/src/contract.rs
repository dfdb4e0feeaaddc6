//! The contract: the JSON object that travels from stage to stage.
//!
//! Five fields are fixed by the wire form that foreign stages speak, mda-common's (`job_id`,
//! `entry_stage`, `exit_stage`, `retry_count`, `params`). Ours are optional and additive, and
//! every field that we do not know survives each hop. Numbers survive as JSON's own do here: whole
//! ones of 64 bits and floating-point ones of 64 bits exactly, others as the nearest of these.

mod epoch;
mod family;
mod read;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Params;
use crate::clock::Timestamp;
use crate::id::{JobId, PipelineName, StageId};

pub use family::{ChildOf, Gathered};

/// What travels from stage to stage for one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The job this is about.
    pub job_id: JobId,
    /// The stage at which the job began, when it did not begin at the pipeline's first.
    pub entry_stage: Option<StageId>,
    /// The stage after which the job ends, when it ends before the pipeline does.
    pub exit_stage: Option<StageId>,
    /// How many attempts at the present stage have failed. Zero again after each hop.
    pub retry_count: u32,
    /// The job's shared state.
    pub params: Params,
    /// The pipeline, for queues that serve more than one.
    pub pipeline: Option<PipelineName>,
    /// The version of the pipeline that the job started with and stays on.
    pub pipeline_version: Option<u32>,
    /// Which stage run of the job this is, counted from 1. With the job's id it names a step, so
    /// that a repeated hop is recognised.
    pub visit: u32,
    /// Whose child the job is, when it came of a fan-out.
    pub parent: Option<ChildOf>,
    /// Which children have come together, while the job is at a join.
    pub gathered: Option<Gathered>,
    /// How often the job took the routes that it may take a number of times only, by the route.
    pub loops: BTreeMap<String, u32>,
    /// When the job is to have ended: no attempt begins at this moment or later, none runs beyond
    /// it. Children have that of the job that makes them.
    pub deadline: Option<Timestamp>,
    /// Every other field, as it came.
    pub other: Map<String, Value>,
}

/// Why bytes are not a contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON at all.
    #[error("contract is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not an object.
    #[error("contract is not a JSON object but {0}")]
    NotAnObject(&'static str),
    /// A field is absent that every contract has.
    #[error("contract has no `{0}`")]
    Missing(&'static str),
    /// A field holds what it must not.
    #[error("contract field `{field}` must be {expected}, not {value}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What it should have held.
        expected: &'static str,
        /// What it held.
        value: Value,
    },
}

impl Contract {
    /// A contract for a new job with these params.
    pub fn new(job_id: JobId, params: Params) -> Self {
        Self {
            job_id,
            entry_stage: None,
            exit_stage: None,
            retry_count: 0,
            params,
            pipeline: None,
            pipeline_version: None,
            visit: 1,
            parent: None,
            gathered: None,
            loops: BTreeMap::new(),
            deadline: None,
            other: Map::new(),
        }
    }

    /// Reads a contract from its wire form. `entry_stage`, `exit_stage`, `retry_count` and
    /// `params` may be absent or null; `job_id` may not.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::fields(bytes)?;
        let other = &mut fields.other;
        let parent = read::parts("parent", fields.parent, other);
        let gathered = read::parts("gathered", fields.gathered, other);
        let loops: Option<BTreeMap<String, u32>> = read::parts("loops", fields.loops, other);
        let job_id = read::text("job_id", fields.job_id)?.ok_or(Error::Missing("job_id"))?;
        if job_id.is_empty() {
            return Err(Error::Invalid {
                field: "job_id",
                expected: "a text that is not empty",
                value: Value::String(job_id),
            });
        }
        Ok(Self {
            job_id: JobId::from(job_id),
            entry_stage: read::text("entry_stage", fields.entry_stage)?.map(StageId::from),
            exit_stage: read::text("exit_stage", fields.exit_stage)?.map(StageId::from),
            retry_count: read::count("retry_count", fields.retry_count)?.unwrap_or(0),
            params: read::params(fields.params)?,
            pipeline: read::text("pipeline", fields.pipeline)?.map(PipelineName::from),
            pipeline_version: read::count("pipeline_version", fields.pipeline_version)?,
            visit: read::count("visit", fields.visit)?.unwrap_or(1),
            parent,
            gathered,
            loops: loops.unwrap_or_default(),
            deadline: read::moment("deadline", fields.deadline)?,
            other: fields.other,
        })
    }

    /// The stage run and the attempt that a contract is for, without reading the rest of it.
    /// `None` when it is none.
    pub fn awaited(bytes: &[u8]) -> Option<(u32, u32)> {
        #[derive(serde::Deserialize)]
        struct Awaited {
            job_id: Option<serde::de::IgnoredAny>,
            visit: Option<u32>,
            retry_count: Option<u32>,
        }
        let awaited: Awaited = serde_json::from_slice(bytes).ok()?;
        awaited.job_id?;
        Some((awaited.visit.unwrap_or(1), awaited.retry_count.unwrap_or(0).saturating_add(1)))
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        // Writing JSON made of maps with text keys into a vector cannot fail.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }
}

impl serde::Serialize for Contract {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("job_id", &self.job_id)?;
        map.serialize_entry("entry_stage", &self.entry_stage)?;
        map.serialize_entry("exit_stage", &self.exit_stage)?;
        map.serialize_entry("retry_count", &self.retry_count)?;
        map.serialize_entry("params", &self.params)?;
        if let Some(pipeline) = &self.pipeline {
            map.serialize_entry("pipeline", pipeline)?;
        }
        if let Some(version) = self.pipeline_version {
            map.serialize_entry("pipeline_version", &version)?;
        }
        if self.visit != 1 {
            map.serialize_entry("visit", &self.visit)?;
        }
        if let Some(parent) = &self.parent {
            map.serialize_entry("parent", parent)?;
        }
        if let Some(gathered) = &self.gathered {
            map.serialize_entry("gathered", gathered)?;
        }
        if !self.loops.is_empty() {
            map.serialize_entry("loops", &self.loops)?;
        }
        if let Some(deadline) = self.deadline {
            map.serialize_entry("deadline", &deadline.to_string())?;
        }
        for (name, value) in &self.other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What kind of JSON value this is, in words.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round_trip(input: &Value) -> Value {
        let contract = Contract::parse(input.to_string().as_bytes()).expect("a contract");
        serde_json::from_slice(&contract.to_bytes()).expect("JSON")
    }

    #[test]
    fn contract_of_the_spec_survives_unchanged() {
        let vector = json!({
            "job_id": "9c98a8e2-13d4-4d7c-a2c5-fda7e3bdb7d1",
            "entry_stage": "detect", "exit_stage": "predict", "retry_count": 0,
            "params": {"image_id": "img_123"}
        });
        assert_eq!(round_trip(&vector), vector);
    }

    #[test]
    fn unknown_fields_survive() {
        let vector = json!({
            "job_id": "j", "entry_stage": null, "exit_stage": null, "retry_count": 2,
            "params": {}, "visit": 3, "meta": {"a": [1, null]}, "zebra": 1.5
        });
        assert_eq!(round_trip(&vector), vector);
    }

    #[test]
    fn families_and_loops_survive() {
        let vector = json!({
            "job_id": "a.2-0", "entry_stage": null, "exit_stage": null, "retry_count": 0,
            "params": {}, "visit": 4, "parent": {"job_id": "a", "join": "count", "depth": 1},
            "gathered": {"visit": 3, "children": 7, "merge": true}, "loops": {"check>improve": 2}
        });
        assert_eq!(round_trip(&vector), vector);
    }

    #[test]
    fn fields_that_mean_something_else_to_others_survive() {
        let vector = json!({
            "job_id": "a", "entry_stage": null, "exit_stage": null, "retry_count": 0,
            "params": {}, "parent": "of mine", "gathered": [1], "loops": {"a": -1}
        });
        assert_eq!(round_trip(&vector), vector);
        let contract = Contract::parse(vector.to_string().as_bytes()).expect("a contract");
        assert_eq!((contract.parent, contract.gathered), (None, None));
    }

    #[test]
    fn deadlines_survive_as_the_moment_that_they_name() {
        let contract = |deadline: &str| {
            json!({
                "job_id": "j", "entry_stage": null, "exit_stage": null, "retry_count": 0,
                "params": {}, "deadline": deadline
            })
        };
        let expected = contract("2026-11-14T22:13:20.123Z");
        assert_eq!(round_trip(&expected), expected);
        assert_eq!(round_trip(&contract("2026-11-14T23:13:20.123+01:00")), expected);
    }

    #[test]
    fn the_awaited_attempt_is_read_alone() {
        let awaited = |text: &str| Contract::awaited(text.as_bytes());
        assert_eq!(awaited(r#"{"job_id":"j","retry_count":2,"visit":3,"a":[{}]}"#), Some((3, 3)));
        assert_eq!(awaited(r#"{"job_id":"j","retry_count":null}"#), Some((1, 1)));
        assert_eq!(awaited(r#"{"visit":3}"#), None);
        assert_eq!(awaited("["), None);
    }

    #[test]
    fn bad_contracts_name_the_field_and_the_value() {
        let cases = [
            ("{", "contract is not JSON"),
            ("[1]", "contract is not a JSON object but an array"),
            ("{}", "contract has no `job_id`"),
            (r#"{"job_id":""}"#, "`job_id` must be a text that is not empty"),
            (r#"{"job_id":"j","params":[]}"#, "`params` must be an object, not []"),
            (r#"{"job_id":"j","retry_count":-1}"#, "must be a whole number from 0, not -1"),
            (r#"{"job_id":7}"#, "`job_id` must be a text, not 7"),
            (r#"{"job_id":"j","deadline":"soon"}"#, "`deadline` must be a moment of RFC 3339"),
            (r#"{"job_id":"j","deadline":1700000000}"#, "`deadline` must be a moment of RFC 3339"),
        ];
        for (input, expected) in cases {
            let error = Contract::parse(input.as_bytes()).expect_err(input).to_string();
            assert!(error.contains(expected), "{input}: {error}");
        }
    }
}
