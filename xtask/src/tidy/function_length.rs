//! A function fits a screen: at most 70 lines from `fn` to its closing brace, in tests too.

use super::Violation;
use super::code::{item_lines, mask};

const LINES_MAX: usize = 70;

/// Reports every function over the budget, at the line of its `fn`.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let masked = mask(text);
    let lines: Vec<&str> = masked.lines().collect();
    let check_line = |index: usize| {
        let name = function_name(lines[index])?;
        let length = item_lines(&lines[index..]).filter(|length| *length > LINES_MAX)?;
        let message =
            format!("function `{name}` has {length} lines, at most {LINES_MAX} are allowed");
        Some(Violation::new(path, index + 1, message))
    };
    (0..lines.len()).filter_map(check_line).collect()
}

/// The name of the function that is declared on this line.
///
/// A function pointer type is written `fn(`, so a name after `fn` is always a declaration.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == "fn")?;
    let name = words.next()?.split(['(', '<']).next()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{check, function_name};
    use crate::tidy::expect;

    fn function_of(lines: usize) -> String {
        format!("    pub fn long() {{\n{}    }}\n", "        call();\n".repeat(lines - 2))
    }

    #[test]
    fn the_budget_is_met_on_its_last_line_and_passed_one_later() {
        expect(&check("a.rs", &function_of(70)), &[]);
        let expected = "a.rs:1: function `long` has 71 lines, at most 70 are allowed";
        expect(&check("a.rs", &function_of(71)), &[expected]);
    }

    #[test]
    fn each_function_is_measured_alone() {
        let expected = "a.rs:71: function `long` has 80 lines, at most 70 are allowed";
        expect(&check("a.rs", &(function_of(70) + &function_of(80))), &[expected]);
    }

    #[test]
    fn functions_in_tests_are_measured_too() {
        assert_eq!(check("a/tests/it/main.rs", &function_of(71)).len(), 1);
    }

    #[test]
    fn functions_in_strings_are_not_functions() {
        expect(&check("a.rs", &format!("const A: &str = \"\n{}\";\n", function_of(71))), &[]);
    }

    #[test]
    fn declarations_are_told_from_pointer_types() {
        let cases = [
            ("fn a() {", Some("a")),
            ("    pub(crate) async fn a<T>(", Some("a")),
            ("    fn r#type(", Some("r#type")),
            ("type A = fn(u8) -> u8;", None),
            ("let fn_a = 1;", None),
        ];
        for (line, expected) in cases {
            assert_eq!(function_name(line), expected, "{line}");
        }
    }
}
