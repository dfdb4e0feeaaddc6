//! Looking for a text, whatever the case of its letters.

/// A text that is looked for in ids and in contracts as they are kept.
///
/// One of plain ASCII is looked for byte by byte, so that what is no text at all can be searched as
/// well. Any other is looked for among letters, and what is no text counts as unknown letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// In lower case.
    text: String,
}

impl Needle {
    /// Looks for this text.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_lowercase() }
    }

    /// What is looked for, in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the cases of ASCII letters are all that has to be thought of.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// Whether it is in there.
    pub fn is_in(&self, hay: &[u8]) -> bool {
        if self.is_ascii() {
            return has_ascii(hay, self.text.as_bytes());
        }
        String::from_utf8_lossy(hay).to_lowercase().contains(&self.text)
    }
}

/// Whether these bytes are in there, but for the cases of ASCII letters.
fn has_ascii(hay: &[u8], lower: &[u8]) -> bool {
    let Some((first, rest)) = lower.split_first() else { return true };
    let Some(starts) = hay.len().checked_sub(rest.len()) else { return false };
    let begins = |place: &usize| hay[*place].to_ascii_lowercase() == *first;
    let goes_on = |place: usize| hay[place + 1..][..rest.len()].eq_ignore_ascii_case(rest);
    (0..starts).filter(begins).any(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_found_in_any_case_and_bytes_as_they_are() {
        let cases: [(&str, &[u8], bool); 10] = [
            ("", b"", true),
            ("", b"anything", true),
            ("page", b"{\"PAGE\":1}", true),
            ("\"Page\":1", b"{\"page\":1}", true),
            ("page", b"pag", false),
            ("e", b"page", true),
            ("page", b"\xff\xfePaGe\xff", true),
            ("m\u{dc}ller", "M\u{fc}ller".as_bytes(), true),
            ("m\u{fc}ller", b"\xffmuller", false),
            ("aab", b"aaab", true),
        ];
        for (text, hay, found) in cases {
            assert_eq!(Needle::new(text).is_in(hay), found, "{text} in {hay:?}");
        }
    }
}
