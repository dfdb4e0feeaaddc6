//! `waystation config`: the settings, and where each comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use waystation::config::{Config, Found, Given, Places, Setting};

use super::exit::{Error, Outcome};
use super::out;
use super::session::{Flags, Global};
use super::table::{Cell, Table};

/// What can be done with settings.
#[derive(Subcommand)]
pub enum Verb {
    /// Show every setting with its value and where that comes from.
    Show,
    /// Check every place that says settings: every problem at once.
    Check,
}

/// Reads the settings from everywhere.
pub fn load(flags: Flags, given: Vec<Given>) -> Result<Global, Error> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut said = flags.given();
    said.extend(given);
    let places = Places {
        folder: PathBuf::from("."),
        file: flags.config_file.clone(),
        variables: texts.collect::<BTreeMap<_, _>>(),
        flags: said,
    };
    match Config::read(&places) {
        Ok(config) => Ok(Global::new(flags, config)),
        Err(error) => {
            if flags.json {
                out::json(&json!({ "ok": false, "problems": error.problems }));
            }
            let count = out::counted(error.problems.len(), "problem");
            let message = format!("the settings have {count}");
            Err(Error::usage(message).after_lines(&error.problems))
        }
    }
}

/// Does it. What is wrong with settings was told when they were read.
pub fn run(verb: &Verb, global: &Global) -> Outcome {
    match verb {
        Verb::Show => show(global),
        Verb::Check => check(global),
    }
    Outcome::Done
}

fn show(global: &Global) {
    let config = global.config();
    if global.json {
        out::json(&as_json(config));
        return;
    }
    let mut table = Table::new(["setting", "value", "from", ""]);
    for Found { key, value, origin } in &config.found {
        let value = match value {
            Value::Null => Cell::faint("-"),
            Value::String(text) => out::clean(text).into(),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                out::clean(&items.join(", ")).into()
            }
            other => other.to_string().into(),
        };
        let summary = Setting::of(key).map_or("", |setting| setting.summary);
        let origin = out::clean(&origin.to_string());
        table.row(vec![(*key).into(), value, origin.into(), Cell::faint(summary)]);
    }
    table.print();
    say_unused(config);
}

fn check(global: &Global) {
    let config = global.config();
    if global.json {
        out::json(&json!({ "ok": true, "file": config.file, "unused": unused(config) }));
        return;
    }
    let said = config.found.iter().filter(|found| found.origin.rank() > 0).count();
    let said = out::counted(said, "setting");
    let file = match &config.file {
        Some(file) => format!("the file is {}", file.display()),
        None => "there is no file".to_owned(),
    };
    out::line(format_args!("good: {said} said, {file}"));
    say_unused(config);
}

fn say_unused(config: &Config) {
    for (name, why) in &config.unused {
        out::hint(format_args!("{name} is set and means nothing here: {why}"));
    }
}

fn unused(config: &Config) -> Value {
    config.unused.iter().map(|(name, why)| json!({ "variable": name, "reason": why })).collect()
}

fn as_json(config: &Config) -> Value {
    let settings = config.found.iter().map(|Found { key, value, origin }| {
        let setting = Setting::of(key);
        json!({
            "key": key, "value": value, "from": origin.to_string(),
            "variable": setting.map(Setting::variable),
            "alias": setting.and_then(|setting| setting.alias),
            "expects": setting.map(Setting::expects),
            "default": setting.map(|setting| setting.default).filter(|one| !one.is_empty()),
            "summary": setting.map(|setting| setting.summary),
        })
    });
    let settings: Vec<_> = settings.collect();
    json!({ "file": config.file, "settings": settings, "unused": unused(config) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use waystation::config::Setting;

    use crate::cli::Arguments;

    /// The table is the only place of a default; the help repeats it.
    #[test]
    fn help_names_the_defaults_of_the_table() {
        let program = Arguments::command();
        let mut checked = 0;
        for name in ["run", "engine"] {
            let command = program.find_subcommand(name).expect(name);
            for flag in command.get_arguments().filter_map(|argument| {
                Some((argument.get_long()?, argument.get_help()?.to_string()))
            }) {
                let (flag, help) = flag;
                let key = format!("engine.{}", flag.replace('-', "_"));
                let Some(setting) = Setting::of(&key) else { continue };
                if setting.default.parse::<u64>().is_ok() {
                    let default = format!("[default: {}]", setting.default);
                    assert!(help.ends_with(&default), "--{flag} of {name}: {help}");
                    checked += 1;
                }
            }
        }
        assert!(checked >= 8, "{checked}");
    }
}
