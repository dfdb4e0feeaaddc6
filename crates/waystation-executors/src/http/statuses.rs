//! Which statuses of HTTP are meant.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use reqwest::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Statuses: `200`, `2xx`, or a list of such.
#[derive(Clone, Debug)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// These.
    pub fn of(ranges: &[RangeInclusive<u16>]) -> Self {
        Self(ranges.to_vec())
    }

    /// Whether it is one of them.
    pub fn has(&self, status: StatusCode) -> bool {
        self.0.iter().any(|range| range.contains(&status.as_u16()))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum One {
    Number(u16),
    Text(String),
}

impl One {
    fn range(self) -> Result<RangeInclusive<u16>, String> {
        let text = match self {
            Self::Number(number) => return Ok(number..=number),
            Self::Text(text) => text,
        };
        let bounds = (text.replace('x', "0").parse(), text.replace('x', "9").parse());
        match bounds {
            (Ok(least), Ok(most)) => Ok(least..=most),
            _ => Err(format!("`{text}` is no status")),
        }
    }
}

impl<'a> Deserialize<'a> for Statuses {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(One),
            Many(Vec<One>),
        }
        let all = match Written::deserialize(from)? {
            Written::One(one) => vec![one],
            Written::Many(many) => many,
        };
        let ranges = all.into_iter().map(One::range).collect::<Result<_, _>>();
        ranges.map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = || json_schema!({ "type": "integer", "minimum": 100, "maximum": 599 });
        let text = || json_schema!({ "type": "string", "pattern": "^[1-5]([0-9]{2}|xx)$" });
        let list = json_schema!({ "type": "array", "items": { "anyOf": [number(), text()] } });
        json_schema!({ "anyOf": [number(), text(), list] })
    }
}
