//! `waystation inbox show`: a task, and how to answer it.

use serde_json::{Value, json};
use waystation::server::wire::FormField;

use super::find;
use crate::cli::exit::{Error, Outcome};
use crate::cli::session::{Global, quoted};
use crate::cli::site::Site;
use crate::cli::{out, timing};

/// Shows it.
pub async fn run(id: i64, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let found = find(id, site).await?;
    if global.json {
        out::json(&found);
        return Ok(Outcome::Done);
    }
    let (task, form) = (&found.task, &found.form);
    let waits = timing::lasted(timing::now().since(task.created_at.0));
    out::line(out::clean(&format!("task {id} at stage {} of {}", task.stage, task.pipeline)));
    out::line(out::clean(&format!("job {} waits for {waits}", task.job_id)));
    if let Some(holder) = &task.holder {
        let until = task.claimed_until.map(|until| format!(" until {}", timing::moment(until.0)));
        out::line(out::clean(&format!("held by {holder}{}", until.unwrap_or_default())));
    }
    if let Some(due) = task.due_at {
        let overdue = if task.is_overdue { " (overdue)" } else { "" };
        out::line(format_args!("due {}{overdue}", timing::moment(due.0)));
    }
    title("params");
    let pretty = serde_json::to_string_pretty(&found.params).unwrap_or_default();
    for line in pretty.lines() {
        out::line(format_args!("  {}", out::clean(line)));
    }
    title("form");
    if form.is_empty() {
        out::line("  no fields: the answer is {}");
    }
    let width = form.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
    for field in form {
        let note = if field.optional { " (may be left out)" } else { "" };
        out::line(format_args!("  {:width$}  {}{note}", field.name, field.kind));
    }
    title("answer");
    let words = format!("inbox answer {id} --answer {}", quoted(&sample(form).to_string()));
    out::line(format_args!("  {}", global.command(&words)));
    Ok(Outcome::Done)
}

fn title(text: &str) {
    out::line("");
    out::line(out::paint(text, out::strong()));
}

/// An answer that fits the form, to be changed by whoever pastes it.
fn sample(form: &[FormField]) -> Value {
    let value = |kind: &str| match kind {
        "number" | "integer" => json!(0),
        "boolean" => json!(true),
        "array" => json!([]),
        "object" => json!({}),
        _ => json!("..."),
    };
    let asked = form.iter().filter(|field| !field.optional);
    Value::Object(asked.map(|field| (field.name.clone(), value(&field.kind))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystation::core::form::{Field, Form};
    use waystation::server::wire::form_fields;

    #[test]
    fn sample_fits_its_form() {
        let types = ["string", "number", "integer", "boolean", "array", "object", "object?"];
        let fields = types.iter().enumerate();
        let fields = fields.map(|(index, kind)| Field::parse(&format!("f{index}"), kind));
        let form = Form { fields: fields.collect::<Result<_, _>>().expect("types") };
        let Value::Object(answer) = sample(&form_fields(&form)) else { panic!("an object is due") };
        assert_eq!(form.check(&answer), Vec::<String>::new());
    }
}
