//! What follows `cargo xtask services`: an action, and the services it is for.

use anyhow::{anyhow, bail};

use super::{ALL, Service};

/// What is to be done with the services.
#[derive(Debug, PartialEq)]
pub enum Action {
    Up,
    Down,
    Status,
}

/// Reads the action and the services; without names it is for all of them.
pub fn parse(arguments: &[String]) -> anyhow::Result<(Action, Vec<&'static Service>)> {
    let Some((action, names)) = arguments.split_first() else {
        bail!("services needs an action\n{}", usage());
    };
    let action = match action.as_str() {
        "up" => Action::Up,
        "down" => Action::Down,
        "status" => Action::Status,
        unknown => bail!("services knows no action `{unknown}`\n{}", usage()),
    };
    if names.is_empty() {
        return Ok((action, ALL.to_vec()));
    }
    let services = parse_names(names.iter().map(String::as_str));
    Ok((action, services.map_err(|error| anyhow!("{error:#}\n{}", usage()))?))
}

/// The services of these names, each once, in the order of [`ALL`]; all unknown names are told.
pub fn parse_names<'a>(
    names: impl Iterator<Item = &'a str>,
) -> anyhow::Result<Vec<&'static Service>> {
    let names: Vec<&str> = names.collect();
    let is_known = |name: &&str| ALL.iter().any(|service| service.name == *name);
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !is_known(name)).collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = ALL.iter().map(|service| service.name).collect();
        bail!("unknown service `{}`; there are {}", unknown.join("`, `"), known.join(", "));
    }
    Ok(ALL.iter().copied().filter(|service| names.contains(&service.name)).collect())
}

fn usage() -> String {
    let names: Vec<&str> = ALL.iter().map(|service| service.name).collect();
    format!("usage: cargo xtask services up|down|status [{}]", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Action, parse};

    fn check(arguments: &[&str], expected: Result<(Action, &[&str]), &str>) {
        let words: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let found = parse(&words).map(|(action, services)| {
            (action, services.iter().map(|service| service.name).collect::<Vec<_>>())
        });
        match (found, expected) {
            (Ok(found), Ok((action, names))) => assert_eq!(found, (action, names.to_vec())),
            (Err(found), Err(expected)) => {
                let found = format!("{found:#}");
                assert!(found.contains(expected), "{arguments:?}: {found}");
            }
            (found, expected) => panic!("{arguments:?}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn without_names_it_is_for_all() {
        check(&["up"], Ok((Action::Up, &["postgres", "rabbitmq", "redis"])));
        check(&["down"], Ok((Action::Down, &["postgres", "rabbitmq", "redis"])));
    }

    #[test]
    fn names_are_taken_once_and_in_one_order() {
        let words = ["status", "redis", "postgres", "redis"];
        check(&words, Ok((Action::Status, &["postgres", "redis"])));
    }

    #[test]
    fn wrong_words_are_refused_with_what_would_be_right() {
        check(&[], Err("services needs an action\nusage: "));
        check(&["start"], Err("no action `start`\nusage: "));
        check(&["up", "kafka", "redis", "nats"], Err("unknown service `kafka`, `nats`; there are"));
        check(&["up", "--all"], Err("`--all`; there are postgres, rabbitmq, redis"));
    }
}
