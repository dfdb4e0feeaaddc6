//! A stage's settings: one struct for each type, which says everything about them.
//!
//! Its fields are the settings, its doc comments what they mean, its attributes what they may be
//! and what they are unless they are said. From it come the JSON Schema that is shown, the check
//! that tells every problem at once, and the values. A setting that is `null` counts as absent.

mod format;
mod kinds;
mod problems;
mod told;
mod words;

use std::sync::LazyLock;

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use waystation_core::Params;

pub use kinds::{Folder, Globs, Moment, Nothing, Seconds, Texts};
pub use told::{Setting, of as told};

/// The key of a property's schema that lists other names of the setting.
const ALIASES: &str = "x-aliases";

/// Reads the settings of a stage, or tells every problem with them.
pub fn read<S: JsonSchema + DeserializeOwned>(params: &Params) -> Result<S, Vec<String>> {
    let schema = schema_of::<S>();
    let settings = said(params, &schema)?;
    let validator = validator(&schema).map_err(|error| vec![error])?;
    let value = Value::Object(settings.clone());
    if !validator.is_valid(&value) {
        let found: Vec<_> = validator.iter_errors(&value).collect();
        return Err(problems::of(&found, &settings, &schema));
    }
    serde_json::from_value(value).map_err(|error| vec![format!("settings: {error}")])
}

/// What the settings of a type may be, as a JSON Schema without references.
pub fn schema_of<S: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::default();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<S>().to_value();
    if let Value::Object(fields) = &mut schema {
        fields.shift_remove("$schema");
        fields.shift_remove("title");
    }
    without_null(&mut schema);
    schema
}

/// The settings that are said, each by its own name.
fn said(params: &Params, schema: &Value) -> Result<Params, Vec<String>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let own = |name: &str| {
        let properties = properties?;
        if properties.contains_key(name) {
            return properties.get_key_value(name).map(|(own, _)| own.as_str());
        }
        let is_alias = |property: &Value| {
            let aliases = property.get(ALIASES).and_then(Value::as_array);
            aliases.is_some_and(|aliases| aliases.iter().any(|alias| alias == name))
        };
        properties.iter().find(|(_, property)| is_alias(property)).map(|(own, _)| own.as_str())
    };
    let (mut settings, mut twice) = (Params::new(), Vec::new());
    for (name, value) in params {
        let known = own(name);
        if value.is_null() && known.is_some() {
            continue;
        }
        let known = known.unwrap_or(name);
        if settings.insert(known.to_owned(), value.clone()).is_some() {
            twice.push(format!("setting `{known}` is said twice, once by another of its names"));
        }
    }
    if twice.is_empty() { Ok(settings) } else { Err(twice) }
}

fn validator(schema: &Value) -> Result<Validator, String> {
    let mut options = jsonschema::options().should_validate_formats(true);
    for (name, _, is_good) in format::FORMATS {
        options = options.with_format(*name, *is_good);
    }
    options.build(schema).map_err(|error| format!("the schema of the settings is none: {error}"))
}

/// Settings that may be left out are so by being absent: `null` is no value of theirs.
fn without_null(schema: &mut Value) {
    static NULL: LazyLock<Value> = LazyLock::new(|| serde_json::json!({ "type": "null" }));
    match schema {
        Value::Object(fields) => {
            if fields.get("default").is_some_and(Value::is_null) {
                fields.shift_remove("default");
            }
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|one| one != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = fields.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(ways)) = fields.get_mut("anyOf") {
                ways.retain(|way| *way != *NULL);
                if let [Value::Object(only)] = ways.as_slice() {
                    let only: Map<_, _> = only.clone();
                    fields.shift_remove("anyOf");
                    for (name, value) in only {
                        fields.entry(name).or_insert(value);
                    }
                }
            }
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
