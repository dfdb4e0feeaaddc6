//! `waystation executors`: what a stage's `type:` may be in this program, and what each is told.

use clap::Subcommand;
use serde_json::json;
use waystation::core::pipeline::{StageKind, nearest};
use waystation::{Entry, Executors};

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;
use super::table::{Cell, Table};

/// What can be done with executors.
#[derive(Subcommand)]
pub enum Verb {
    /// List them.
    List,
    /// Show one with its settings.
    Show {
        /// The type, as `files`
        #[arg(value_name = "TYPE")]
        name: String,
    },
}

/// Does it.
pub fn run(verb: &Verb, global: &Global) -> Result<Outcome, Error> {
    match verb {
        Verb::List => list(global),
        Verb::Show { name } => show(name, global)?,
    }
    Ok(Outcome::Done)
}

fn list(global: &Global) {
    if global.json {
        return Executors::entries().iter().for_each(json_of);
    }
    let mut table = Table::new(["type", "kind", "does"]);
    for entry in Executors::entries() {
        table.row(vec![entry.name.into(), kind_of(entry.kind).into(), entry.summary.into()]);
    }
    table.print();
}

fn show(name: &str, global: &Global) -> Result<(), Error> {
    let found = Executors::entries().iter().find(|entry| entry.name == name);
    let Some(entry) = found else {
        let names = Executors::entries().iter().map(|entry| entry.name);
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`waystation executors list` lists them".to_owned(),
        };
        return Err(Error::usage(format!("no executor `{name}` (hint: {hint})")));
    };
    if global.json {
        json_of(entry);
        return Ok(());
    }
    out::line(format_args!("{} ({}): {}", entry.name, kind_of(entry.kind), entry.summary));
    let settings = entry.settings();
    if settings.is_empty() {
        out::say("it has no settings");
        return Ok(());
    }
    let mut table = Table::new(["setting", "is", "unless said", "means"]);
    for setting in settings {
        let default = match (&setting.default, setting.required) {
            (_, true) => "must be said".to_owned(),
            (Some(default), _) => default.to_string(),
            (None, _) => "-".to_owned(),
        };
        table.row(vec![
            setting.name.into(),
            setting.shape.into(),
            default.into(),
            Cell::faint(setting.description),
        ]);
    }
    table.print();
    Ok(())
}

fn json_of(entry: &Entry) {
    out::json(&json!({
        "type": entry.name,
        "kind": kind_of(entry.kind),
        "summary": entry.summary,
        "settings": (entry.schema)(),
    }));
}

fn kind_of(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Worker => "worker",
        StageKind::Manual => "manual",
        StageKind::Source => "source",
        StageKind::Foreign => "foreign",
        StageKind::Remote => "remote",
    }
}
