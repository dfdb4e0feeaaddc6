//! What a value may be by its schema, in words.

use serde_json::Value;

use super::format;

/// What the schema asks for, to stand after "must be".
pub fn expected(schema: &Value) -> String {
    if let Some(ways) = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array()) {
        return joined(ways.iter().map(expected));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return joined(values.iter().map(shown));
    }
    if let Some(value) = schema.get("const") {
        return shown(value);
    }
    match schema.get("type") {
        Some(Value::Array(types)) => joined(types.iter().map(|one| kind(one, schema))),
        Some(one) => kind(one, schema),
        None => "anything".to_owned(),
    }
}

fn kind(name: &Value, schema: &Value) -> String {
    match name.as_str().unwrap_or_default() {
        "string" => text(schema),
        "integer" => number("a whole number", schema),
        "number" => number("a number", schema),
        "boolean" => "true or false".to_owned(),
        "array" => {
            let what = schema.get("items").and_then(plural);
            let list =
                format!("a list{}", what.map_or_else(String::new, |what| " of ".to_owned() + what));
            counted(list, schema, "Items", "entry", "entries")
        }
        "object" => match schema.get("additionalProperties").and_then(plural) {
            Some(what) => format!("an object of {what}"),
            None => "an object".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn text(schema: &Value) -> String {
    if let Some(noun) = schema.get("format").and_then(Value::as_str).and_then(format::noun) {
        return noun.to_owned();
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return format!("a text that fits `{pattern}`");
    }
    match (limit(schema, "minLength"), limit(schema, "maxLength")) {
        (Some(1.0), None) => "a text that is not empty".to_owned(),
        _ => counted("a text".to_owned(), schema, "Length", "letter", "letters"),
    }
}

/// With the bounds of its size, which are `min…` and `max…` of this name.
fn counted(what: String, schema: &Value, name: &str, one: &str, many: &str) -> String {
    let unit = |count: f64| if count > 1.0 { many } else { one };
    match (limit(schema, &format!("min{name}")), limit(schema, &format!("max{name}"))) {
        (Some(least), Some(most)) => format!("{what} with {least} to {most} {}", unit(most)),
        (Some(least), None) => format!("{what} with at least {least} {}", unit(least)),
        (None, Some(most)) => format!("{what} with at most {most} {}", unit(most)),
        (None, None) => what,
    }
}

fn number(what: &str, schema: &Value) -> String {
    let above = limit(schema, "exclusiveMinimum");
    match (limit(schema, "minimum"), limit(schema, "maximum"), above) {
        (Some(least), Some(most), None) => format!("{what} from {least} to {most}"),
        (Some(least), None, None) => format!("{what} of at least {least}"),
        (None, Some(most), None) => format!("{what} of at most {most}"),
        (_, Some(most), Some(above)) => format!("{what} above {above}, and at most {most}"),
        (_, None, Some(above)) => format!("{what} above {above}"),
        (None, None, None) => what.to_owned(),
    }
}

fn limit(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

fn plural(schema: &Value) -> Option<&'static str> {
    match schema.get("type")?.as_str()? {
        "string" => Some("texts"),
        "integer" => Some("whole numbers"),
        "number" => Some("numbers"),
        "object" => Some("objects"),
        "array" => Some("lists"),
        _ => None,
    }
}

/// A value that is taken as it stands: texts are names.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |name| format!("`{name}`"))
}

fn joined(ways: impl Iterator<Item = String>) -> String {
    let ways: Vec<String> = ways.collect();
    match ways.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
