//! A line has at most 100 columns, as `rustfmt.toml` says; rustfmt itself leaves comments and
//! long strings alone.

use super::Violation;

const COLUMNS_MAX: usize = 100;

/// Reports every line that is too wide, unless it holds a URL, which cannot be broken.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let lines = text.lines().enumerate().filter(|(_, line)| !has_url(line));
    let widths = lines.map(|(index, line)| (index, line.chars().count()));
    let too_wide = widths.filter(|(_, width)| *width > COLUMNS_MAX);
    too_wide.map(|(index, width)| Violation::new(path, index + 1, message(width))).collect()
}

fn has_url(line: &str) -> bool {
    line.contains("http://") || line.contains("https://")
}

fn message(width: usize) -> String {
    format!("line has {width} columns, at most {COLUMNS_MAX} are allowed")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::expect;

    #[test]
    fn a_line_of_exactly_the_limit_passes() {
        expect(&check("a.rs", &"x".repeat(100)), &[]);
    }

    #[test]
    fn a_line_past_the_limit_is_reported() {
        let text = format!("short\n{}\n", "x".repeat(101));
        let expected = "a.rs:2: line has 101 columns, at most 100 are allowed";
        expect(&check("a.rs", &text), &[expected]);
    }

    #[test]
    fn characters_count_rather_than_bytes() {
        expect(&check("a.rs", &"é".repeat(100)), &[]);
    }

    #[test]
    fn a_line_with_a_url_may_be_longer() {
        expect(&check("a.rs", &format!("// https://example.org/{}", "x".repeat(100))), &[]);
    }
}
