//! What is told of many values in one.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::failure::Failure;

use crate::inputs::{invalid, wrong};
use crate::template::written;

/// What is made of many values. Those that are null or absent are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean; null of none.
    Mean,
    /// The least number, or the first text by its letters; null of none.
    Min,
    /// The greatest; null of none.
    Max,
    /// The first; null of none.
    First,
    /// The last; null of none.
    Last,
    /// All in a list.
    Collect,
    /// All in a list, each but once.
    Distinct,
    /// All in one text, or all items of lists in one list.
    Concat,
}

impl Measure {
    /// What it says of these, which `what` names. The separator stands between texts.
    pub fn of(self, what: &str, values: &[&Value], separator: &str) -> Result<Value, Failure> {
        match self {
            Self::Count => Ok(json!(values.len())),
            Self::Sum => sum(what, values),
            Self::Mean if values.is_empty() => Ok(Value::Null),
            Self::Mean => {
                let sum = sum(what, values)?.as_f64().unwrap_or_default();
                Ok(json!(sum / values.len() as f64))
            }
            Self::Min => extreme(what, values, std::cmp::Ordering::Less),
            Self::Max => extreme(what, values, std::cmp::Ordering::Greater),
            Self::First => Ok(values.first().map_or(Value::Null, |value| (*value).clone())),
            Self::Last => Ok(values.last().map_or(Value::Null, |value| (*value).clone())),
            Self::Collect => Ok(values.iter().map(|value| (*value).clone()).collect()),
            Self::Distinct => {
                let mut seen: Vec<&Value> = Vec::new();
                for value in values {
                    if !seen.contains(value) {
                        seen.push(value);
                    }
                }
                Ok(seen.into_iter().cloned().collect())
            }
            Self::Concat => Ok(concat(values, separator)),
        }
    }
}

/// Whole numbers stay whole as long as their sum fits.
fn sum(what: &str, values: &[&Value]) -> Result<Value, Failure> {
    let mut whole = Some(0_i64);
    let mut sum = 0.0;
    for value in values {
        let number = value.as_f64().ok_or_else(|| wrong(what, "a number", value))?;
        sum += number;
        whole = whole.zip(value.as_i64()).and_then(|(sum, number)| sum.checked_add(number));
    }
    Ok(whole.map_or_else(|| json!(sum), Value::from))
}

fn extreme(what: &str, values: &[&Value], wanted: std::cmp::Ordering) -> Result<Value, Failure> {
    let mut best: Option<&Value> = None;
    for value in values {
        let order = match (value, best) {
            (Value::Number(_) | Value::String(_), None) => wanted,
            (Value::Number(one), Some(Value::Number(other))) => {
                one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(std::cmp::Ordering::Equal)
            }
            (Value::String(one), Some(Value::String(other))) => one.cmp(other),
            (Value::Number(_) | Value::String(_), Some(_)) => {
                return Err(invalid(format!("{what} must be all numbers or all texts")));
            }
            _ => return Err(wrong(what, "a number or a text", value)),
        };
        if order == wanted {
            best = Some(value);
        }
    }
    Ok(best.cloned().unwrap_or_default())
}

fn concat(values: &[&Value], separator: &str) -> Value {
    if !values.is_empty() && values.iter().all(|value| value.is_array()) {
        let items = values.iter().filter_map(|value| value.as_array()).flatten();
        return items.cloned().collect();
    }
    let texts: Vec<String> = values.iter().map(|value| written(value)).collect();
    Value::from(texts.join(separator))
}
