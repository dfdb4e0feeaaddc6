//! From a message to the item that it becomes, or to why it becomes none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure, truncate};
use waystation_core::id::time_ordered;
use waystation_core::source::{Item, Letter};

/// The longest id that is taken.
const ID_BYTES_MAX: usize = 500;
/// The most that is shown of what does not fit, in bytes.
const SHOWN_BYTES_MAX: usize = 200;
/// The param that holds a message that cannot be read, where no other name is said.
const MESSAGE: &str = "message";

/// A message, as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// By what it is acknowledged.
    pub receipt: String,
    /// What tells it from every other one, where the queue says so.
    pub id: Option<String>,
    /// What is in it.
    pub body: Body,
}

/// What is in a message.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes.
    Whole(Vec<u8>),
    /// Fields.
    Fields(Vec<(String, Vec<u8>)>),
}

/// How items are made of messages.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where the id is in the JSON.
    pub id: Option<String>,
    /// The param that holds the message.
    pub under: Option<String>,
    /// The field that holds the JSON.
    pub field: Option<String>,
}

impl Shape {
    /// The item of a message. One without any id has a new one each time that it comes.
    pub fn item(&self, message: &Message) -> Result<Item, Failure> {
        let value = self.value(&message.body)?;
        let id = match &self.id {
            Some(pointer) => own_id(pointer, &value)?,
            None => message.id.clone().unwrap_or_else(time_ordered),
        };
        let id = checked(id)?;
        let params = match (&self.under, value) {
            (Some(param), value) => Params::from_iter([(param.clone(), value)]),
            (None, Value::Object(fields)) => fields,
            (None, other) => {
                let shown = short(&other.to_string());
                let why = format!("it must be an object: {shown} (hint: the setting `under`)");
                return Err(contract(why));
            }
        };
        Ok(Item { id, params })
    }

    /// A message that no item can be made of, whole.
    pub fn letter(&self, message: &Message, failure: Failure) -> Letter {
        let id = message.id.clone().and_then(|id| checked(id).ok()).unwrap_or_else(time_ordered);
        let param = self.under.clone().unwrap_or_else(|| MESSAGE.to_owned());
        let params = match &message.body {
            Body::Whole(bytes) => Params::from_iter([as_text(&param, bytes)]),
            Body::Fields(fields) => {
                let fields = fields.iter().map(|(name, bytes)| as_text(name, bytes));
                Params::from_iter([(param, Value::Object(fields.collect()))])
            }
        };
        Letter { item: Item { id, params }, failure }
    }

    fn value(&self, body: &Body) -> Result<Value, Failure> {
        let fields = match (body, &self.field) {
            (Body::Whole(bytes), _) => return json(bytes),
            (Body::Fields(fields), Some(name)) => {
                let found = fields.iter().find(|(own, _)| own == name);
                let absent = || contract(format!("it has no field `{name}`"));
                return json(&found.ok_or_else(absent)?.1);
            }
            (Body::Fields(fields), None) => fields,
        };
        let text = |(name, bytes): &(String, Vec<u8>)| {
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|_| contract(format!("its field `{name}` is no UTF-8")))?;
            Ok((name.clone(), Value::from(text)))
        };
        fields.iter().map(text).collect::<Result<Params, _>>().map(Value::Object)
    }
}

fn contract(why: String) -> Failure {
    Failure::new(ErrorKind::Contract, why)
}

fn json(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(2 * SHOWN_BYTES_MAX)]);
        contract(format!("it is no JSON: {error}: `{}`", short(&beginning)))
    })
}

fn own_id(pointer: &str, value: &Value) -> Result<String, Failure> {
    match value.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        // Others are no longer what was sent: two that differ may be one.
        Some(Value::Number(number)) if !number.is_f64() => Ok(number.to_string()),
        _ => {
            let shown = short(&value.to_string());
            Err(contract(format!("its `{pointer}` must be a text or a whole number: {shown}")))
        }
    }
}

/// An id that every store can keep.
fn checked(id: String) -> Result<String, Failure> {
    if (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control) {
        return Ok(id);
    }
    let shown = short(&id.escape_debug().to_string());
    let limits = format!("1 to {ID_BYTES_MAX} bytes without control characters");
    Err(contract(format!("`{shown}` is no id: {limits}")))
}

/// What is no text is kept too: a person may want to look at it.
fn as_text(name: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => (name.to_owned(), Value::from(text)),
        _ => (format!("{name}_base64"), Value::from(BASE64.encode(bytes))),
    }
}

fn short(text: &str) -> String {
    let mut text = text.to_owned();
    truncate(&mut text, SHOWN_BYTES_MAX);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(id: Option<&str>, body: &[u8]) -> Message {
        let body = Body::Whole(body.to_vec());
        Message { receipt: "1".to_owned(), id: id.map(str::to_owned), body }
    }

    fn shape(id: Option<&str>, under: Option<&str>, field: Option<&str>) -> Shape {
        let [id, under, field] = [id, under, field].map(|one| one.map(str::to_owned));
        Shape { id, under, field }
    }

    fn check(shape: &Shape, message: &Message, id: &str, params: &Value) {
        let item = shape.item(message).expect("an item");
        assert_eq!((item.id.as_str(), &Value::Object(item.params)), (id, params));
    }

    #[test]
    fn messages_become_items() {
        let plain = shape(None, None, None);
        check(&plain, &whole(Some("m1"), br#"{"a": 1}"#), "m1", &json!({ "a": 1 }));
        let named = shape(Some("/a"), Some("order"), None);
        check(&named, &whole(None, br#"{"a": 7}"#), "7", &json!({ "order": { "a": 7 } }));
        let fields = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"{\"c\":2}".to_vec())];
        let entry = Message { body: Body::Fields(fields), ..whole(Some("1-0"), b"") };
        check(&plain, &entry, "1-0", &json!({ "a": "1", "b": "{\"c\":2}" }));
        check(&shape(None, None, Some("b")), &entry, "1-0", &json!({ "c": 2 }));
        let nameless = || plain.item(&whole(None, b"{}")).expect("an item").id;
        assert_ne!(nameless(), nameless());
    }

    #[test]
    fn what_becomes_no_item_is_kept_whole() {
        let plain = shape(None, None, None);
        for (message, words, params) in [
            (whole(Some("m1"), b"<a>"), "it is no JSON", json!({ "message": "<a>" })),
            (whole(None, b"7"), "it must be an object: 7", json!({ "message": "7" })),
            (whole(Some("m"), b"\xff"), "no JSON", json!({ "message_base64": "/w==" })),
            (whole(Some("a\n"), b"{}"), "`a\\n` is no id", json!({ "message": "{}" })),
        ] {
            let failure = plain.item(&message).expect_err("no item");
            assert!(failure.message.contains(words), "{failure}");
            let letter = plain.letter(&message, failure);
            assert_eq!(Value::Object(letter.item.params), params);
        }
    }
}
