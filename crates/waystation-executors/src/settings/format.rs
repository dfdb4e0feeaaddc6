//! What a text must be, where not any text will do: `#[schemars(extend("format" = "glob"))]`.

use crate::template::is_template;

/// Whether a text is good.
type Check = fn(&str) -> bool;

/// Formats by name, each with what such a text is called.
pub const FORMATS: &[(&str, &str, Check)] = &[
    ("glob", "a glob", is_glob),
    ("header", "a header of HTTP", is_header),
    ("json-pointer", "a JSON pointer such as `/data/items`", is_pointer),
    ("moment", "a moment such as 2026-11-23T08:00:00Z", is_moment),
    ("template", "a template such as `{name}.txt` (`{{` is a brace)", is_template),
];

/// What a text of this format is called.
pub fn noun(format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(name, ..)| *name == format).map(|(_, noun, _)| *noun)
}

fn is_glob(text: &str) -> bool {
    globset::Glob::new(text).is_ok()
}

fn is_header(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn is_moment(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}
