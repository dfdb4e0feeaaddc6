//! Debian packages: which are missing, and their installation.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::command::{self, system};
use super::place::Place;

const UPDATE_MAX: Duration = Duration::from_mins(5);
const INSTALL_MAX: Duration = Duration::from_mins(15);
/// How long to wait for another user of the package lists.
const LISTS_LOCK_MAX: Duration = Duration::from_mins(3);
/// A network may be reached through these alone.
const PROXIES: &[&str] =
    &["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Installs those of the packages that are missing, in one go.
pub fn install(place: &Place, packages: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("services: installing {} with apt-get", missing.join(", "));
    let log = place.file("apt.log");
    if let Err(error) = update(place) {
        // One unreachable source of many fails the update; what is wanted may come from another.
        eprintln!("services: going on with the package lists of before: {error:#}");
    }
    let mut install = apt_get();
    install.args(["-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"]);
    install.args(&missing);
    command::run(install, &log, INSTALL_MAX)
        .with_context(|| format!("cannot install {}", missing.join(", ")))
}

/// Fetches the package lists. Their lock has no time-out of its own, hence the loop.
fn update(place: &Place) -> anyhow::Result<()> {
    let log = place.file("apt.log");
    let mut result = Ok(());
    command::wait_until("the lock on the package lists", LISTS_LOCK_MAX, || {
        let mut update = apt_get();
        update.arg("update");
        result = command::run(update, &log, UPDATE_MAX);
        match &result {
            Err(error) if is_lock_failure(&error.to_string()) => Err(error.to_string()),
            _ => Ok(()),
        }
    })?;
    result
}

fn is_lock_failure(message: &str) -> bool {
    message.contains("Could not get lock")
}

/// With the answer to every question, and with the packages' servers left off: run level 1 has
/// none, which is what the packages' scripts ask for.
fn apt_get() -> Command {
    let mut command = system("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    for name in PROXIES {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.args(["-q", "-y", "-o", "Dpkg::Options::=--force-confold"]);
    command
}

fn is_installed(package: &str) -> bool {
    let mut query = system("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]).stderr(Stdio::null());
    query.output().is_ok_and(|output| output.stdout == b"installed")
}
