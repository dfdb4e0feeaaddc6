//! What a handler says of its input and its output.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// What a handler needs and what it gives. Whatever is left out is not checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// Exactly the keys that it returns with the label `ok`.
    pub outputs: Option<Vec<String>>,
    /// The JSON Schema (draft 2020-12) of its input. Held against a job when it is submitted to
    /// this stage.
    pub input: Option<Value>,
    /// The JSON Schema of its output.
    pub output: Option<Value>,
}

impl Signature {
    /// The signature of a function from one type to another.
    pub fn of<Input: JsonSchema, Output: JsonSchema>() -> Self {
        let input = schema_of::<Input>(SchemaSettings::default());
        let output = schema_of::<Output>(SchemaSettings::default().for_serialize());
        Self { outputs: closed_keys(&output), input: Some(input), output: Some(output) }
    }
}

fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(fields) = &mut schema {
        fields.shift_remove("$schema");
    }
    schema
}

/// The keys of an object that always has all of them and no others.
fn closed_keys(schema: &Value) -> Option<Vec<String>> {
    let open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    let combined = ["$ref", "oneOf", "anyOf", "allOf"].iter().any(|key| schema.get(key).is_some());
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |key: &String| {
        required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(key.as_str())))
    };
    let keys: Vec<String> = properties.keys().cloned().collect();
    (!open && !combined && keys.iter().all(is_required)).then_some(keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Closed {
        a: String,
        b: u8,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Optional {
        a: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<u8>,
    }

    #[test]
    fn keys_are_known_where_each_of_them_always_comes() {
        let keys = Signature::of::<(), Closed>().outputs;
        assert_eq!(keys, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Signature::of::<(), Optional>().outputs, None);
        assert_eq!(Signature::of::<(), crate::Params>().outputs, None);
        assert_eq!(Signature::of::<(), ()>().outputs, None);
    }

    #[test]
    fn schemas_are_those_of_the_types() {
        let input = Signature::of::<Closed, ()>().input.expect("a schema");
        assert_eq!(input["required"], json!(["a", "b"]));
        assert_eq!(input["properties"]["a"]["type"], "string");
    }
}
