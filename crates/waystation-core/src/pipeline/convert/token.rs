//! The words of a condition of ContentFlow.

use std::fmt;

/// A word of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A field, or a text without quotes.
    Path(Vec<Step>),
    /// A text in quotes.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// How a field is held against a value.
    Operator(Operator),
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `[` before a value.
    ListOpen,
    /// `]` after one.
    ListClose,
    /// `,`.
    Comma,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// To a field of this name.
    Field(String),
    /// To the value under this key.
    Key(String),
    /// To an item of a list.
    Index(usize),
}

/// How a field is held against a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    /// `==`.
    Equal,
    /// `!=`.
    Unequal,
    /// `<`, `<=`, `>` or `>=`.
    Order(&'static str),
    /// `contains`.
    Contains,
    /// `not_contains`.
    ContainsNot,
    /// `in`.
    In,
    /// `not_in`.
    NotIn,
    /// `starts_with`.
    StartsWith,
    /// `ends_with`.
    EndsWith,
    /// `regex_match`.
    Matches,
    /// `is_empty`.
    IsEmpty,
    /// `is_not_empty`.
    IsNotEmpty,
}

const SIGNS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    (">=", Operator::Order(">=")),
    ("<=", Operator::Order("<=")),
    (">", Operator::Order(">")),
    ("<", Operator::Order("<")),
];
const WORDS: [(&str, Operator); 9] = [
    ("contains", Operator::Contains),
    ("not_contains", Operator::ContainsNot),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("regex_match", Operator::Matches),
    ("is_empty", Operator::IsEmpty),
    ("is_not_empty", Operator::IsNotEmpty),
];

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(steps) => {
                let names = steps.iter().map(|step| match step {
                    Step::Field(name) | Step::Key(name) => name.clone(),
                    Step::Index(index) => index.to_string(),
                });
                formatter.write_str(&names.collect::<Vec<_>>().join("."))
            }
            Self::Text(text) | Self::Number(text) => formatter.write_str(text),
            Self::Operator(operator) => {
                let all = SIGNS.iter().chain(&WORDS);
                let mut found = all.filter(|(_, one)| one == operator);
                formatter.write_str(found.next().map_or("", |(word, _)| word))
            }
            Self::And => formatter.write_str("and"),
            Self::Or => formatter.write_str("or"),
            Self::Open => formatter.write_str("("),
            Self::Close => formatter.write_str(")"),
            Self::ListOpen => formatter.write_str("["),
            Self::ListClose => formatter.write_str("]"),
            Self::Comma => formatter.write_str(","),
        }
    }
}

/// The words of a text, or what keeps it from having some.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            '[' => (Token::ListOpen, &rest[1..]),
            ']' => (Token::ListClose, &rest[1..]),
            ',' => (Token::Comma, &rest[1..]),
            '\'' | '"' => {
                let (text, after) = quoted(rest, first)?;
                (Token::Text(text.to_owned()), after)
            }
            '-' | '0'..='9' => number(rest)?,
            'a'..='z' | 'A'..='Z' | '_' => word(rest)?,
            _ => {
                let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
                let (sign, operator) = sign.ok_or_else(|| format!("`{first}` means nothing"))?;
                (Token::Operator(*operator), &rest[sign.len()..])
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// A text up to the same quote again; there is no way to write that quote within it.
fn quoted(text: &str, quote: char) -> Result<(&str, &str), String> {
    let inner = &text[1..];
    let end = inner.find(quote).ok_or("a text is not closed")?;
    Ok((&inner[..end], &inner[end + 1..]))
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || ".-+_".contains(letter);
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let (number, after) = text.split_at(end);
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(number.to_owned()), after)),
        // As there, what is neither quoted nor a number is a text.
        _ if !number.starts_with('-') => Ok((Token::Text(number.to_owned()), after)),
        _ => Err(format!("`{number}` is no number")),
    }
}

/// A path, or one of the words that mean something.
fn word(text: &str) -> Result<(Token, &str), String> {
    let (mut steps, mut rest) = (Vec::new(), text);
    loop {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (name, mut after) = rest.split_at(end);
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !is_name || name.starts_with("__") {
            return Err(format!("`{name}` is no name of a field"));
        }
        steps.push(Step::Field(name.to_owned()));
        while let Some(inner) = after.strip_prefix('[') {
            let (step, rest) = index(inner)?;
            steps.push(step);
            after = rest;
        }
        match after.strip_prefix('.') {
            Some(further) => rest = further,
            None => return Ok((meaning(steps), after)),
        }
    }
}

fn index(inner: &str) -> Result<(Step, &str), String> {
    let quote = inner.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let (step, after) = if let Some(quote) = quote {
        let (key, after) = quoted(inner, quote)?;
        (Step::Key(key.to_owned()), after)
    } else {
        let end = inner.find(']').ok_or("a bracket is not closed")?;
        let index = inner[..end].trim();
        let number = index.parse().map_err(|_| format!("`{index}` is no index"))?;
        (Step::Index(number), &inner[end..])
    };
    let after = after.strip_prefix(']').ok_or("a bracket is not closed")?;
    Ok((step, after))
}

fn meaning(steps: Vec<Step>) -> Token {
    if let [Step::Field(word)] = steps.as_slice() {
        if word.eq_ignore_ascii_case("and") {
            return Token::And;
        }
        if word.eq_ignore_ascii_case("or") {
            return Token::Or;
        }
        if let Some((_, operator)) = WORDS.iter().find(|(known, _)| known == word) {
            return Token::Operator(*operator);
        }
    }
    Token::Path(steps)
}
