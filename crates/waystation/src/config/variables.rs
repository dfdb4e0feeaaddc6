//! What variables say: those of the process, and before them those of `.env`.

use std::collections::BTreeMap;
use std::path::Path;

use waystation_core::pipeline::nearest;

use super::table::{SETTINGS, Setting};

/// The file of variables in the working directory.
pub const DOT_ENV: &str = ".env";

/// Variables of ours that say something else than a setting: which worker a process is, what a
/// program is told of the job that it works at, where settings stand.
const OTHERS: [&str; 6] = ["ATTEMPT", "CONFIG", "IDEMPOTENCY_KEY", "JOB_ID", "STAGE", "WORKER"];
/// What the tests are told begins so.
const OF_TESTS: &str = "TEST_";

/// The variables of `.env`, where there is one. They never take the place of real ones.
pub fn dot_env(folder: &Path) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut variables, mut problems) = (BTreeMap::new(), Vec::new());
    let path = folder.join(DOT_ENV);
    if !path.is_file() {
        return (variables, problems);
    }
    match dotenvy::from_path_iter(&path) {
        Ok(pairs) => {
            for pair in pairs {
                match pair {
                    Ok((name, value)) => drop(variables.insert(name, value)),
                    // What cannot be read may hold a secret: only its place is told.
                    Err(dotenvy::Error::LineParse(_, column)) => {
                        let after = variables.keys().next_back().map_or_else(String::new, |_| {
                            format!(", after {} that can be read", variables.len())
                        });
                        problems.push(format!(
                            "{DOT_ENV}: a line cannot be read at its column {}{after} (hint: \
                             NAME=VALUE, in quotes where the value has spaces)",
                            column + 1
                        ));
                        break;
                    }
                    Err(error) => problems.push(format!("{DOT_ENV}: it cannot be read: {error}")),
                }
            }
        }
        Err(error) => problems.push(format!("{DOT_ENV}: it cannot be read: {error}")),
    }
    (variables, problems)
}

/// What is said of a setting, and by which variable: ours goes before ContentFlow's. An empty
/// variable says nothing.
pub fn said<'a>(
    setting: &Setting,
    variables: &'a BTreeMap<String, String>,
) -> Option<(String, &'a str)> {
    let ours = std::iter::once(setting.variable());
    let names = ours.chain(setting.alias.map(str::to_owned));
    names.into_iter().find_map(|name| {
        let value = variables.get(&name).filter(|value| !value.is_empty())?;
        Some((name, value.as_str()))
    })
}

/// Problems with names of ours that no setting has, but that are near to one: a setting that was
/// meant would be without effect. Others may belong to anybody.
pub fn mistyped(variables: &BTreeMap<String, String>, place: &str) -> Vec<String> {
    let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let bare = |name: &'_ str| name.strip_prefix(Setting::PREFIX).map(str::to_owned);
    let known: Vec<String> = known.iter().filter_map(|name| bare(name)).collect();
    let mut problems = Vec::new();
    for name in variables.keys() {
        let Some(rest) = name.strip_prefix(Setting::PREFIX) else { continue };
        let is_other = OTHERS.contains(&rest) || rest.starts_with(OF_TESTS);
        if is_other || known.iter().any(|one| one == rest) {
            continue;
        }
        if let Some(near) = nearest(rest, known.iter().map(String::as_str)) {
            let prefix = Setting::PREFIX;
            problems.push(format!(
                "{place} {name}: there is no such setting (hint: did you mean {prefix}{near}?)"
            ));
        }
    }
    problems
}
