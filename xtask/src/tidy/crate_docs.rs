//! A library says first what it is for: `lib.rs` starts with a `//!` doc.

use super::Violation;

/// Reports a `src/lib.rs` that starts with anything else.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let is_library = path == "src/lib.rs" || path.ends_with("/src/lib.rs");
    let has_doc = text.trim_start().starts_with("//!");
    if !is_library || has_doc {
        return Vec::new();
    }
    vec![Violation::new(path, 1, "a library starts with a `//!` doc that says what it is for")]
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::expect;

    #[test]
    fn a_library_with_its_doc_first_passes() {
        expect(&check("crates/a/src/lib.rs", "//! Counts.\n\nmod count;\n"), &[]);
    }

    #[test]
    fn a_library_without_a_doc_first_is_reported() {
        let expected =
            "crates/a/src/lib.rs:1: a library starts with a `//!` doc that says what it is for";
        for text in ["", "mod count;\n", "// Counts.\n", "mod count;\n//! Late.\n"] {
            expect(&check("crates/a/src/lib.rs", text), &[expected]);
        }
    }

    #[test]
    fn other_files_are_left_to_the_compiler() {
        expect(&check("crates/a/src/count.rs", "fn f() {}\n"), &[]);
    }
}
