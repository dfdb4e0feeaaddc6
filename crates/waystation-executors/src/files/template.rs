//! File names made of params: `{name}`, `{stem}`, `{job_id}`.

use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::JobId;

/// Fills in a template. `{job_id}` is the job's id, `{stem}` the param `name` without its
/// ending, anything else the param of that name. The result is one plain file name.
pub fn fill(template: &str, job_id: &JobId, params: &Params) -> Result<String, Failure> {
    let mut name = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        name.push_str(before);
        let Some((key, after)) = after.split_once('}') else {
            return Err(invalid(format!("file name `{template}` has a `{{` without a `}}`")));
        };
        name.push_str(&value(key, job_id, params)?);
        rest = after;
    }
    name.push_str(rest);
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(invalid(format!("`{template}` gives `{name}`, which is no plain file name")));
    }
    Ok(name)
}

fn value(key: &str, job_id: &JobId, params: &Params) -> Result<String, Failure> {
    let text = |key: &str| match params.get(key) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
            Ok(value.to_string())
        }
        Some(other) => Err(invalid(format!("param `{key}` in a file name must be plain: {other}"))),
        None => Err(Failure::new(
            ErrorKind::MissingParam,
            format!("file name needs param `{key}`, which is absent"),
        )),
    };
    match key {
        "job_id" => Ok(job_id.to_string()),
        "stem" => {
            let name = text("name")?;
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            Ok(stem.to_owned())
        }
        key => text(key),
    }
}

fn invalid(message: String) -> Failure {
    Failure::new(ErrorKind::InvalidParam, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_give_plain_names_or_say_why_not() {
        let params = json!({"name": "a.b.png", "n": 3, "evil": "../x", "list": []});
        let params = params.as_object().expect("an object");
        let cases = [
            ("{stem}.json", Ok("a.b.json")),
            ("{job_id}-{n}", Ok("j-3")),
            ("{evil}", Err("no plain file name")),
            ("{absent}", Err("needs param `absent`")),
            ("{list}", Err("must be plain")),
            ("{n", Err("without a `}`")),
            ("", Err("no plain file name")),
        ];
        for (template, expected) in cases {
            match (fill(template, &JobId::from("j"), params), expected) {
                (Ok(name), Ok(expected)) => assert_eq!(name, expected),
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{failure}"),
                (got, expected) => panic!("{template}: {got:?}, not {expected:?}"),
            }
        }
    }
}
