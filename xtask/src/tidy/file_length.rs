//! A file is one idea: at most 600 production lines.
//!
//! Production lines are those that are not blank and not a test; comments count.

use super::Violation;
use super::code::{item_lines, mask};

const LINES_MAX: usize = 600;

/// Reports a file over the budget, at its first line.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let lines = production_lines(text);
    if is_test_file(path) || lines <= LINES_MAX {
        return Vec::new();
    }
    let message = format!("file has {lines} production lines, at most {LINES_MAX} are allowed");
    vec![Violation::new(path, 1, message)]
}

fn is_test_file(path: &str) -> bool {
    let mut parts = path.split('/');
    let file = parts.next_back();
    file == Some("tests.rs") || parts.any(|folder| matches!(folder, "tests" | "benches"))
}

fn production_lines(text: &str) -> usize {
    let masked = mask(text);
    let masked: Vec<&str> = masked.lines().collect();
    let lines: Vec<&str> = text.lines().collect();
    let mut count = 0;
    let mut index = 0;
    while index < lines.len() {
        if let Some(length) = test_module_lines(&masked[index..]) {
            index += length;
            continue;
        }
        count += usize::from(!lines[index].trim().is_empty());
        index += 1;
    }
    count
}

/// The lines of the inline test module that starts here, from its `#[cfg(test)]` on.
fn test_module_lines(masked: &[&str]) -> Option<usize> {
    let attribute = masked.first()?.trim();
    if !attribute.starts_with("#[cfg(test)]") && !attribute.starts_with("#[cfg(all(test,") {
        return None;
    }
    let is_aside = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with("#[");
    let module = masked.iter().position(|line| !is_aside(line))?;
    let is_module = masked[module].split_whitespace().any(|word| word == "mod");
    if !is_module {
        return None;
    }
    Some(module + item_lines(&masked[module..])?)
}

#[cfg(test)]
mod tests {
    use super::{check, production_lines};
    use crate::tidy::expect;

    #[test]
    fn the_budget_is_met_on_its_last_line_and_passed_one_later() {
        expect(&check("src/a.rs", &"let a = 1;\n".repeat(600)), &[]);
        let expected = "src/a.rs:1: file has 601 production lines, at most 600 are allowed";
        expect(&check("src/a.rs", &"let a = 1;\n".repeat(601)), &[expected]);
    }

    #[test]
    fn files_of_tests_have_no_budget() {
        for path in ["a/tests/it/main.rs", "a/benches/b.rs", "a/src/b/tests.rs", "tests/a.rs"] {
            expect(&check(path, &"let a = 1;\n".repeat(601)), &[]);
        }
        assert_eq!(check("src/contests.rs", &"let a = 1;\n".repeat(601)).len(), 1);
    }

    #[test]
    fn comments_count_and_blank_lines_do_not() {
        assert_eq!(production_lines("//! Doc.\n\n  \n// Why.\nfn f() {}\n"), 3);
    }

    #[test]
    fn inline_test_modules_do_not_count() {
        let module = "mod tests {\n    fn f() {\n    }\n}\n";
        for attributes in ["#[cfg(test)]\n", "#[cfg(test)]\n#[allow(a)]\n\n"] {
            let text = format!("fn a() {{}}\n{attributes}{module}fn b() {{}}\n");
            assert_eq!(production_lines(&text), 2, "{text}");
        }
    }

    #[test]
    fn lone_test_functions_count() {
        assert_eq!(production_lines("#[cfg(test)]\nfn a() {\n}\n"), 3);
        assert_eq!(production_lines("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
    }
}
