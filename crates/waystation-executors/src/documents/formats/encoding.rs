//! From bytes to text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::Refusal;

/// How far into a page of the web it may name its encoding.
const NAMED_WITHIN: usize = 1_024;

/// Whether an encoding has this name.
pub fn is_encoding(name: &str) -> bool {
    Encoding::for_label(name.as_bytes()).is_some()
}

/// The text of bytes in this encoding, or in the one that a mark at their beginning says; UTF-8
/// otherwise.
pub fn text<'a>(bytes: &'a [u8], said: Option<&str>) -> Result<Cow<'a, str>, Refusal> {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let said = said.and_then(|name| Encoding::for_label(name.as_bytes()));
    let encoding = marked.or(said).unwrap_or(UTF_8);
    let (text, _, has_errors) = encoding.decode(bytes);
    if has_errors {
        let name = encoding.name();
        return Err(Refusal::new(format!(
            "not {name}: some of its bytes are no text of that encoding (hint: `encoding`)"
        )));
    }
    Ok(text)
}

/// The text of a page of the web, which may name its encoding. As browsers do, what is no text of
/// it is replaced.
pub fn page<'a>(bytes: &'a [u8], said: Option<&str>) -> Cow<'a, str> {
    let said = said.and_then(|name| Encoding::for_label(name.as_bytes()));
    let encoding = said.or_else(|| named(bytes)).unwrap_or_else(|| {
        let is_utf_8 = std::str::from_utf8(bytes).is_ok();
        if is_utf_8 { UTF_8 } else { encoding_rs::WINDOWS_1252 }
    });
    encoding.decode(bytes).0
}

/// The encoding that a page names: `<meta charset="…">`, or `charset=…` in a `content`.
fn named(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(NAMED_WITHIN)]);
    let head = head.to_ascii_lowercase();
    let meta = head.find("<meta")?;
    let (_, after) = head[meta..].split_once("charset=")?;
    let name = after.trim_start_matches(['"', '\'', ' ']);
    let end = name.find(['"', '\'', ' ', ';', '>', '/'])?;
    Encoding::for_label(&name.as_bytes()[..end])
}
