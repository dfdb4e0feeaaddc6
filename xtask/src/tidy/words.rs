//! Words that mark unfinished work stay out of the main branch; unfinished work is an issue.

use super::Violation;

/// Written in two halves, so that this file passes its own rule.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("d", "bg!("),
];

/// Reports every line that has one of the words, in code, comment or string.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let found = WORDS.iter().filter(|word| has_word(line, word));
        violations.extend(found.map(|word| Violation::new(path, index + 1, message(word))));
    }
    violations
}

/// Whether `word` stands in `line` as a word of its own, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let open = word.ends_with('(');
        !before.is_some_and(continues_word) && (open || !after.is_some_and(continues_word))
    })
}

fn continues_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn message(word: &str) -> String {
    let name = word.trim_end_matches('(');
    format!("`{name}` marks unfinished work; finish it or open an issue")
}

#[cfg(test)]
mod tests {
    use super::{WORDS, check};
    use crate::tidy::expect;

    #[test]
    fn each_word_is_reported_with_its_line() {
        for word in WORDS {
            let name = word.trim_end_matches('(');
            let expected =
                format!("a.rs:2: `{name}` marks unfinished work; finish it or open an issue");
            expect(&check("a.rs", &format!("fn f() {{\n    {word} x);\n}}\n")), &[&expected]);
        }
    }

    #[test]
    fn a_longer_word_around_one_of_them_passes() {
        for word in WORDS {
            expect(&check("a.rs", &format!("my_{word}")), &[]);
        }
        expect(&check("a.rs", concat!("METHO", "DOLOGY ", "TO", "DOS")), &[]);
    }
}
