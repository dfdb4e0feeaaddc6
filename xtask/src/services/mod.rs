//! `cargo xtask services`: the servers that tests talk to, on their standard ports, loopback only.
//!
//! Made for a Debian machine with neither systemd nor Docker, where they are installed and started
//! as root; `compose.yaml` gives the same elsewhere. A service is one file with one [`Service`].
//!
//! States of a port: nothing listens there, the service serves, or another has it ([`probe`]).
//! What serves already is used as it is. What `up` started is remembered below `target/services`
//! ([`started`]), and only that is stopped by `down`; hence `down` before `cargo clean`.

mod apt;
mod arguments;
mod command;
mod daemon;
mod down;
mod lock;
mod machine;
mod place;
mod postgres;
mod probe;
mod rabbitmq;
mod redis;
mod started;
mod status;
mod up;

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use anyhow::bail;

use arguments::Action;
use place::Place;

pub use arguments::parse_names;
pub use probe::{Answer, probe};
pub use up::up;

/// The services in the order in which they are shown.
pub const ALL: &[&Service] = &[&postgres::SERVICE, &rabbitmq::SERVICE, &redis::SERVICE];

/// A server that tests talk to: what it is, and how it is had on Debian.
pub struct Service {
    /// What command lines call it.
    pub name: &'static str,
    /// The port of 127.0.0.1 that it serves on.
    pub port: u16,
    /// Where the tests find it.
    pub url: &'static str,
    /// The environment variable that gives tests the URL.
    pub variable: &'static str,
    /// Ports that it takes besides.
    side_ports: &'static [u16],
    /// The Debian packages that it needs.
    packages: &'static [&'static str],
    /// What to do about a server on the port that cannot serve the tests.
    remedy: &'static str,
    /// Speaks just enough of the protocol to know that tests would be served.
    greet: fn(&mut TcpStream) -> anyhow::Result<()>,
    /// Starts the server; it need not serve yet.
    start: fn(&Place) -> anyhow::Result<()>,
    /// Where the process id of the server stands once it was started.
    pid_file: fn(&Place) -> PathBuf,
    /// Called once the server answers: creates what tests expect to find in it.
    prepare: Option<fn(&Place) -> anyhow::Result<()>>,
    /// Asks the process to end; it need not have ended yet.
    stop: fn(&Place, u32) -> anyhow::Result<()>,
    /// Where the server writes its log.
    log: fn(&Place) -> PathBuf,
}

/// Installs Debian packages that are not there.
pub fn install_packages(root: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let place = Place::of(root);
    machine::check_can_install()?;
    place.create()?;
    let _lock = lock::acquire()?;
    apt::install(&place, packages)
}

/// Runs `up`, `down` or `status` with the rest of the command line.
pub fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let (action, services) = arguments::parse(arguments)?;
    match action {
        Action::Up => up(root, &services),
        Action::Down => down::down(root, &services),
        Action::Status => {
            print!("{}", status::status(root, &services));
            Ok(())
        }
    }
}

/// Fails with all the problems at once, one below the other.
fn fail_with_all(problems: &[anyhow::Error]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems.iter().map(|problem| format!("{problem:#}")).collect();
    bail!("{}", problems.join("\n"))
}
