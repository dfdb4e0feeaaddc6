//! Data points: what somebody saw of an attribute of an entity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waystation::core::clock::Timestamp;

/// The longest name of a type, an entity or an attribute, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// A data point as it comes in.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The type of the entity: `ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one of them: a text or a whole number.
    pub id: Id,
    /// Which attribute.
    pub attr: String,
    /// What it was seen to be.
    pub v: Value,
    /// From when on, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t1: Option<String>,
    /// Until when; a moment unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t2: Option<String>,
    /// How sure that is, from 0 to 1; sure unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<f64>,
    /// Who saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
}

/// The id of an entity.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Point {
    /// The entity, as `ip:10.0.0.1`: what updates are told apart by.
    pub fn entity(&self) -> String {
        match &self.id {
            Id::Text(id) => format!("{}:{id}", self.kind),
            Id::Number(id) => format!("{}:{id}", self.kind),
        }
    }

    /// What is wrong with it.
    pub fn problem(&self) -> Option<String> {
        let id = match &self.id {
            Id::Text(id) => id.as_str(),
            Id::Number(_) => "0",
        };
        for (what, name) in [("type", self.kind.as_str()), ("id", id), ("attr", &self.attr)] {
            if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.chars().any(char::is_control) {
                return Some(format!(
                    "`{what}` must be 1 to {NAME_BYTES_MAX} bytes without control characters, \
                     not `{}`",
                    name.escape_debug()
                ));
            }
        }
        if self.kind.contains(':') {
            return Some(format!("`type` must have no colon, and is `{}`", self.kind));
        }
        if let Some(c) = self.c.filter(|c| !(0.0..=1.0).contains(c)) {
            return Some(format!("`c` must be from 0 to 1, not {c}"));
        }
        self.times().err()
    }

    /// From when until when, in milliseconds since 1970; none where it does not say.
    pub fn times(&self) -> Result<Option<(i64, i64)>, String> {
        let moment = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => match Timestamp::parse(text) {
                Some(moment) => Ok(Some(moment.0)),
                None => Err(format!("`{name}` must be a moment of RFC 3339, not `{text}`")),
            },
        };
        let (t1, t2) = (moment("t1", &self.t1)?, moment("t2", &self.t2)?);
        match (t1, t2) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("`t2` says until when, and no `t1` from when".to_owned()),
            (Some(t1), t2) if t2.is_some_and(|t2| t2 < t1) => {
                Err("`t2` lies before `t1`".to_owned())
            }
            (Some(t1), t2) => Ok(Some((t1, t2.unwrap_or(t1)))),
        }
    }
}

/// The points of one entity, in the order that they came: one job.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Update {
    /// The entity.
    pub entity: String,
    /// What was seen of it.
    pub points: Vec<Point>,
    /// How many updates of other entities lie before this one, of which it came.
    #[serde(default)]
    pub depth: u32,
}

/// Groups points by their entities, which stand in the order of their first points.
pub fn grouped(points: Vec<Point>) -> Vec<Update> {
    let mut updates: Vec<Update> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for point in points {
        let entity = point.entity();
        let place = *places.entry(entity.clone()).or_insert_with(|| {
            updates.push(Update { entity, points: Vec::new(), depth: 0 });
            updates.len() - 1
        });
        updates[place].points.push(point);
    }
    updates
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn point(value: Value) -> Point {
        serde_json::from_value(value).expect("a point")
    }

    #[test]
    fn bad_points_name_the_field_and_the_value() {
        let check = |change: Value, expected: Option<&str>| {
            let mut good = json!({ "type": "ip", "id": "10.0.0.1", "attr": "asn", "v": 64512 });
            good.as_object_mut().expect("fields").extend(change.as_object().expect("x").clone());
            let problem = point(good).problem();
            match expected {
                None => assert_eq!(problem, None, "{change}"),
                Some(words) => assert!(problem.expect("a problem").contains(words), "{change}"),
            }
        };
        check(json!({}), None);
        check(json!({ "id": 7, "c": 0.5, "t1": "2026-01-01T00:00:00Z" }), None);
        check(json!({ "type": "" }), Some("`type` must be 1 to 100 bytes"));
        check(json!({ "type": "a:b" }), Some("no colon, and is `a:b`"));
        check(json!({ "attr": "a\u{7}" }), Some("not `a\\u{7}`"));
        check(json!({ "c": 1.5 }), Some("`c` must be from 0 to 1, not 1.5"));
        check(json!({ "t1": "soon" }), Some("`t1` must be a moment of RFC 3339, not `soon`"));
        check(json!({ "t2": "2026-01-01T00:00:00Z" }), Some("no `t1`"));
        let backwards = json!({ "t1": "2026-01-02T00:00:00Z", "t2": "2026-01-01T00:00:00Z" });
        check(backwards, Some("`t2` lies before `t1`"));
    }

    #[test]
    fn points_are_grouped_by_entity_in_their_order() {
        let of = |id: Value, v: u64| point(json!({ "type": "a", "id": id, "attr": "n", "v": v }));
        let updates = grouped(vec![of(json!("x"), 1), of(json!(2), 2), of(json!("x"), 3)]);
        let shown: Vec<_> = updates
            .iter()
            .map(|one| (one.entity.as_str(), one.points.iter().map(|p| p.v.clone()).collect()))
            .collect::<Vec<(&str, Vec<Value>)>>();
        assert_eq!(shown, [("a:x", vec![json!(1), json!(3)]), ("a:2", vec![json!(2)])]);
    }
}
