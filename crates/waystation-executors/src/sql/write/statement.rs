//! A statement with named parameters. Names in texts, in quoted names and in comments are none.

/// A statement.
#[derive(Debug, PartialEq)]
pub struct Statement {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Name(String),
}

impl Statement {
    /// Reads one statement.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches(';').trim_end();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(first) = rest.chars().next() {
            let length = opaque(rest)?;
            if length > 0 {
                plain.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            if first == ';' {
                return Err("it is more than one (hint: a stage for each)".to_owned());
            }
            rest = &rest[first.len_utf8()..];
            let name = if first == ':' { name_of(rest) } else { "" };
            if name.is_empty() {
                plain.push(first);
                continue;
            }
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Name(name.to_owned()));
            rest = &rest[name.len()..];
        }
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// The names in their order, each as often as it stands there.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The statement with numbered marks: `?1` or `$1`. Each has a number of its own, so that what
    /// stands twice may be of two types.
    pub fn with_mark(&self, mark: char) -> String {
        let mut count = 0;
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(_) => {
                count += 1;
                format!("{mark}{count}")
            }
        };
        self.parts.iter().map(part).collect()
    }
}

/// A name may be dotted; it begins with a letter.
fn name_of(text: &str) -> &str {
    let is_start = text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    let is_in = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let end = text.find(|letter: char| !is_in(letter)).unwrap_or(text.len());
    if is_start { text[..end].trim_end_matches('.') } else { "" }
}

/// How far it goes that nothing is looked for in what begins here: a text, a quoted name, a
/// comment, a cast. Zero where none begins.
fn opaque(text: &str) -> Result<usize, String> {
    let to = |end: &str, skipped: usize| {
        let found = text[skipped..].find(end).map(|at| skipped + at + end.len());
        found.ok_or_else(|| format!("what begins with `{}` has no end", &text[..skipped]))
    };
    match text.as_bytes() {
        // Quotes that are doubled begin another text at once.
        [b'\'', ..] => to("'", 1),
        [b'"', ..] => to("\"", 1),
        [b'-', b'-', ..] => Ok(text.find('\n').unwrap_or(text.len())),
        [b'/', b'*', ..] => to("*/", 2),
        [b':', b':', ..] => Ok(2),
        [b'$', ..] => match text[1..].split_once('$') {
            Some((tag, _)) if tag.is_empty() || name_of(tag) == tag => {
                to(&text[..tag.len() + 2], tag.len() + 2)
            }
            _ => Ok(0),
        },
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_no_part_of_something_else() {
        for (text, names, numbered) in [
            (
                "INSERT INTO t VALUES (:a, :b.c, :a);",
                "a b.c a",
                "INSERT INTO t VALUES ($1, $2, $3)",
            ),
            ("SELECT ':a', \"x:b\", 'it''s :c' /* :d */ -- :e", "", ""),
            ("UPDATE t SET at = :at::timestamptz", "at", "UPDATE t SET at = $1::timestamptz"),
            ("SELECT $$ :a $$, $x$ ':b $x$, :c", "c", ""),
            ("SELECT a[1:2], :ä.", "ä", "SELECT a[1:2], $1."),
        ] {
            let statement = Statement::parse(text).expect(text);
            let found: Vec<_> = statement.names().map(String::as_str).collect();
            assert_eq!(found.join(" "), names, "{text}");
            if !numbered.is_empty() {
                assert_eq!(statement.with_mark('$'), numbered);
            }
        }
    }

    #[test]
    fn what_is_no_single_statement_is_refused() {
        for (text, words) in [
            (" ;", "it is empty"),
            ("DELETE FROM t; DROP TABLE t", "more than one"),
            ("SELECT 'a", "what begins with `'` has no end"),
            ("SELECT $x$ a", "what begins with `$x$` has no end"),
        ] {
            let error = Statement::parse(text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
        assert!(Statement::parse("SELECT ';'").is_ok());
    }
}
