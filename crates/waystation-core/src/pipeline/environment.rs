//! `${NAME}` in pipeline files: values that come from outside.
//!
//! `${NAME}` stands for the variable and must be set; `${NAME:-default}` falls back when the
//! variable is unset or empty, as in a shell; `$${` is a literal `${`. What a variable holds is
//! never read for placeholders again.

use super::problem::Problem;

/// Where the values of placeholders come from.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A text after its placeholders were replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// What is left.
    pub text: String,
    /// Whether the text was one placeholder and nothing else.
    pub whole: bool,
}

/// Why placeholders could not be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// The variable is unset and there is no default.
    #[error("`${{{0}}}` is not set")]
    Unset(String),
    /// What follows `${` is no placeholder.
    #[error("`{0}` is not a placeholder")]
    Malformed(String),
}

impl Error {
    /// What the reader may do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unset(name) => format!(
                "pass --set {name}=value, export {name}, or give a default: ${{{name}:-value}}"
            ),
            Self::Malformed(_) => {
                "write ${NAME} or ${NAME:-default}, or $${ for a literal ${".to_owned()
            }
        }
    }
}

/// A text with its placeholders replaced, or a problem for each that keeps it from that.
pub fn fill(text: &str, environment: &Environment<'_>) -> Result<String, Vec<Problem>> {
    let problem = |error: &Error| Problem::new(error.to_string()).hint(error.hint());
    let expanded = expand(text, environment).map(|expanded| expanded.text);
    expanded.map_err(|errors| errors.iter().map(problem).collect())
}

/// Replaces every placeholder of a text, or tells everything that keeps them from it.
pub(super) fn expand(text: &str, environment: &Environment<'_>) -> Result<Expanded, Vec<Error>> {
    let mut expanded = String::with_capacity(text.len());
    let mut errors = Vec::new();
    let mut rest = text;
    let mut whole = false;
    while let Some(at) = rest.find("${") {
        let (before, placeholder) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &placeholder[2..];
            continue;
        }
        expanded.push_str(before);
        let (result, length) = replace(placeholder, environment);
        match result {
            Ok(value) => expanded.push_str(&value),
            Err(error) => errors.push(error),
        }
        whole = length == text.len();
        rest = &placeholder[length..];
    }
    expanded.push_str(rest);
    if errors.is_empty() {
        let text = expanded;
        Ok(Expanded { text, whole })
    } else {
        Err(errors)
    }
}

/// The value of the placeholder that `text` begins with, and how many bytes it is long.
fn replace(text: &str, environment: &Environment<'_>) -> (Result<String, Error>, usize) {
    let Some(placeholder) = Placeholder::parse(text) else {
        let malformed: String = text.lines().next().unwrap_or(text).chars().take(40).collect();
        let malformed = match malformed.find('}') {
            Some(end) => &malformed[..=end],
            None => &malformed,
        };
        return (Err(Error::Malformed(malformed.to_owned())), 2);
    };
    let value = environment(placeholder.name);
    let result = match (value, placeholder.default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Error::Unset(placeholder.name.to_owned())),
    };
    (result, placeholder.length)
}

/// One placeholder, taken apart.
pub(super) struct Placeholder<'a> {
    name: &'a str,
    /// What to fall back on.
    pub default: Option<&'a str>,
    /// How long the whole placeholder is, in bytes.
    pub length: usize,
}

impl<'a> Placeholder<'a> {
    /// The placeholder that this text begins with, if it is one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix("${")?;
        let name_end =
            inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(name_end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        if rest.starts_with('}') {
            let length = 2 + name_end + 1;
            return Some(Self { name, default: None, length });
        }
        let rest = rest.strip_prefix(":-")?;
        let default = &rest[..rest.find('}')?];
        if default.contains("${") {
            return None;
        }
        Some(Self { name, default: Some(default), length: 2 + name_end + 2 + default.len() + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Result<(&str, bool), Vec<&str>>) {
        let environment = |name: &str| match name {
            "HOST" => Some("db".to_owned()),
            "PORT_2" => Some("5432".to_owned()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${HOST}".to_owned()),
            _ => None,
        };
        let got = expand(text, &environment);
        let got = got
            .as_ref()
            .map(|expanded| (expanded.text.as_str(), expanded.whole))
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>());
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, *expected, "{text}"),
            (Err(got), Err(expected)) => assert_eq!(got, *expected, "{text}"),
            (got, expected) => panic!("{text}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn placeholders_are_replaced() {
        let cases = [
            ("plain $5 {x} $", Ok(("plain $5 {x} $", false))),
            ("${HOST}", Ok(("db", true))),
            ("${HOST}:${PORT_2}/x", Ok(("db:5432/x", false))),
            ("${HOST}${HOST}", Ok(("dbdb", false))),
            ("${ABSENT:-7}", Ok(("7", true))),
            ("${ABSENT:-}", Ok(("", true))),
            ("${EMPTY}", Ok(("", true))),
            ("${EMPTY:-x y}", Ok(("x y", true))),
            ("$${HOST}", Ok(("${HOST}", false))),
            ("a$$${HOST}", Ok(("a$${HOST}", false))),
            ("${SLY}", Ok(("${HOST}", true))),
            ("${ABSENT}", Err(vec!["`${ABSENT}` is not set"])),
            (
                "${A} ${B:=1} ${1} ${x",
                Err(vec![
                    "`${A}` is not set",
                    "`${B:=1}` is not a placeholder",
                    "`${1}` is not a placeholder",
                    "`${x` is not a placeholder",
                ]),
            ),
            ("${A:-${HOST}}", Err(vec!["`${A:-${HOST}` is not a placeholder"])),
        ];
        for (text, expected) in cases {
            check(text, &expected);
        }
    }
}
