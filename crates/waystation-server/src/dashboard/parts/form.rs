//! The form of a manual stage: how it is shown, and how what it sends is read.

use std::collections::HashMap;

use maud::{Markup, html};
use serde_json::Value;
use waystation_core::Params;
use waystation_core::form::{Field, FieldType, Form};

/// Stands before the names of the fields, so that none is taken for one of ours.
const PREFIX: &str = "field.";

/// What stands in the fields: texts as a browser sends them.
pub type Texts = HashMap<String, String>;

/// Whether a field holds the corners of something on a picture.
pub fn holds_corners(field: &Field) -> bool {
    let name = field.name.to_ascii_lowercase();
    field.kind == FieldType::Array && (name == "corners" || name.ends_with("_corners"))
}

/// The fields, filled in with these texts.
pub fn fields(form: &Form, texts: &Texts) -> Markup {
    html! {
        @for (index, field) in form.fields.iter().enumerate() {
            @let text = texts.get(&field.name).map_or("", String::as_str);
            (show(field, text, index))
        }
    }
}

fn show(field: &Field, text: &str, index: usize) -> Markup {
    let (name, id) = (format!("{PREFIX}{}", field.name), format!("field-{index}"));
    let label = html! {
        (field.name) @if field.optional { small.faint { " (optional)" } }
    };
    let required = !field.optional;
    html! {
        @match field.kind {
            FieldType::Boolean => fieldset.choice {
                legend { (label) }
                @for (value, word, key) in [("true", "Yes", "y"), ("false", "No", "n")] {
                    label { input type="radio" name=(name) value=(value) required[required]
                        checked[text == value] data-key=[(index == 0).then_some(key)];
                        span { (word) } }
                }
            },
            FieldType::String => label.field for=(id) { span { (label) }
                textarea id=(id) name=(name) rows="2" { (text) }
            },
            FieldType::Number | FieldType::Integer => label.field for=(id) { span { (label) }
                @let step = if field.kind == FieldType::Integer { "1" } else { "any" };
                input id=(id) type="number" step=(step) name=(name) value=(text)
                    required[required];
            },
            FieldType::Array | FieldType::Object => label.field for=(id) { span { (label)
                    small.faint { " JSON" } }
                textarea.code id=(id) name=(name) rows="3" spellcheck="false"
                    required[required] data-corners-field[holds_corners(field)]
                    placeholder=(placeholder(field)) { (text) }
            },
        }
    }
}

fn placeholder(field: &Field) -> &'static str {
    match field.kind {
        _ if holds_corners(field) => "[[x, y], [x, y], [x, y], [x, y]]",
        FieldType::Array => "[]",
        _ => "{}",
    }
}

/// The texts that show these params, as far as the form asks for params of their names.
pub fn filled(form: &Form, params: &Params) -> Texts {
    let known = form.fields.iter().filter_map(|field| {
        let text = match params.get(&field.name)? {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some((field.name.clone(), text))
    });
    known.collect()
}

/// The texts that a browser sent.
pub fn sent(pairs: &[(String, String)]) -> Texts {
    let ours = pairs.iter().filter_map(|(name, text)| Some((name.strip_prefix(PREFIX)?, text)));
    // Browsers end lines by two characters.
    ours.map(|(name, text)| (name.to_owned(), text.replace("\r\n", "\n"))).collect()
}

/// The answer that the texts make, or every problem of them.
pub fn answer(form: &Form, texts: &Texts) -> Result<Params, Vec<String>> {
    let mut answer = Params::new();
    let mut problems = Vec::new();
    for field in &form.fields {
        let text = texts.get(&field.name).map_or("", String::as_str);
        if text.trim().is_empty() && (field.optional || field.kind != FieldType::String) {
            continue;
        }
        match read(field, text) {
            Ok(value) => {
                answer.insert(field.name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        problems = form.check(&answer);
    }
    if problems.is_empty() { Ok(answer) } else { Err(problems) }
}

fn read(field: &Field, text: &str) -> Result<Value, String> {
    if field.kind == FieldType::String {
        return Ok(Value::String(text.to_owned()));
    }
    let unread = |error: serde_json::Error| format!("`{}` cannot be read: {error}", field.name);
    serde_json::from_str(text.trim()).map_err(unread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form() -> Form {
        let fields =
            [("ok", "boolean"), ("note", "string?"), ("corners", "array?"), ("n", "integer?")];
        let fields = fields.map(|(name, kind)| Field::parse(name, kind).expect("a field"));
        Form { fields: fields.into() }
    }

    fn answered(pairs: &[(&str, &str)]) -> Result<Value, Vec<String>> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, text)| (format!("field.{name}"), (*text).to_owned()))
            .collect();
        answer(&form(), &sent(&pairs)).map(Value::Object)
    }

    #[test]
    fn texts_become_values_of_the_form() {
        let answer = answered(&[("ok", "true"), ("note", "a\r\nb"), ("corners", "[[1, 2]]")]);
        assert_eq!(answer, Ok(json!({"ok": true, "note": "a\nb", "corners": [[1, 2]]})));
        assert_eq!(
            answered(&[("ok", "false"), ("note", " "), ("n", "")]),
            Ok(json!({"ok": false}))
        );
    }

    #[test]
    fn problems_of_texts_are_told() {
        let problems = answered(&[("corners", "[[")]).expect_err("a problem");
        assert!(problems[0].starts_with("`corners` cannot be read"), "{problems:?}");
        let problems = answered(&[]).expect_err("a problem");
        assert_eq!(problems, ["`ok` (boolean) is absent"]);
    }

    #[test]
    fn fields_are_filled_in_with_params_of_their_names() {
        let params = serde_json::from_value(json!({"corners": [[1, 2]], "x": 1})).expect("params");
        let texts = filled(&form(), &params);
        assert_eq!(texts, Texts::from([("corners".to_owned(), "[[1,2]]".to_owned())]));
        let shown = fields(&form(), &texts).into_string();
        assert!(shown.contains("data-corners-field") && shown.contains(">[[1,2]]<"), "{shown}");
    }
}
