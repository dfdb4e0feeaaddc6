//! RabbitMQ with its management plugin, all of it below one folder, nothing in `/etc`.
//!
//! Quorum queues need no setting: they are part of a new node.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::Service;
use super::command::{system, wait_until};
use super::daemon::{self, Daemon};
use super::place::Place;
use super::probe::{connect, silence};

/// RabbitMQ, as the command line calls it.
pub const SERVICE: Service = Service {
    name: NAME,
    port: 5672,
    url: "amqp://guest:guest@127.0.0.1:5672/%2f",
    variable: "WAYSTATION_TEST_RABBITMQ",
    side_ports: &[MANAGEMENT_PORT, NODE_PORT],
    packages: &["rabbitmq-server"],
    remedy: "stop it, or let guest log in to it with the password guest",
    greet,
    start,
    pid_file,
    prepare: Some(prepare),
    stop,
    log,
};

const NAME: &str = "rabbitmq";
const USER: &str = "rabbitmq";
const MANAGEMENT_PORT: u16 = 15672;
/// Where Erlang listens for other nodes, by its own choice: 20000 past the first.
const NODE_PORT: u16 = 25672;
const MANAGEMENT_MAX: Duration = Duration::from_secs(30);

const CONFIGURATION: &str = "\
listeners.tcp.1 = 127.0.0.1:5672
management.tcp.ip = 127.0.0.1
management.tcp.port = 15672
";
const PLUGINS: &str = "[rabbitmq_management].\n";
const NODE_ON_LOOPBACK: &str = "-kernel inet_dist_use_interface {127,0,0,1}";

const FRAME_END: u8 = 0xce;
const METHOD_START: &[u8] = &[0, 10, 0, 10];
const METHOD_START_OK: &[u8] = &[0, 10, 0, 11];
const METHOD_TUNE: &[u8] = &[0, 10, 0, 30];
/// More than any answer during a login.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Logs in as guest: the port opens before the node can serve.
fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    let method = read_method(stream).context("no RabbitMQ")?;
    ensure!(method == METHOD_START, "no RabbitMQ: it does not start as AMQP 0-9-1 does");
    stream.write_all(&start_ok("guest", "guest"))?;
    let method = read_method(stream).context("RabbitMQ does not let guest log in")?;
    ensure!(method == METHOD_TUNE, "RabbitMQ does not let guest log in: method {method:?}");
    Ok(())
}

/// Reads one frame and returns the class and the method in it.
fn read_method(stream: &mut TcpStream) -> anyhow::Result<[u8; 4]> {
    let mut header = [0; 7];
    stream.read_exact(&mut header).map_err(silence)?;
    let [kind, _, _, length @ ..] = header;
    let length = u32::from_be_bytes(length) as usize;
    if kind != 1 || !(4..=PAYLOAD_BYTES_MAX).contains(&length) {
        bail!("its answer is of another kind");
    }
    let mut payload = vec![0; length + 1];
    stream.read_exact(&mut payload).map_err(silence)?;
    ensure!(payload[length] == FRAME_END, "its answer is of another kind");
    Ok([payload[0], payload[1], payload[2], payload[3]])
}

/// The frame that answers the server's start: no properties, PLAIN, the login, the locale.
fn start_ok(user: &str, password: &str) -> Vec<u8> {
    let login = format!("\0{user}\0{password}");
    let mut payload = METHOD_START_OK.to_vec();
    payload.extend_from_slice(&[0, 0, 0, 0]);
    payload.extend_from_slice(b"\x05PLAIN");
    payload.extend_from_slice(&(login.len() as u32).to_be_bytes());
    payload.extend_from_slice(login.as_bytes());
    payload.extend_from_slice(b"\x05en_US");
    let mut frame = vec![1, 0, 0];
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(&payload);
    frame.push(FRAME_END);
    frame
}

fn start(place: &Place) -> anyhow::Result<()> {
    let home = place.home(NAME, USER)?;
    let files = [("rabbitmq.conf", CONFIGURATION), ("enabled_plugins", PLUGINS)];
    for (name, text) in files {
        let path = home.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // Each of these has a file or a folder of the machine as its default.
    let paths = [
        ("HOME", ""),
        ("RABBITMQ_CONF_ENV_FILE", "rabbitmq-env.conf"),
        ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ("RABBITMQ_CONFIG_FILES", "conf.d"),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_LOG_BASE", "log"),
    ];
    let path = |name: &str| home.join(name).display().to_string();
    let mut environment: Vec<_> = paths.iter().map(|(key, name)| (*key, path(name))).collect();
    // Names that resolve on every machine, unlike its host name.
    environment.push(("RABBITMQ_NODENAME", "waystation@localhost".to_owned()));
    environment.push(("RABBITMQ_LOGS", "-".to_owned()));
    environment.push(("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", NODE_ON_LOOPBACK.to_owned()));
    environment.push(("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()));
    let daemon = Daemon { name: NAME, user: USER, home: &home, environment: &environment };
    // Not `/usr/sbin/rabbitmq-server`: Debian's wrapper changes the folder of its logs.
    daemon.start(place, "/usr/lib/rabbitmq/bin/rabbitmq-server", &[])
}

/// The management plugin opens its port on its own time.
fn prepare(_place: &Place) -> anyhow::Result<()> {
    wait_until("RabbitMQ's management API on 127.0.0.1:15672", MANAGEMENT_MAX, || {
        ask_management().map_err(|error| format!("{error:#}"))
    })
}

fn ask_management() -> anyhow::Result<()> {
    let mut stream = connect(MANAGEMENT_PORT)?;
    // The header is guest:guest.
    let request = "GET /api/overview HTTP/1.0\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).map_err(silence)?;
    ensure!(answer.ends_with(b" 200"), "it answers {}", String::from_utf8_lossy(&answer));
    Ok(())
}

fn pid_file(place: &Place) -> PathBuf {
    daemon::pid_file(place, NAME)
}

/// The node ends in order when it is told to. The port mapper of Erlang, which it started, stays
/// if it still serves another node: then it refuses.
fn stop(place: &Place, pid: u32) -> anyhow::Result<()> {
    daemon::stop(place, NAME, pid)?;
    daemon::wait_for_end(pid)?;
    let _ = system("epmd").arg("-kill").output();
    Ok(())
}

fn log(place: &Place) -> PathBuf {
    daemon::log(place, NAME)
}

#[cfg(test)]
mod tests {
    use super::{greet, start_ok};
    use crate::services::probe::tests::greeted;

    const START: &[u8] = b"\x01\0\0\0\0\0\x06\0\x0a\0\x0a\0\x09\xce";
    const TUNE: &[u8] = b"\x01\0\0\0\0\0\x04\0\x0a\0\x1e\xce";
    const CLOSE: &[u8] = b"\x01\0\0\0\0\0\x04\0\x0a\0\x32\xce";

    #[test]
    fn rabbitmq_is_told_from_others() {
        let check = |answers| greeted(greet, answers);
        assert_eq!(check(&[START, TUNE]), Ok(()));
        let refused = "RabbitMQ does not let guest log in: method [0, 10, 0, 50]";
        assert_eq!(check(&[START, CLOSE]), Err(refused.to_owned()));
        let other = "no RabbitMQ: its answer is of another kind";
        assert_eq!(check(&[b"HTTP/1.1 400 Bad Request\r\n"]), Err(other.to_owned()));
        let early = "no RabbitMQ: it does not start as AMQP 0-9-1 does";
        assert_eq!(check(&[TUNE]), Err(early.to_owned()));
    }

    #[test]
    fn the_login_is_a_frame_of_the_length_it_says() {
        let frame = start_ok("guest", "guest");
        assert_eq!(frame.len(), 7 + frame[6] as usize + 1);
        assert_eq!(frame.last(), Some(&0xce));
    }
}
