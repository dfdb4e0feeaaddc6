//! A job's params held against the input that a stage's handler takes.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::StageId;

/// The most faults that one message names.
const FAULTS_MAX: usize = 10;

/// The input of a stage, by its JSON Schema.
pub struct Input {
    stage: StageId,
    validator: Validator,
}

impl Input {
    /// The input that this schema describes, or what is wrong with the schema.
    pub fn new(stage: &StageId, schema: &Value) -> Result<Self, String> {
        let validator = jsonschema::validator_for(schema)
            .map_err(|error| format!("the input schema of stage `{stage}` is none: {error}"))?;
        Ok(Self { stage: stage.clone(), validator })
    }

    /// Every fault of these params at once. What is missing is of kind `missing_param`, where
    /// nothing else is wrong.
    pub fn check(&self, params: &Params) -> Result<(), Failure> {
        let params = Value::Object(params.clone());
        if self.validator.is_valid(&params) {
            return Ok(());
        }
        let mut kind = ErrorKind::MissingParam;
        let mut faults = Vec::new();
        for error in self.validator.iter_errors(&params).take(FAULTS_MAX) {
            if !matches!(error.kind(), ValidationErrorKind::Required { .. }) {
                kind = ErrorKind::InvalidParam;
            }
            faults.push(shown(&error));
        }
        let message = format!("params do not fit stage `{}`: {}", self.stage, faults.join("; "));
        Err(Failure::new(kind, message))
    }
}

fn shown(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().as_str().trim_start_matches('/');
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            if place.is_empty() {
                format!("`{name}` is absent")
            } else {
                format!("`{place}/{name}` is absent")
            }
        }
        _ => format!("`{place}`: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(params: &Value) -> Result<(), Failure> {
        let schema = json!({
            "type": "object",
            "required": ["image_id", "tile"],
            "properties": {
                "image_id": { "type": "string" },
                "tile": { "type": "object", "required": ["x"] },
            },
        });
        let input = Input::new(&"detect".into(), &schema).expect("a schema");
        input.check(params.as_object().expect("an object"))
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        assert_eq!(check(&json!({ "image_id": "a", "tile": { "x": 1 }, "more": null })), Ok(()));
        let failure = check(&json!({ "tile": {} })).expect_err("two are absent");
        assert_eq!(failure.kind, ErrorKind::MissingParam);
        assert_eq!(
            failure.message,
            "params do not fit stage `detect`: `image_id` is absent; `tile/x` is absent"
        );
        let failure = check(&json!({ "image_id": 7, "tile": { "x": 1 } })).expect_err("a number");
        assert_eq!(failure.kind, ErrorKind::InvalidParam);
        assert_eq!(
            failure.message,
            "params do not fit stage `detect`: `image_id`: 7 is not of type \"string\""
        );
    }

    #[test]
    fn a_schema_that_is_none_is_named() {
        let error = Input::new(&"detect".into(), &json!({ "type": "sheep" })).err();
        assert!(error.is_some_and(|error| error.contains("stage `detect`")));
    }
}
