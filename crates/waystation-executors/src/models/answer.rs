//! What a model said, taken out of what its service answers.

use jsonschema::Validator;
use serde_json::Value;
use waystation_core::failure::{ErrorKind, Failure, truncate};

/// The most that is shown of an answer, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// The text of the first choice. One that was cut off, or that the model refused to give, is none.
pub fn text(answer: &Value) -> Result<&str, Failure> {
    let choice = answer.pointer("/choices/0").ok_or_else(|| {
        let message = format!("the model's answer has no `choices`: {}", short(answer));
        Failure::new(ErrorKind::Contract, message)
    })?;
    let permanent = |message: String| Err(Failure::new(ErrorKind::Permanent, message));
    if let Some(refusal) = choice.pointer("/message/refusal").and_then(Value::as_str) {
        return permanent(format!("the model refuses: {}", cut(refusal)));
    }
    match choice.get("finish_reason").and_then(Value::as_str) {
        Some("length") => {
            return permanent("the answer was cut off (hint: `max_tokens`)".to_owned());
        }
        Some("content_filter") => {
            return permanent("the service's filter kept the answer back".to_owned());
        }
        _ => {}
    }
    choice.pointer("/message/content").and_then(Value::as_str).ok_or_else(|| {
        let message = format!("the model's answer has no text: {}", short(choice));
        Failure::new(ErrorKind::Contract, message)
    })
}

/// The text as JSON that fits. A model that says something else may say better when asked again.
pub fn value(text: &str, schema: Option<&Validator>) -> Result<Value, Failure> {
    let again = |message: String| Failure::new(ErrorKind::Error, message);
    let value: Value = serde_json::from_str(text).map_err(|error| {
        again(format!("the model's answer is no JSON: {error}: `{}`", cut(text)))
    })?;
    if let Some(error) = schema.and_then(|schema| schema.validate(&value).err()) {
        let place = error.instance_path().to_string();
        return Err(again(format!(
            "the model's answer does not fit `schema` at `{place}`: {error}"
        )));
    }
    Ok(value)
}

fn short(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    let mut text = text.to_owned();
    truncate(&mut text, SHOWN_BYTES_MAX);
    text
}
