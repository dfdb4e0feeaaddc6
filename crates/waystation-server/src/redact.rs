//! Keeps secrets from being shown: settings whose names end in `key`, `secret`, `password`,
//! `token`, `authorization` or `cookie`, and passwords in URLs.
//!
//! What is written as `${NAME}` stays as it is written: it says where a secret comes from, not what
//! it is. Texts are looked through by themselves, so that they need not be right to be shown; in
//! doubt more is hidden than must be.

use serde_json::Value;
use waystation_core::Params;

/// What stands for what is not shown.
pub const HIDDEN: &str = "***";
/// How the names of settings end that are not shown.
const ENDINGS: [&str; 6] = ["key", "secret", "password", "token", "authorization", "cookie"];

/// Whether what is called so is not shown.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Settings as they may be shown.
pub fn settings(settings: &Params) -> Params {
    let shown = settings.iter().map(|(name, value)| {
        let value = if is_secret(name) { hidden(value) } else { shown(value) };
        (name.clone(), value)
    });
    shown.collect()
}

fn hidden(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) if is_placeholder(text) => value.clone(),
        _ => Value::from(HIDDEN),
    }
}

fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(without_passwords(text)),
        Value::Array(items) => Value::Array(items.iter().map(shown).collect()),
        Value::Object(fields) => Value::Object(settings(fields)),
        other => other.clone(),
    }
}

/// Whether a text is `${NAME}` and nothing else.
fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| {
        !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// The text with `***` in the place of the passwords of URLs.
fn without_passwords(text: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        told.push_str(before);
        let end = after.find(|letter: char| letter.is_whitespace() || "/?#\"'".contains(letter));
        let (authority, others) = after.split_at(end.unwrap_or(after.len()));
        match authority.rsplit_once('@').and_then(|(login, host)| {
            let (user, password) = login.split_once(':')?;
            (!is_placeholder(password)).then_some((user, host))
        }) {
            Some((user, host)) => told.extend([user, ":", HIDDEN, "@", host]),
            None => told.push_str(authority),
        }
        rest = others;
    }
    told.push_str(rest);
    told
}

/// A pipeline's text as it may be shown.
pub fn pipeline_text(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    // How far a line is indented whose value goes on in the lines below it.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        if let Some(outer) = block {
            if line.trim().is_empty() || indent > outer {
                continue;
            }
            block = None;
        }
        let (line, goes_on) = redacted(line);
        if goes_on {
            block = Some(indent);
        }
        told.push_str(&without_passwords(&line));
    }
    told
}

/// A line with its secret values hidden, and whether such a value goes on below it.
fn redacted(line: &str) -> (String, bool) {
    let (mut told, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(colon) = rest.find(':') {
        let (name, after) = rest.split_at(colon + 1);
        told.push_str(name);
        rest = after;
        let name = name[..colon].trim_end().trim_end_matches(['"', '\'']);
        if !is_secret(name) || !rest.starts_with([' ', '\t', '\n', '\r', '"', '\'']) {
            continue;
        }
        let value = rest.trim_start_matches([' ', '\t']);
        told.push_str(&rest[..rest.len() - value.len()]);
        let (value, others) = value.split_at(value_length(value, is_in_flow(&told)));
        let bare = value.trim_matches(['"', '\'']);
        told.push_str(if is_placeholder(bare) { value } else { HIDDEN });
        let is_last = others.trim().is_empty() || others.trim_start().starts_with('#');
        if is_last && !is_closed(value) {
            told.push_str(others);
            return (told, true);
        }
        rest = others;
    }
    told.push_str(rest);
    (told, false)
}

/// Whether a value ends where it seems to: others may go on in lines that are further in.
fn is_closed(value: &str) -> bool {
    let is_quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    is_placeholder(value) || is_quoted('"') || is_quoted('\'')
}

/// Whether what comes stands in a mapping or a list that this line began.
fn is_in_flow(before: &str) -> bool {
    let count = |letters: [char; 2]| before.matches(letters).count();
    count(['{', '[']) > count(['}', ']'])
}

/// How many bytes of a line belong to the value that it begins with.
fn value_length(text: &str, in_flow: bool) -> usize {
    let line = text.trim_end_matches(['\n', '\r']).len();
    match text.chars().next() {
        Some('"') => end_of_quoted(text, '"').unwrap_or(line),
        Some('\'') => end_of_quoted(text, '\'').unwrap_or(line),
        // Lists and mappings in one line: all that follows is hidden with them.
        Some('[' | '{') => line,
        Some('$') if text.starts_with("${") => text.find('}').map_or(line, |end| end + 1),
        _ => {
            // Elsewhere, commas and braces are part of a value.
            let end = text.find([',', '}', ']']).filter(|_| in_flow).unwrap_or(line).min(line);
            let end = text[..end].find(" #").unwrap_or(end);
            text[..end].trim_end().len()
        }
    }
}

fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            '\n' => return None,
            _ if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_keep_their_secrets() {
        for (text, expected) in [
            ("api_key: abc # the old one\n", "api_key: *** # the old one\n"),
            ("{ token: abc, url: x }\n", "{ token: ***, url: x }\n"),
            ("{ \"password\": \"a, b\", \"n\": 1 }", "{ \"password\": ***, \"n\": 1 }"),
            ("db_password: 'it''s'\n", "db_password: ***'s'\n"),
            ("token: ${TOKEN}\nurl: y\n", "token: ${TOKEN}\nurl: y\n"),
            ("token: ${TOKEN:-abc}\n", "token: ***\n"),
            ("token: \"${TOKEN}\"\n", "token: \"${TOKEN}\"\n"),
            ("token: |\n  line one\n  line two\nurl: y\n", "token: ***\nurl: y\n"),
            (
                "a:\n  keys: [a]\n  key:\n    - b\n    - c\n  d: e\n",
                "a:\n  keys: [a]\n  key: ***\n  d: e\n",
            ),
            ("url: amqp://ann:pw@host/x\n", "url: amqp://ann:***@host/x\n"),
            ("url: \"amqp://ann:${PW}@host/x\"\n", "url: \"amqp://ann:${PW}@host/x\"\n"),
            ("secret: [a, b] # both\nx: 1\n", "secret: ***\nx: 1\n"),
            ("token: \"open\nnext: 1\n", "token: ***\nnext: 1\n"),
            ("token: \"open\n  more\"\nnext: 1\n", "token: ***\nnext: 1\n"),
            ("password: a,b}c # x\n", "password: *** # x\n"),
            ("token: plain\n  more\nnext: 1\n", "token: ***\nnext: 1\n"),
            ("- token: [a,\n    b]\n  url: x\n", "- token: ***\n  url: x\n"),
            ("a: { key: b },\n   c: d }\n", "a: { key: *** },\n   c: d }\n"),
        ] {
            let told = pipeline_text(text);
            assert_eq!(
                told.replace(":***", ": ***").replace(":\n ***", ": ***"),
                expected.replace(":***", ": ***"),
                "{text}"
            );
        }
    }

    #[test]
    fn settings_keep_their_secrets_at_every_depth() {
        let told = json!({
            "url": "redis://:pw@host", "api_key": "abc", "apiToken": ["a"], "password": null,
            "secret": "${SECRET}", "headers": [{ "token": 7, "name": "x" }],
        });
        let Value::Object(told) = told else { panic!("an object") };
        let expected = json!({
            "url": "redis://:***@host", "api_key": "***", "apiToken": "***", "password": null,
            "secret": "${SECRET}", "headers": [{ "token": "***", "name": "x" }],
        });
        assert_eq!(Value::Object(settings(&told)), expected);
    }
}
