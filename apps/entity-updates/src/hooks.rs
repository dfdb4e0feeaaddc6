//! What follows from a new value: an update of another entity, as a job of its own.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::point::{Point, Update};

/// How far one update leads to others: two entities that name each other would never end.
pub const DEPTH_MAX: u32 = 3;

/// Where an attribute names another entity, that one is told who names it. `ip.asn=asn.member`:
/// when the `asn` of `ip:10.0.0.1` becomes 64512, the `member` of `asn:64512` becomes `10.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    from: (String, String),
    to: (String, String),
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = |text: &str| {
            let (kind, attr) = text.split_once('.')?;
            (!kind.is_empty() && !attr.is_empty()).then(|| (kind.to_owned(), attr.to_owned()))
        };
        let both = text.split_once('=').and_then(|(from, to)| end(from).zip(end(to)));
        let (from, to) =
            both.ok_or_else(|| format!("`{text}` is no link as `ip.asn=asn.member`"))?;
        Ok(Self { from, to })
    }
}

/// The updates that follow from one: those of each entity that it names.
pub fn follow_ups(links: &[Link], update: &Update) -> Vec<Update> {
    if update.depth >= DEPTH_MAX {
        return Vec::new();
    }
    let mut followed = Vec::new();
    for point in &update.points {
        for link in
            links.iter().filter(|link| link.from == (point.kind.clone(), point.attr.clone()))
        {
            let id = match &point.v {
                Value::String(text) => json!(text),
                Value::Number(number) if number.is_i64() => json!(number),
                // It names nothing.
                _ => continue,
            };
            let named = json!({
                "type": link.to.0, "id": id, "attr": link.to.1, "v": point.id, "src": "link",
            });
            let Ok(named) = serde_json::from_value::<Point>(named) else { continue };
            if named.problem().is_none() {
                let (entity, depth) = (named.entity(), update.depth + 1);
                followed.push(Update { entity, points: vec![named], depth });
            }
        }
    }
    followed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::grouped;

    #[test]
    fn links_are_read() {
        assert!("ip.asn=asn.member".parse::<Link>().is_ok());
        for text in ["", "ip.asn", "ip=asn", "ip.=asn.x"] {
            let error = text.parse::<Link>().expect_err(text);
            assert!(error.contains("is no link as `ip.asn=asn.member`"), "{error}");
        }
    }

    #[test]
    fn entities_that_are_named_are_told_by_whom() {
        let links = ["ip.asn=asn.member".parse().expect("a link")];
        let point = |attr: &str, v: Value| {
            serde_json::from_value(json!({ "type": "ip", "id": "a", "attr": attr, "v": v }))
        };
        let points = [point("asn", json!(7)), point("ttl", json!(9)), point("asn", json!(null))];
        let update = grouped(points.map(|one| one.expect("a point")).into()).remove(0);
        let followed = follow_ups(&links, &update);
        assert_eq!(followed.len(), 1);
        assert_eq!((followed[0].entity.as_str(), followed[0].depth), ("asn:7", 1));
        assert_eq!(followed[0].points[0].v, json!("a"));
        let deep = Update { depth: DEPTH_MAX, ..update };
        assert!(follow_ups(&links, &deep).is_empty());
    }
}
