//! Sentences of ours, as the engine and problems say them: names stand between backticks.

use maud::{Markup, html};

/// A sentence with its names set apart.
pub fn sentence(text: &str) -> Markup {
    let parts: Vec<_> = text.split('`').collect();
    // A backtick without its other half is a letter like any other.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.into_iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_set_apart() {
        for (text, markup) in [
            ("fails at `book`: 404", "fails at <code>book</code>: 404"),
            ("a `b` <c> `d`", "a <code>b</code> &lt;c&gt; <code>d</code>"),
            ("it`s", "it`s"),
            ("", ""),
        ] {
            assert_eq!(sentence(text).into_string(), markup);
        }
    }
}
