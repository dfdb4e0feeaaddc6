//! Dotted paths into params: `page.corners.0`. A param whose own name has dots goes first.

use serde_json::{Map, Value};
use waystation_core::Params;
use waystation_core::contract::kind_of;

/// What is there.
pub fn get<'a>(params: &'a Params, path: &str) -> Option<&'a Value> {
    if let Some(value) = params.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    within(params.get(first)?, rest)
}

/// What is there in a value; the value itself where the path is empty.
pub fn within<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    match value {
        Value::Object(fields) => get(fields, path),
        Value::Array(items) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            within(items.get(first.parse::<usize>().ok()?)?, rest)
        }
        _ => None,
    }
}

/// Puts a value there. Objects on the way are made where there is nothing.
pub fn put(params: &mut Params, path: &str, value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_once('.').filter(|_| !params.contains_key(path)) else {
        params.insert(path.to_owned(), value);
        return Ok(());
    };
    let next = params.entry(first).or_insert_with(|| Value::Object(Map::new()));
    if next.is_null() {
        *next = Value::Object(Map::new());
    }
    match next {
        Value::Object(fields) => put(fields, rest, value),
        other => Err(format!("`{first}` is {}, which has no field `{rest}`", kind_of(other))),
    }
}

/// Takes away what is there.
pub fn take(params: &mut Params, path: &str) -> Option<Value> {
    if let Some(value) = params.shift_remove(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    take(params.get_mut(first)?.as_object_mut()?, rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let params = json!({ "a": { "b": [1, { "c": 2 }] }, "x.y": 3, "n": null });
        let params = params.as_object().expect("an object");
        for (path, expected) in [
            ("a.b.1.c", Some(json!(2))),
            ("a.b.0", Some(json!(1))),
            ("x.y", Some(json!(3))),
            ("n", Some(Value::Null)),
            ("a.b.7", None),
            ("a.z", None),
            ("n.x", None),
        ] {
            assert_eq!(get(params, path), expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn what_is_put_can_be_taken_and_nothing_is_put_into_what_is_no_object() {
        let mut params = Params::new();
        put(&mut params, "a.b.c", json!(1)).expect("put");
        assert_eq!(json!(params), json!({ "a": { "b": { "c": 1 } } }));
        let error = put(&mut params, "a.b.c.d", json!(2)).expect_err("in the way");
        assert_eq!(error, "`c` is a number, which has no field `d`");
        assert_eq!(
            (take(&mut params, "a.b"), take(&mut params, "a.b")),
            (Some(json!({"c": 1})), None)
        );
    }
}
