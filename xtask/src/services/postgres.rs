//! PostgreSQL: a cluster of its own on Debian, beside the machine's `main`, which is left alone.
//!
//! `fsync` stays on: tests that kill processes rely on what was committed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::Service;
use super::command::{self, system, system_as};
use super::place::Place;
use super::probe::silence;

/// PostgreSQL, as the command line calls it.
pub const SERVICE: Service = Service {
    name: NAME,
    port: 5432,
    url: URL,
    variable: "WAYSTATION_TEST_POSTGRES",
    side_ports: &[],
    packages: &["postgresql"],
    remedy: "stop it, or run xtask/src/services/postgres.sql in it as its superuser",
    greet,
    start,
    pid_file,
    prepare: Some(prepare),
    stop,
    log,
};

const NAME: &str = "postgres";
const URL: &str = "postgres://test:test@127.0.0.1:5432/test";
const CLUSTER: &str = "waystation";
/// Where the cluster's owner may write.
const LOG: &str = "/var/log/postgresql/waystation.log";
const PID_FILE: &str = "/run/postgresql/waystation.pid";
/// Given at every start, so that a change reaches a cluster that exists; see `compose.yaml`.
const SETTINGS: &[&str] =
    &["listen_addresses=127.0.0.1", "max_connections=300", "fsync=on", "ssl=off"];
const COMMAND_MAX: Duration = Duration::from_mins(1);
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// Looks for PostgreSQL's protocol; where there is a `psql`, logs in with it, too.
fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
    shake_hands(stream)?;
    log_in()
}

/// Sends a start-up message and reads the kind of the answer.
fn shake_hands(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut message = Vec::new();
    message.extend_from_slice(&196_608_u32.to_be_bytes());
    message.extend_from_slice(b"user\0test\0database\0test\0\0");
    let length = message.len() as u32 + 4;
    stream.write_all(&[&length.to_be_bytes(), &message[..]].concat())?;
    let mut answer = [0; 512];
    let length = stream.read(&mut answer).map_err(silence).context("no PostgreSQL")?;
    match answer[..length].first() {
        Some(b'R') => Ok(()),
        Some(b'E') => bail!("PostgreSQL refuses: {}", refusal(&answer[5.min(length)..length])),
        _ => bail!("no PostgreSQL: its answer is of another kind"),
    }
}

/// The human part of an error message: fields of a letter and a text, `M` being the text.
fn refusal(fields: &[u8]) -> String {
    let mut fields = fields.split(|byte| *byte == 0);
    let text = fields.find_map(|field| field.strip_prefix(b"M")).unwrap_or(b"for no reason");
    String::from_utf8_lossy(text).into_owned()
}

/// The password is checked by whoever knows the protocol to its end.
fn log_in() -> anyhow::Result<()> {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-c", "select 1", URL]).env("PGCONNECT_TIMEOUT", "5");
    psql.stdin(std::process::Stdio::null());
    match command::output(psql, LOGIN_MAX) {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => {
            // The command's errors are the same line for each attempt that it made.
            let message = error.to_string();
            let line = message.lines().next_back().unwrap_or_default();
            bail!("PostgreSQL does not let test log in: {line}")
        }
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
}

fn start(place: &Place) -> anyhow::Result<()> {
    let version = match find_cluster()? {
        Some(version) => version,
        None => create_cluster(place)?,
    };
    let pid_file = format!("external_pid_file={PID_FILE}");
    let settings = SETTINGS.iter().copied().chain([&*pid_file]);
    let settings: Vec<String> = settings.map(|setting| format!("-c {setting}")).collect();
    control(place, &version, &["start", "--options", &settings.join(" ")])
}

fn pid_file(_place: &Place) -> PathBuf {
    PathBuf::from(PID_FILE)
}

/// Creates the role and the database of the tests, or brings them back to what they should be.
fn prepare(place: &Place) -> anyhow::Result<()> {
    let version = find_cluster()?.context("the cluster is gone")?;
    let source = place.source("xtask/src/services/postgres.sql");
    let script =
        File::open(&source).with_context(|| format!("cannot open {}", source.display()))?;
    let mut psql = system_as("postgres", "psql");
    psql.args(["--cluster", &format!("{version}/{CLUSTER}"), "-X", "-q"]);
    psql.args(["-v", "ON_ERROR_STOP=1", "-d", "postgres"]).stdin(script);
    command::run(psql, &place.commands_log(NAME), COMMAND_MAX)
}

fn stop(place: &Place, _pid: u32) -> anyhow::Result<()> {
    let version = find_cluster()?.context("the cluster is gone")?;
    control(place, &version, &["stop", "-m", "fast"])
}

fn log(_place: &Place) -> PathBuf {
    PathBuf::from(LOG)
}

/// Runs Debian's control of clusters, which changes from root to the cluster's owner by itself.
fn control(place: &Place, version: &str, action: &[&str]) -> anyhow::Result<()> {
    let mut control = system("pg_ctlcluster");
    control.args(["--skip-systemctl-redirect", version, CLUSTER]).args(action);
    command::run(control, &place.commands_log(NAME), COMMAND_MAX)
}

/// The version of our cluster, if there is one.
fn find_cluster() -> anyhow::Result<Option<String>> {
    let mut list = system("pg_lsclusters");
    list.arg("--no-header");
    Ok(parse_clusters(&command::output(list, COMMAND_MAX)?))
}

/// Finds ours among lines of version, name, port, state, owner, data folder and log.
fn parse_clusters(list: &str) -> Option<String> {
    let rows = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter_map(|row| match row[..] {
        [version, CLUSTER, ..] => Some(version.to_owned()),
        _ => None,
    });
    ours.max_by_key(|version| version_number(version))
}

fn create_cluster(place: &Place) -> anyhow::Result<String> {
    let version = newest_version(Path::new("/usr/lib/postgresql"))?;
    let mut create = system("pg_createcluster");
    create.args([&version, CLUSTER, "--port", "5432", "--start-conf", "manual"]);
    create.args(["--logfile", LOG, "--locale", "C.UTF-8", "--encoding", "UTF8"]);
    command::run(create, &place.commands_log(NAME), COMMAND_MAX)?;
    Ok(version)
}

/// The highest version that has a server.
fn newest_version(folder: &Path) -> anyhow::Result<String> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {shown}"))?;
    let servers = entries.flatten().filter(|entry| entry.path().join("bin/postgres").exists());
    let versions = servers.filter_map(|entry| entry.file_name().into_string().ok());
    let newest = versions.max_by_key(|version| version_number(version)).unwrap_or_default();
    ensure!(!newest.is_empty(), "no server below {shown}");
    Ok(newest)
}

/// `15` for 15, `906` for 9.6.
fn version_number(version: &str) -> u32 {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let major: u32 = parts.next().unwrap_or(0);
    parts.next().map_or(major * 100, |minor| major * 100 + minor)
}

#[cfg(test)]
mod tests {
    use super::{parse_clusters, refusal, shake_hands, version_number};
    use crate::services::probe::tests::greeted;

    #[test]
    fn our_cluster_is_found_among_others_and_the_newest_of_ours() {
        let list = "\
9.6 waystation 5432 down postgres /data/9.6 /log/9.6
15  main       5432 down postgres /data/main /log/main
15  waystation 5432 online postgres /data/15 /log/15
";
        assert_eq!(parse_clusters(list).as_deref(), Some("15"));
        assert_eq!(parse_clusters("15 main 5432 down postgres /data /log\n"), None);
        assert_eq!(parse_clusters(""), None);
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(version_number("9.6") < version_number("10"));
        assert!(version_number("9.6") < version_number("15"));
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        let fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0";
        assert_eq!(refusal(fields), "the database system is starting up");
        assert_eq!(refusal(b""), "for no reason");
    }

    #[test]
    fn postgres_is_told_from_others() {
        let check = |answers| greeted(shake_hands, answers);
        assert_eq!(check(&[b"R\0\0\0\x08\0\0\0\x0a"]), Ok(()));
        assert_eq!(
            check(&[b"E\0\0\0\x10Mtoo many\0\0"]),
            Err("PostgreSQL refuses: too many".into())
        );
        let other = "no PostgreSQL: its answer is of another kind";
        assert_eq!(check(&[b"HTTP/1.1 400 Bad Request\r\n"]), Err(other.to_owned()));
        assert_eq!(check(&[b""]), Err(other.to_owned()));
    }
}
