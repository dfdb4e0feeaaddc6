//! Text as it grows, within its limit, and as it is told.

use super::{Facts, Pages, Refusal, encoding};

/// A text that grows up to a limit.
pub struct Text {
    text: String,
    bytes_max: u64,
}

impl Text {
    /// An empty one.
    pub fn new(bytes_max: u64) -> Self {
        Self { text: String::new(), bytes_max }
    }

    /// Adds to it.
    pub fn push(&mut self, part: &str) -> Result<(), Refusal> {
        if (self.text.len() + part.len()) as u64 > self.bytes_max {
            return Err(Refusal::long(self.bytes_max));
        }
        self.text.push_str(part);
        Ok(())
    }

    /// Ends the line, unless it has just begun.
    pub fn end_line(&mut self) -> Result<(), Refusal> {
        if self.text.is_empty() || self.text.ends_with('\n') { Ok(()) } else { self.push("\n") }
    }

    /// Takes such characters away from its end.
    pub fn trim_end(&mut self, characters: &[char]) {
        let length = self.text.trim_end_matches(characters).len();
        self.text.truncate(length);
    }

    /// As it stands.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is there, to begin anew.
    pub fn take(&mut self) -> String {
        self.bytes_max = self.bytes_max.saturating_sub(self.text.len() as u64);
        clean(&std::mem::take(&mut self.text))
    }
}

/// A text without what nobody reads: control characters, blanks at the ends of lines, empty lines
/// beyond one, and those around it.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in text.replace("\r\n", "\n").split(['\n', '\r', '\u{c}']) {
        let line = line.trim_end();
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !clean.is_empty() {
            clean.push_str(if empty_lines > 0 { "\n\n" } else { "\n" });
        }
        empty_lines = 0;
        clean.extend(line.chars().filter(|one| !one.is_control() || *one == '\t'));
    }
    clean
}

/// A text that is nothing else.
pub fn plain(bytes: &[u8]) -> Result<Pages, Refusal> {
    let text = encoding::text(bytes, None)?;
    let text = text.replace("\r\n", "\n").replace('\0', "");
    Ok(Pages { texts: vec![text], facts: Facts::new("text") })
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_nobody_reads_goes() {
        assert_eq!(clean("\n\n a \u{0}b\t \n\n\n\nc\r\nd\te\n \n"), " a b\n\nc\nd\te");
    }
}
