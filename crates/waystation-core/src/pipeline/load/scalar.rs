//! What an unquoted YAML scalar means: the core schema of YAML 1.2.
//!
//! `yes`, `no`, `on` and `off` are texts, as the schema has it.

use serde_json::Number;

use super::node::Value;

/// Why a scalar that looks like a number cannot be one here.
pub(super) const TOO_LARGE: &str = "does not fit a 64-bit number";
/// Why an infinite number or none at all is refused.
pub(super) const NOT_JSON: &str = "cannot be written as JSON";

/// The value of an unquoted scalar.
pub(in crate::pipeline) fn resolve(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Boolean(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Boolean(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(NOT_JSON),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(NOT_JSON);
    }
    let number = match text.get(..2) {
        Some("0x") => radix(&text[2..], 16)?,
        Some("0o") => radix(&text[2..], 8)?,
        _ if is_integer(text) => Some(integer(text)?),
        _ if is_decimal(text) => Some(decimal(text)?),
        _ => None,
    };
    Ok(number.map_or_else(|| Value::Text(text.to_owned()), Value::Number))
}

fn radix(digits: &str, radix: u32) -> Result<Option<Number>, &'static str> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Ok(None);
    }
    let number = u64::from_str_radix(digits, radix).map_err(|_| TOO_LARGE)?;
    Ok(Some(number.into()))
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn integer(text: &str) -> Result<Number, &'static str> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let unsigned = text.parse::<u64>().map(Number::from);
    unsigned.or_else(|_| text.parse::<i64>().map(Number::from)).map_err(|_| TOO_LARGE)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(is_integer)
}

fn decimal(text: &str) -> Result<Number, &'static str> {
    let number = text.parse::<f64>().map_err(|_| NOT_JSON)?;
    Number::from_f64(number).ok_or(TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Position;
    use crate::pipeline::load::node::Node;
    use serde_json::json;

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("TRUE", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0xZ", json!("0xZ")),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("-1e3", json!(-1000.0)),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
            ("e3", json!("e3")),
            ("1e", json!("1e")),
            ("-", json!("-")),
            ("1_000", json!("1_000")),
            ("\u{e9}", json!("\u{e9}")),
        ];
        for (text, expected) in cases {
            let value = resolve(text).expect(text);
            let position = Position { line: 1, column: 1 };
            assert_eq!(Node { position, value }.to_json(), expected, "{text}");
        }
        let refused = [
            ("18446744073709551616", TOO_LARGE),
            ("0x10000000000000000", TOO_LARGE),
            ("1e999", TOO_LARGE),
            (".nan", NOT_JSON),
            ("-.inf", NOT_JSON),
        ];
        for (text, expected) in refused {
            assert_eq!(resolve(text).expect_err(text), expected);
        }
    }
}
