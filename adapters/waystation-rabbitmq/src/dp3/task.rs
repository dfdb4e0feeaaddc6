//! What DP3 calls a task of data points: what became known of one entity.
//!
//! Within `dp3` a task is what DP3 calls so: a message for a worker. It has nothing to do with the
//! tasks of an inbox.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::eid::{Eid, Kinds};
use super::fields::{Fields, Wrong};
use super::moment::Moment;

/// News of one entity: values of its attributes, how long it is to be kept, or that it is to go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct DataPointTask {
    /// The type of the entity.
    pub etype: String,
    /// Its id.
    pub eid: Eid,
    /// Values of its attributes.
    pub data_points: Vec<DataPoint>,
    /// What is told of the task itself; its form is the application's.
    pub tags: Vec<Value>,
    /// Until when the entity is wanted, and by whom.
    pub ttl_tokens: BTreeMap<String, Moment>,
    /// The entity is to be deleted.
    pub delete: bool,
}

/// One value of one attribute of the task's entity.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPoint {
    /// The attribute.
    pub attr: String,
    /// Who says so.
    pub src: Option<String>,
    /// The value; its form is the attribute's.
    pub v: Value,
    /// How far it can be trusted, from 0 to 1.
    pub c: f64,
    /// From when it holds; plain attributes have none.
    pub t1: Option<Moment>,
    /// Until when it holds, unless it is of one moment.
    pub t2: Option<Moment>,
}

/// How far a data point can be trusted that does not say so.
const CONFIDENCE: f64 = 1.0;

impl DataPointTask {
    /// A task that says nothing yet.
    pub fn new(etype: impl Into<String>, eid: impl Into<Eid>) -> Self {
        let (data_points, tags, ttl_tokens) = <_>::default();
        let (etype, eid) = (etype.into(), eid.into());
        Self { etype, eid, data_points, tags, ttl_tokens, delete: false }
    }

    /// A task that deletes its entity.
    pub fn deleting(etype: impl Into<String>, eid: impl Into<Eid>) -> Self {
        Self { delete: true, ..Self::new(etype, eid) }
    }

    /// The same with one more value.
    #[must_use]
    pub fn with(mut self, data_point: DataPoint) -> Self {
        self.data_points.push(data_point);
        self
    }

    /// What decides which worker it is for.
    pub fn routing_key(&self) -> String {
        format!("{}:{}", self.etype, self.eid)
    }

    /// Whether DP3 takes it. It is looked at before it is sent.
    pub fn check(&self) -> Result<(), Wrong> {
        if self.etype.is_empty() {
            return Err(Wrong::new("etype", &"", "the type of an entity is due"));
        }
        if self.data_points.is_empty() && self.ttl_tokens.is_empty() && !self.delete {
            let why = "a task has a data point, a token or `delete: true`";
            return Err(Wrong::new("data_points", &"[]", why));
        }
        let mut points = self.data_points.iter().enumerate();
        points.try_for_each(|(index, point)| point.check(&path_of(index)))
    }

    /// Reads a message on the wire.
    pub fn parse(body: &[u8], kinds: &Kinds) -> Result<Self, Wrong> {
        Self::read(Fields::of_message(body)?, kinds)
    }

    fn read(mut fields: Fields, kinds: &Kinds) -> Result<Self, Wrong> {
        let etype = fields.text("etype")?;
        let eid = fields.need("eid", "the id of an entity is due")?;
        let eid = kinds.read("eid", &etype, &eid)?;
        let mut task = Self::new(etype, eid);
        for (index, value) in fields.list("data_points")?.into_iter().enumerate() {
            let of_point = Fields::of(&path_of(index), value)?;
            task.data_points.push(DataPoint::read(of_point, &task, kinds)?);
        }
        task.tags = fields.list("tags")?;
        if let Some(tokens) = fields.take_unless_null("ttl_tokens") {
            let Value::Object(tokens) = tokens else {
                return Err(Wrong::new("ttl_tokens", &tokens, "an object of moments is due"));
            };
            for (name, value) in tokens {
                let moment = Moment::read(&format!("ttl_tokens.{name}"), &value)?;
                task.ttl_tokens.insert(name, moment);
            }
        }
        task.delete = fields.yes_or_no("delete")?;
        fields.end()?;
        task.check()?;
        Ok(task)
    }
}

impl DataPoint {
    /// A value of an attribute.
    pub fn new(attr: impl Into<String>, v: impl Into<Value>) -> Self {
        let attr = attr.into();
        Self { attr, src: None, v: v.into(), c: CONFIDENCE, t1: None, t2: None }
    }

    /// Until when it holds: where it does not say so, it is of one moment.
    pub fn until(&self) -> Option<Moment> {
        self.t2.or(self.t1)
    }

    fn check(&self, path: &str) -> Result<(), Wrong> {
        let field = |name: &str| format!("{path}.{name}");
        if self.attr.is_empty() {
            return Err(Wrong::new(&field("attr"), &"", "the name of an attribute is due"));
        }
        if !(0.0..=1.0).contains(&self.c) {
            return Err(Wrong::new(&field("c"), &self.c, "a number from 0 to 1 is due"));
        }
        match (self.t1, self.t2) {
            (None, Some(t2)) => Err(Wrong::new(&field("t2"), &t2, "there is no `t1` before it")),
            (Some(t1), Some(t2)) if t2 < t1 => {
                Err(Wrong::new(&field("t2"), &t2, format!("it is before `t1`, {t1}")))
            }
            _ => Ok(()),
        }
    }

    /// Reads one that must be of the task's entity.
    fn read(mut fields: Fields, task: &DataPointTask, kinds: &Kinds) -> Result<Self, Wrong> {
        let etype = fields.text("etype")?;
        if etype != task.etype {
            let why = format!("the task's is `{}`", task.etype);
            return Err(Wrong::new(&fields.name("etype"), &etype, why));
        }
        let eid = fields.need("eid", "the task's id is due")?;
        let eid = kinds.read(&fields.name("eid"), &etype, &eid)?;
        if eid != task.eid {
            let why = format!("the task's is `{}`", task.eid);
            return Err(Wrong::new(&fields.name("eid"), &eid, why));
        }
        let moment = |fields: &mut Fields, name: &str| {
            let value = fields.take_unless_null(name);
            value.map(|value| Moment::read(&fields.name(name), &value)).transpose()
        };
        let c = match fields.take_unless_null("c") {
            None => CONFIDENCE,
            Some(value) => value.as_f64().ok_or_else(|| {
                Wrong::new(&fields.name("c"), &value, "a number from 0 to 1 is due")
            })?,
        };
        let src = fields.take_unless_null("src").map(|value| match value {
            Value::String(text) => Ok(text),
            other => Err(Wrong::new(&fields.name("src"), &other, "a text is due")),
        });
        let point = Self {
            attr: fields.text("attr")?,
            src: src.transpose()?,
            v: fields.take("v").unwrap_or_default(),
            c,
            t1: moment(&mut fields, "t1")?,
            t2: moment(&mut fields, "t2")?,
        };
        fields.end()?;
        Ok(point)
    }
}

fn path_of(index: usize) -> String {
    format!("data_points[{index}]")
}

impl TryFrom<Value> for DataPointTask {
    type Error = Wrong;

    /// Reads it with ids as they come.
    fn try_from(value: Value) -> Result<Self, Wrong> {
        Self::read(Fields::of("", value)?, &Kinds::default())
    }
}

/// The form on the wire: what is as it is by default is left out.
#[derive(Serialize)]
struct Wire<'a> {
    etype: &'a str,
    eid: &'a Eid,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data_points: Vec<WirePoint<'a>>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    tags: &'a [Value],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ttl_tokens: &'a BTreeMap<String, Moment>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    delete: bool,
}

#[derive(Serialize)]
struct WirePoint<'a> {
    etype: &'a str,
    eid: &'a Eid,
    attr: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<&'a str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    v: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t1: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t2: Option<Moment>,
}

impl Serialize for DataPointTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { etype, eid, data_points, tags, ttl_tokens, delete } = self;
        let data_points = data_points.iter().map(|point| point.wire(etype, eid)).collect();
        Wire { etype, eid, data_points, tags, ttl_tokens, delete: *delete }.serialize(serializer)
    }
}

impl DataPoint {
    fn wire<'a>(&'a self, etype: &'a str, eid: &'a Eid) -> WirePoint<'a> {
        let Self { attr, src, v, c, t1, t2 } = self;
        let by_default = (*c - CONFIDENCE).abs() < f64::EPSILON;
        WirePoint {
            etype,
            eid,
            attr,
            src: src.as_deref(),
            v,
            c: (!by_default).then_some(*c),
            t1: *t1,
            t2: *t2,
        }
    }
}

#[cfg(test)]
mod tests;
