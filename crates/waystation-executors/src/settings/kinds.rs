//! Kinds of settings that many types of stages have.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The settings of a type that has none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A folder. What is named relative to the working directory is made absolute, since a job's params
/// outlive the process that has this working directory.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl<'a> Deserialize<'a> for Folder {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        PathBuf::deserialize(from).map(Self::new)
    }
}

impl JsonSchema for Folder {
    fn schema_name() -> Cow<'static, str> {
        "Folder".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// Texts; one stands for a list of one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Texts(pub Vec<String>);

impl<'a> Deserialize<'a> for Texts {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        Written::deserialize(from).map(|written| match written {
            Written::One(text) => Self(vec![text]),
            Written::Many(texts) => Self(texts),
        })
    }
}

impl JsonSchema for Texts {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = || json_schema!({ "type": "string", "minLength": 1 });
        json_schema!({ "anyOf": [text(), { "type": "array", "items": text() }] })
    }
}

/// Globs of which one must fit; one stands for a list of one.
#[derive(Clone, Debug)]
pub struct Globs(GlobSet);

impl Globs {
    /// Whether one fits.
    pub fn fit(&self, path: impl AsRef<Path>) -> bool {
        self.0.is_match(path)
    }
}

impl<'a> Deserialize<'a> for Globs {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let mut set = GlobSetBuilder::new();
        for text in Texts::deserialize(from)?.0 {
            set.add(Glob::new(&text).map_err(D::Error::custom)?);
        }
        set.build().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Globs {
    fn schema_name() -> Cow<'static, str> {
        "Globs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let glob = || json_schema!({ "type": "string", "format": "glob" });
        json_schema!({ "anyOf": [glob(), { "type": "array", "items": glob() }] })
    }
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment(pub jiff::Timestamp);

impl<'a> Deserialize<'a> for Moment {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "moment" })
    }
}

/// A time in seconds, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seconds(pub f64);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::try_from_secs_f64(seconds.0).unwrap_or(Self::MAX)
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0 })
    }
}
