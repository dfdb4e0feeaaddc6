//! Params that a stage reads: each that is absent or of another kind is named.

use serde_json::Value;
use waystation_core::Params;
use waystation_core::contract::kind_of;
use waystation_core::failure::{ErrorKind, Failure, truncate};

use crate::path;

/// The most that is shown of a value, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// The value of a param, which must be there.
pub fn value<'a>(params: &'a Params, name: &str) -> Result<&'a Value, Failure> {
    match path::get(params, name) {
        Some(Value::Null) | None => {
            let message = format!("param `{name}` is absent");
            Err(Failure::new(ErrorKind::MissingParam, message))
        }
        Some(value) => Ok(value),
    }
}

/// A param that must be a text.
pub fn text<'a>(params: &'a Params, name: &str) -> Result<&'a str, Failure> {
    let value = value(params, name)?;
    value.as_str().ok_or_else(|| wrong(&format!("param `{name}`"), "a text", value))
}

/// A param that must be a list.
pub fn list<'a>(params: &'a Params, name: &str) -> Result<&'a [Value], Failure> {
    match value(params, name)? {
        Value::Array(items) => Ok(items),
        other => Err(wrong(&format!("param `{name}`"), "a list", other)),
    }
}

/// Something is not what it must be.
pub fn wrong(what: &str, expected: &str, value: &Value) -> Failure {
    let mut shown = value.to_string();
    truncate(&mut shown, SHOWN_BYTES_MAX);
    invalid(format!("{what} must be {expected}, not {} ({shown})", kind_of(value)))
}

/// A param holds what cannot be taken.
pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::InvalidParam, message)
}
