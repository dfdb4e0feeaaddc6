//! What there is to know of each setting of a type, for people.

use serde_json::Value;

use super::{ALIASES, words};

/// A setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What it is called.
    pub name: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// What it may be, in words.
    pub shape: String,
    /// What it is unless it is said.
    pub default: Option<Value>,
    /// Whether it must be said.
    pub required: bool,
    /// What it means.
    pub description: String,
}

/// The settings that a schema describes, in their order.
pub fn of(schema: &Value) -> Vec<Setting> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let setting = |(name, schema): (&String, &Value)| Setting {
        name: name.clone(),
        aliases: texts(schema.get(ALIASES)),
        shape: words::expected(schema),
        default: schema.get("default").cloned(),
        required: is_required(name),
        description: description(schema),
    };
    properties.map(setting).collect()
}

/// On one line, and with what each of the words means that it may be.
fn description(schema: &Value) -> String {
    let text = |schema: &Value| {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let ways = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let meaning = |way: &Value| Some(format!("`{}`: {}", way.get("const")?.as_str()?, text(way)));
    let meanings = ways.filter_map(meaning);
    std::iter::once(text(schema)).chain(meanings).collect::<Vec<_>>().join(" ")
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
