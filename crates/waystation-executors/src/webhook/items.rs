//! What a call brings: its items, each with an id that is the same when the call comes again.

use std::collections::BTreeMap;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::truncate;
use waystation_core::hook::{Call, ITEMS_MAX, Refusal};
use waystation_core::id::time_ordered;
use waystation_core::source::Item;

/// The headers that have a delivery's id by custom.
const USUAL: [&str; 3] = ["webhook-id", "X-GitHub-Delivery", "Idempotency-Key"];
/// The longest id that is taken.
const ID_BYTES_MAX: usize = 500;
/// The most that is shown of what does not fit, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// What makes a call's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The first of the usual headers; a new id where there is none.
    Usual,
    /// This header.
    Header(String),
    /// What is there in the body, or in each entry of its list.
    Pointer(String),
}

/// How items are made of a call.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What makes their ids.
    pub identity: Identity,
    /// The param that holds what was sent; its fields are params otherwise.
    pub under: Option<String>,
    /// Params from headers.
    pub header_params: BTreeMap<String, String>,
}

impl Shape {
    /// The items of a call: one, or one for each entry of a list.
    pub fn items(&self, call: &Call<'_>) -> Result<Vec<Item>, Refusal> {
        let body: Value = serde_json::from_slice(call.body)
            .map_err(|error| Refusal::Unreadable(format!("the body is no JSON: {error}")))?;
        let (entries, is_list) = match body {
            Value::Array(entries) => (entries, true),
            one => (vec![one], false),
        };
        if entries.is_empty() {
            return Err(Refusal::Misfit("there is nothing in the list".to_owned()));
        }
        if entries.len() > ITEMS_MAX {
            let why = format!("{} entries, more than the {ITEMS_MAX} of a call", entries.len());
            return Err(Refusal::TooLarge(why));
        }
        let call_id = self.call_id(call)?;
        let item = |(index, entry)| {
            let id = match (&self.identity, is_list) {
                (Identity::Pointer(pointer), _) => entry_id(pointer, &entry)?,
                (_, true) => format!("{call_id}/{index}"),
                (_, false) => call_id.clone(),
            };
            Ok(Item { id: checked(id)?, params: self.params(call, entry)? })
        };
        entries.into_iter().enumerate().map(item).collect()
    }

    /// The id of the call as a whole; none is looked for where each entry has its own.
    fn call_id(&self, call: &Call<'_>) -> Result<String, Refusal> {
        match &self.identity {
            Identity::Pointer(_) => Ok(String::new()),
            Identity::Header(name) => {
                let found = call.header(name).filter(|id| !id.is_empty());
                found.map(str::to_owned).ok_or_else(|| {
                    Refusal::Misfit(format!("there is no id in the header `{name}`"))
                })
            }
            Identity::Usual => {
                let mut found = USUAL.iter().filter_map(|name| call.header(name));
                Ok(found.find(|id| !id.is_empty()).map_or_else(time_ordered, str::to_owned))
            }
        }
    }

    fn params(&self, call: &Call<'_>, entry: Value) -> Result<Params, Refusal> {
        let mut params = match (&self.under, entry) {
            (Some(param), entry) => Params::from_iter([(param.clone(), entry)]),
            (None, Value::Object(fields)) => fields,
            (None, other) => {
                let shown = short(&other);
                let why = format!("it must be an object: {shown} (hint: the setting `under`)");
                return Err(Refusal::Misfit(why));
            }
        };
        for (param, header) in &self.header_params {
            if let Some(value) = call.header(header) {
                params.insert(param.clone(), Value::from(value));
            }
        }
        Ok(params)
    }
}

fn entry_id(pointer: &str, entry: &Value) -> Result<String, Refusal> {
    match entry.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        // Others are no longer what was sent: two that differ may be one.
        Some(Value::Number(number)) if !number.is_f64() => Ok(number.to_string()),
        _ => {
            let shown = short(entry);
            let why = format!("its `{pointer}` must be a text or a whole number: {shown}");
            Err(Refusal::Misfit(why))
        }
    }
}

/// An id that every store can keep.
fn checked(id: String) -> Result<String, Refusal> {
    if id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control) {
        return Ok(id);
    }
    let shown = short(&Value::from(id));
    let why = format!("{shown} is no id: 1 to {ID_BYTES_MAX} bytes without control characters");
    Err(Refusal::Misfit(why))
}

fn short(value: &Value) -> String {
    let mut text = value.to_string();
    truncate(&mut text, SHOWN_BYTES_MAX);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waystation_core::clock::Timestamp;

    use super::*;

    fn shape(identity: Identity, under: Option<&str>) -> Shape {
        let header_params = [("event".to_owned(), "X-GitHub-Event".to_owned())].into();
        Shape { identity, under: under.map(str::to_owned), header_params }
    }

    fn items(shape: &Shape, headers: &[(&str, &str)], body: &str) -> Result<Vec<Item>, Refusal> {
        shape.items(&Call { headers, body: body.as_bytes(), at: Timestamp(0) })
    }

    #[test]
    fn calls_bring_one_item_or_one_for_each_entry() {
        let usual = shape(Identity::Usual, None);
        let github = [("x-github-delivery", "d1"), ("x-github-event", "push")];
        let one = items(&usual, &github, r#"{"ref": "main"}"#).expect("an item");
        assert_eq!((one.len(), one[0].id.as_str()), (1, "d1"));
        assert_eq!(Value::Object(one[0].params.clone()), json!({ "ref": "main", "event": "push" }));
        let many = items(&usual, &github[..1], r#"[{"a": 1}, {"a": 2}]"#).expect("items");
        assert_eq!(many.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["d1/0", "d1/1"]);

        let nameless = |body| items(&usual, &[], body).expect("an item").remove(0).id;
        assert_ne!(nameless("{}"), nameless("{}"));

        let by_pointer = shape(Identity::Pointer("/id".to_owned()), Some("call"));
        let many = items(&by_pointer, &github[..1], r#"[{"id": 7}, {"id": "x"}]"#).expect("items");
        assert_eq!(many.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["7", "x"]);
        assert_eq!(Value::Object(many[0].params.clone()), json!({ "call": { "id": 7 } }));
    }

    #[test]
    fn what_no_job_can_be_made_of_is_told() {
        let (usual, by_header) =
            (shape(Identity::Usual, None), shape(Identity::Header("X-Id".to_owned()), None));
        let by_pointer = shape(Identity::Pointer("/id".to_owned()), None);
        let long = format!("[{}]", vec!["{}"; ITEMS_MAX + 1].join(","));
        for (shape, body, words) in [
            (&usual, "<html>", "the body is no JSON"),
            (&usual, "[]", "there is nothing in the list"),
            (&usual, "7", "it must be an object: 7"),
            (&usual, &long, "501 entries, more than the 500 of a call"),
            (&by_header, "{}", "there is no id in the header `X-Id`"),
            (&by_pointer, "{}", "its `/id` must be a text or a whole number: {}"),
            (&by_pointer, r#"{"id": "a\n"}"#, "is no id"),
        ] {
            let refusal = items(shape, &[], body).expect_err(body);
            assert!(refusal.to_string().contains(words), "{refusal}");
        }
    }
}
