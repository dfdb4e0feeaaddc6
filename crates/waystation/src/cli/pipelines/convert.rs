//! A pipeline file of ContentFlow in our form.

use std::path::Path;

use serde_json::json;
use waystation::Executors;
use waystation::core::pipeline::{Converted, Remark, convert};

use crate::cli::exit::{Error, Outcome};
use crate::cli::out;
use crate::cli::session::{Global, read_pipeline};

/// Writes the file in our form. Not everything is done where something has no counterpart.
pub fn run(
    file: &Path,
    to: Option<&Path>,
    name: Option<&str>,
    global: &Global,
) -> Result<Outcome, Error> {
    let text = read_pipeline(file)?;
    let converted = convert(&file.display().to_string(), &text, name, &Executors::standard())?;
    if let Some(path) = to {
        std::fs::write(path, &converted.text)
            .map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    if global.json {
        print_json(&converted, to);
    } else {
        match to {
            Some(path) => out::say(format_args!("wrote {}", path.display())),
            None => out::line(converted.text.trim_end()),
        }
        for remark in &converted.remarks {
            let word = if remark.is_gap { "lost" } else { "note" };
            out::say(out::clean(&format!("{word}: {}:{remark}", file.display())));
        }
    }
    Ok(if converted.has_gaps() { Outcome::NotAll } else { Outcome::Done })
}

fn print_json(converted: &Converted, to: Option<&Path>) {
    let remark = |remark: &Remark| {
        json!({
            "line": remark.position.line, "column": remark.position.column,
            "stage": remark.stage, "message": remark.message, "lost": remark.is_gap,
        })
    };
    out::json(&json!({
        "ok": !converted.has_gaps(), "pipeline": converted.name, "written": to,
        "text": to.is_none().then_some(&converted.text),
        "remarks": converted.remarks.iter().map(remark).collect::<Vec<_>>(),
    }));
}
