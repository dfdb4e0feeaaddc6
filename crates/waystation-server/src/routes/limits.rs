//! What a request may ask for.

use waystation_core::job::PAGE_MAX;

use crate::problem::{Code, Problem};

/// How many entries a page has, unless the query says.
const PAGE: usize = 50;
/// The longest name that is taken, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// How many entries a page is to have.
pub fn page(limit: Option<usize>) -> Result<usize, Problem> {
    between("limit", limit.unwrap_or(PAGE), 1, PAGE_MAX)
}

/// A number, if it lies between these two, ends included.
pub fn between<T: PartialOrd + Copy + std::fmt::Display>(
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<T, Problem> {
    if value >= least && value <= most {
        return Ok(value);
    }
    let why = format!("{name} {value} is not between {least} and {most}");
    Err(Problem::new(Code::Invalid, why))
}

/// A name that need not be one of those that are known.
pub fn name(what: &str, name: String) -> Result<String, Problem> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let why = format!("the name of a {what} has 1 to {NAME_BYTES_MAX} bytes that can be seen");
        return Err(Problem::new(Code::Invalid, why));
    }
    Ok(name)
}

/// What somebody gives as a reason, or these words where they give none.
pub fn reason(text: String, otherwise: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Ok(otherwise.to_owned());
    }
    if text.len() > REASON_BYTES_MAX {
        let why = format!("a reason has at most {REASON_BYTES_MAX} bytes, not {}", text.len());
        return Err(Problem::new(Code::Invalid, why));
    }
    if text.chars().any(|letter| letter.is_control() && letter != '\n' && letter != '\t') {
        return Err(Problem::new(Code::Invalid, "a reason has no control characters"));
    }
    Ok(text)
}
