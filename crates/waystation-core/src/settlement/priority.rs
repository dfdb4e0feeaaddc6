//! Who goes first. The four names are those of ContentFlow's tasks.

/// Higher runs first among what waits in one queue; equal ones run in the order they came.
///
/// Four numbers have names, with room between them. On a broker with two lanes whatever is above
/// [`NORMAL`] goes first, and the rest in the order of coming.
pub type Priority = i16;

/// -10, named `low`: when nothing else is to be done.
pub const LOW: Priority = -10;
/// 0, named `normal`: what a job has unless it is given another one.
pub const NORMAL: Priority = 0;
/// 10, named `high`: before everyday work.
pub const HIGH: Priority = 10;
/// 20, named `critical`: before everything that is only high.
pub const CRITICAL: Priority = 20;

/// The priorities that have names, lowest first.
pub const NAMED: [(&str, Priority); 4] =
    [("low", LOW), ("normal", NORMAL), ("high", HIGH), ("critical", CRITICAL)];

/// What is no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no priority: low, normal, high, critical, or a whole number from {} to {}",
    .0.escape_debug(),
    Priority::MIN,
    Priority::MAX
)]
pub struct UnknownPriority(pub String);

/// Reads a priority: one of the four names, or a number.
pub fn parse(text: &str) -> Result<Priority, UnknownPriority> {
    let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, priority)| *priority);
    let number = || text.parse().ok();
    named.or_else(number).ok_or_else(|| UnknownPriority(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read() {
        let cases = [("low", -10), ("normal", 0), ("high", 10), ("critical", 20), ("-7", -7)];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert!(NAMED.is_sorted_by_key(|(_, priority)| *priority));
    }

    #[test]
    fn what_is_no_priority_is_named() {
        for text in ["", "High", "urgent", "32768", "1.5"] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}` is no priority: low, normal")), "{error}");
            assert!(error.ends_with("from -32768 to 32767"), "{error}");
        }
    }
}
