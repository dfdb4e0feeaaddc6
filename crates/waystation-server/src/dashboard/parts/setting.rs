//! Settings of stages, as the JSON Schema of their type tells of them.

use maud::{Markup, html};
use serde_json::Value;
use waystation_core::Params;

use super::value;
use super::words::sentence;

/// What a type says of one of its settings.
struct Known<'a> {
    name: &'a str,
    default: Option<&'a Value>,
    is_required: bool,
    meaning: String,
}

/// The settings of a type.
pub fn of_type(schema: Option<&Value>) -> Markup {
    let known = known(schema);
    html! {
        @if schema.is_none() { p.note { "It checks its settings itself." } }
        @else if known.is_empty() { p.note { "It has no settings." } }
        @else { div.scroll { table {
            thead { tr { th { "Setting" } th { "Unless said" } th { "Meaning" } } }
            tbody { @for setting in &known { tr {
                td data-label="Setting" { code { (setting.name) } }
                td data-label="Unless said" { (unless_said(setting)) }
                td { span { (sentence(&setting.meaning)) } }
            } } }
        } } }
    }
}

/// The settings of a stage: what is said, and what holds since nothing else is said. Secrets are
/// taken out of `said` before.
pub fn of_stage(schema: Option<&Value>, said: &Params) -> Markup {
    let known = known(schema);
    let is_known = |name: &str| known.iter().any(|setting| setting.name == name);
    // Other names of settings, and what a handler of the user's own checks itself.
    let others: Vec<_> = said.iter().filter(|(name, _)| !is_known(name)).collect();
    html! {
        @if known.is_empty() && others.is_empty() { p.note { "It has no settings." } }
        @else { div.scroll { table {
            thead { tr { th { "Setting" } th { "Value" } th { "Meaning" } } }
            tbody {
                @for setting in &known { tr {
                    td data-label="Setting" { code { (setting.name) } }
                    td data-label="Value" { @match said.get(setting.name) {
                        Some(said) if !said.is_null() => (value::inline(said)),
                        _ => (unless_said(setting)),
                    } }
                    td { span { (sentence(&setting.meaning)) } }
                } }
                @for (name, said) in others { tr {
                    td data-label="Setting" { code { (name) } }
                    td data-label="Value" { (value::inline(said)) }
                    td {}
                } }
            }
        } } }
    }
}

fn unless_said(setting: &Known) -> Markup {
    html! { @match setting.default {
        _ if setting.is_required => span.faint { "must be said" },
        Some(default) if !default.is_null() => span.faint { (value::inline(default)) },
        _ => span.faint { "–" },
    } }
}

fn known(schema: Option<&Value>) -> Vec<Known<'_>> {
    let Some(schema) = schema else { return Vec::new() };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(name, schema)| Known::of(name, schema, is_required(name))).collect()
}

impl<'a> Known<'a> {
    fn of(name: &'a str, schema: &'a Value, is_required: bool) -> Self {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let meaning = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { name, default: schema.get("default"), is_required, meaning }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_goes_before_what_holds_unless_it_is() {
        let schema = json!({
            "properties": {
                "folder": { "type": "string", "description": "Where\nit is." },
                "depth": { "type": "integer", "default": 7 },
            },
            "required": ["folder"],
        });
        let row = |name: &str, value: &str, meaning: &str| {
            format!(
                "<tr><td data-label=\"Setting\"><code>{name}</code></td><td data-label=\"Value\">\
                 {value}</td><td>{meaning}</td></tr>"
            )
        };
        let code = |text: &str| format!("<code class=\"value\">{text}</code>");
        let faint = |markup: &str| format!("<span class=\"faint\">{markup}</span>");
        let check = |said: Value, rows: &[String]| {
            let said = said.as_object().expect("an object").clone();
            let markup = of_stage(Some(&schema), &said).into_string();
            let body = format!("<tbody>{}</tbody>", rows.concat());
            assert!(markup.contains(&body), "{markup}, not {body}");
        };
        let meaning = "<span>Where it is.</span>";
        let depth = row("depth", &faint(&code("7")), "<span></span>");
        let said = row("folder", &code("in"), meaning);
        check(json!({ "folder": "in" }), &[said.clone(), depth.clone()]);
        check(json!({}), &[row("folder", &faint("must be said"), meaning), depth.clone()]);
        check(json!({ "folder": "in", "x": 1 }), &[said, depth, row("x", &code("1"), "")]);
    }
}
