//! One page of a list, taken apart.

use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure, truncate};
use waystation_core::source::{Fault, Item};

/// The most that is shown of what does not fit, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// How a page is made.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where its items are.
    pub items: String,
    /// Where an item's id is.
    pub id: String,
    /// Where the next page's cursor is.
    pub cursor: Option<String>,
    /// The param that holds an item; the item's fields are params otherwise.
    pub param: Option<String>,
}

/// What is on a page.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// What could be made no item of.
    pub faults: Vec<Fault>,
    /// The next page's cursor.
    pub cursor: Option<String>,
}

impl Shape {
    /// Takes a page apart.
    pub fn read(&self, body: &[u8]) -> Result<Page, Failure> {
        let contract = |what: String| Failure::new(ErrorKind::Contract, what);
        let whole: Value = serde_json::from_slice(body).map_err(|error| {
            contract(format!("the answer is no JSON: {error}: `{}`", beginning(body)))
        })?;
        let found = whole.pointer(&self.items);
        let Some(list) = found.and_then(Value::as_array) else {
            let what = found.map_or_else(|| "absent".to_owned(), |found| short(&found.to_string()));
            let message = format!("`{}` of the answer must be a list, it is {what}", self.items);
            return Err(contract(message));
        };
        let (mut items, mut faults) = (Vec::new(), Vec::new());
        for (index, value) in list.iter().enumerate() {
            match self.item(value) {
                Ok(item) => items.push(item),
                Err(message) => faults.push(Fault { what: format!("item {index}"), message }),
            }
        }
        let cursor = self.cursor.as_ref().and_then(|place| whole.pointer(place)).and_then(plain);
        Ok(Page { items, faults, cursor: cursor.filter(|cursor| !cursor.is_empty()) })
    }

    fn item(&self, value: &Value) -> Result<Item, String> {
        let id = value.pointer(&self.id).and_then(plain).filter(|id| !id.is_empty());
        let Some(id) = id else {
            let shown = short(&value.to_string());
            return Err(format!("its `{}` must be a text or a number: {shown}", self.id));
        };
        let params = match (&self.param, value) {
            (Some(param), _) => Params::from_iter([(param.clone(), value.clone())]),
            (None, Value::Object(fields)) => fields.clone(),
            (None, other) => {
                let shown = short(&other.to_string());
                return Err(format!("it must be an object: {shown} (hint: `as: item`)"));
            }
        };
        Ok(Item { id, params })
    }
}

/// A text or a number, as a text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

fn beginning(body: &[u8]) -> String {
    short(&String::from_utf8_lossy(&body[..body.len().min(2 * SHOWN_BYTES_MAX)]))
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

    fn shape() -> Shape {
        Shape {
            items: "/data".to_owned(),
            id: "/id".to_owned(),
            cursor: Some("/next".to_owned()),
            param: None,
        }
    }

    #[test]
    fn pages_are_taken_apart_and_bad_items_stop_no_other() {
        let body = json!({ "data": [{ "id": 7, "a": 1 }, { "a": 2 }, 3], "next": "x" });
        let page = shape().read(body.to_string().as_bytes()).expect("a page");
        assert_eq!((page.items.len(), page.faults.len()), (1, 2));
        assert_eq!((page.items[0].id.as_str(), page.cursor.as_deref()), ("7", Some("x")));
        assert_eq!(page.items[0].params["a"], 1);
        assert!(page.faults[0].message.contains("its `/id` must be a text or a number"));
        let list = json!(["a", "b"]).to_string();
        let bare = Shape {
            items: String::new(),
            id: String::new(),
            cursor: None,
            param: Some("item".to_owned()),
        };
        let page = bare.read(list.as_bytes()).expect("a page");
        assert_eq!(page.items[1].params["item"], "b");
    }

    #[test]
    fn what_is_no_page_is_shown() {
        for (body, words) in [
            ("<html>", "is no JSON"),
            ("{}", "`/data` of the answer must be a list, it is absent"),
            (r#"{"data": {"a": 1}}"#, r#"it is {"a":1}"#),
        ] {
            let failure = shape().read(body.as_bytes()).expect_err(body);
            assert!(failure.message.contains(words), "{failure}");
            assert_eq!(failure.kind, ErrorKind::Contract);
        }
    }
}
