//! Which servers the tests of a run talk to.
//!
//! `WAYSTATION_REQUIRE` names those that must be there: the gate brings them up, or fails. Of the
//! others the tests get what answers anyway, and the run ends by telling what they did not get.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::programs;
use crate::services::{ALL, Answer, Service, parse_names, probe};

const REQUIRE: &str = "WAYSTATION_REQUIRE";
/// What a build server must have when nothing else is said.
const REQUIRED_IN_CI: &str = "postgres,rabbitmq,redis";
/// The services that tests exist for, and the package whose tests need nothing else. Without the
/// service these tests are left out, and the run says so.
const TESTED: &[(&str, &str)] = &[
    ("postgres", "waystation-postgres"),
    ("rabbitmq", "waystation-rabbitmq"),
    ("redis", "waystation-redis"),
    // Beside the two others.
    ("redis", "foreign-stage"),
];

/// The services that this run must have, from the environment.
///
/// One whose URL the caller has set is the caller's own affair, and is not among them.
pub fn required() -> anyhow::Result<Vec<&'static Service>> {
    let in_ci = env::var("CI").is_ok_and(|value| value == "true");
    let mut services = parse(env::var(REQUIRE).ok().as_deref(), in_ci).context(REQUIRE)?;
    services.retain(|service| !is_set(service));
    Ok(services)
}

/// What the tests of a run get.
pub struct Backends {
    found: Vec<&'static Service>,
    missing: Vec<String>,
    left_out: Vec<&'static str>,
    programs_missing: Vec<&'static str>,
}

impl Backends {
    /// Looks which services answer now.
    pub fn look(root: &Path) -> Self {
        let mut backends = Self {
            found: Vec::new(),
            missing: Vec::new(),
            left_out: Vec::new(),
            programs_missing: programs::missing(root).collect(),
        };
        for (tested, package) in TESTED {
            let service = ALL.iter().copied().find(|service| service.name == *tested);
            let Some(service) = service.filter(|service| !is_set(service)) else { continue };
            let Service { name, port, .. } = service;
            let why = match probe(service) {
                Answer::Serves => {
                    backends.found.push(service);
                    continue;
                }
                Answer::Nothing => format!("nothing answers on 127.0.0.1:{port}"),
                Answer::Unfit(why) => why,
            };
            backends.missing.push(format!("{name}, and so {package} ({why})"));
            backends.left_out.push(package);
        }
        backends
    }

    /// Tells the command, and so the tests, where the services are, and leaves out the packages
    /// whose service is not there.
    pub fn pass_to(&self, command: &mut Command) {
        for package in &self.left_out {
            command.args(["--exclude", package]);
        }
        for service in &self.found {
            command.env(service.variable, service.url);
        }
    }

    /// Whether every service that tests exist for is there, found or named by the caller.
    pub fn are_all_there(&self) -> bool {
        self.missing.is_empty()
    }

    /// The names of tests that cannot run here.
    pub fn tests_to_skip(&self) -> impl Iterator<Item = &'static str> {
        self.programs_missing.iter().copied()
    }

    /// Says what was not tested, if there is such a thing.
    pub fn tell_untested(&self) {
        for missing in &self.missing {
            eprintln!("xtask: NOT TESTED: {missing}");
        }
        for program in &self.programs_missing {
            eprintln!("xtask: NOT TESTED: {program} cannot be used here, so its tests are not run");
        }
        if !self.missing.is_empty() {
            eprintln!("hint: `cargo xtask services up` or `docker compose up --wait`");
        }
    }
}

/// Reads the list; without one, a build server has its own.
fn parse(value: Option<&str>, in_ci: bool) -> anyhow::Result<Vec<&'static Service>> {
    let list = value.unwrap_or(if in_ci { REQUIRED_IN_CI } else { "" });
    parse_names(list.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

fn is_set(service: &Service) -> bool {
    env::var_os(service.variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn names(value: Option<&str>, in_ci: bool) -> Vec<&'static str> {
        parse(value, in_ci).unwrap().iter().map(|service| service.name).collect()
    }

    #[test]
    fn the_list_decides_wherever_there_is_one() {
        for in_ci in [false, true] {
            assert_eq!(names(Some("redis, postgres"), in_ci), ["postgres", "redis"]);
            assert!(names(Some(""), in_ci).is_empty());
        }
    }

    #[test]
    fn build_servers_need_every_tested_service_and_people_none() {
        assert_eq!(names(None, true), ["postgres", "rabbitmq", "redis"]);
        assert!(names(None, false).is_empty());
    }

    #[test]
    fn unknown_names_are_refused() {
        let message = parse(Some("postgres,mysql"), false).err().unwrap().to_string();
        assert!(message.starts_with("unknown service `mysql`; there are postgres,"), "{message}");
    }
}
