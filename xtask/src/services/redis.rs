//! Redis that keeps what it was told: every write is on disk before it is answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::Service;
use super::daemon::{self, Daemon};
use super::place::Place;
use super::probe::silence;

/// Redis, as the command line calls it.
pub const SERVICE: Service = Service {
    name: NAME,
    port: 6379,
    url: "redis://127.0.0.1:6379",
    variable: "WAYSTATION_TEST_REDIS",
    side_ports: &[],
    packages: &["redis-server", "redis-tools"],
    remedy: "stop it, or let it serve without a password",
    greet,
    start,
    pid_file,
    prepare: None,
    stop,
    log,
};

const NAME: &str = "redis";
const USER: &str = "redis";
/// `compose.yaml` says the same.
const SETTINGS: &[&str] = &[
    "--bind",
    "127.0.0.1",
    "--port",
    "6379",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
    "--daemonize",
    "no",
];

fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).map_err(silence).context("no Redis")?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    match answer.trim_end() {
        "+PONG" => Ok(()),
        error if error.starts_with('-') => bail!("Redis refuses: {}", &error[1..]),
        _ => bail!("no Redis: its answer is of another kind"),
    }
}

fn start(place: &Place) -> anyhow::Result<()> {
    let home = place.home(NAME, USER)?;
    let daemon = Daemon { name: NAME, user: USER, home: &home, environment: &[] };
    let folder = home.display().to_string();
    let mut arguments = SETTINGS.to_vec();
    arguments.extend(["--dir", &folder]);
    daemon.start(place, "/usr/bin/redis-server", &arguments)
}

fn pid_file(place: &Place) -> PathBuf {
    daemon::pid_file(place, NAME)
}

fn stop(place: &Place, pid: u32) -> anyhow::Result<()> {
    daemon::stop(place, NAME, pid)
}

fn log(place: &Place) -> PathBuf {
    daemon::log(place, NAME)
}

#[cfg(test)]
mod tests {
    use super::greet;
    use crate::services::probe::tests::greeted;

    #[test]
    fn redis_is_told_from_others() {
        let check = |answers| greeted(greet, answers);
        assert_eq!(check(&[b"+PONG\r\n"]), Ok(()));
        let refused = "Redis refuses: NOAUTH Authentication required.";
        assert_eq!(check(&[b"-NOAUTH Authentication required.\r\n"]), Err(refused.to_owned()));
        let other = "no Redis: its answer is of another kind";
        assert_eq!(check(&[b"HTTP/1.1 400 Bad Request\r\n"]), Err(other.to_owned()));
    }
}
