//! What a person types, as the full-text search of SQLite takes it.
//!
//! Words must all be there, in any order; a phrase stands in quotes; `word*` begins like this. What
//! means something to SQLite beside that means nothing here, so that no typing error is a query of
//! another kind.

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// Reads it; `None` when there is no word in it.
    pub fn parse(text: &str) -> Option<Self> {
        let terms: Vec<String> = terms(text).into_iter().filter_map(term).collect();
        (!terms.is_empty()).then(|| Self(terms.join(" ")))
    }

    /// As SQLite takes it.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The words, and the phrases in quotes. A quote that is not closed goes on to the end.
fn terms(text: &str) -> Vec<&str> {
    let parts = text.split('"').enumerate();
    let of_part = |(index, part): (usize, _)| -> Vec<_> {
        let part: &str = part;
        if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
    };
    parts.flat_map(of_part).collect()
}

fn term(text: &str) -> Option<String> {
    let (text, ending) = match text.strip_suffix('*') {
        Some(beginning) => (beginning, "*"),
        None => (text, ""),
    };
    text.contains(char::is_alphanumeric).then(|| format!("\"{}\"{ending}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_asked_for_as_they_are_typed() {
        for (typed, expected) in [
            ("bridge", Some(r#""bridge""#)),
            ("steel  bridge", Some(r#""steel" "bridge""#)),
            (r#""steel bridge" torino"#, Some(r#""steel bridge" "torino""#)),
            ("brid*", Some(r#""brid"*"#)),
            ("a AND (b OR NEAR", Some(r#""a" "AND" "(b" "OR" "NEAR""#)),
            ("text:x ^y -z", Some(r#""text:x" "^y" "-z""#)),
            (r#""not closed"#, Some(r#""not closed""#)),
            ("* - \"\"", None),
            ("", None),
        ] {
            assert_eq!(Query::parse(typed).as_ref().map(Query::text), expected, "{typed}");
        }
    }
}
