//! A RabbitMQ node of a test's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{free_port, ids_of, is_root};

/// RabbitMQ itself, not Debian's wrapper, which changes the folder of the logs.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const OWNER: &str = "rabbitmq";
const START_MAX: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A node. Ended, and its data removed, when it is dropped.
pub struct RabbitMqServer {
    folder: TempDir,
    owner: Option<(u32, u32)>,
    /// Where it listens.
    pub port: u16,
    node_port: u16,
    child: Option<Child>,
}

impl RabbitMqServer {
    /// Starts a node with nothing in it.
    ///
    /// # Panics
    ///
    /// When RabbitMQ is not installed or does not start.
    pub fn start() -> Self {
        assert!(PathBuf::from(PROGRAM).exists(), "RabbitMQ is not installed: no {PROGRAM}");
        let folder = tempfile::tempdir().expect("a folder");
        let owner = is_root(folder.path()).then(|| ids_of(OWNER));
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("root may give folders away");
        }
        let (port, node_port) = (free_port(), free_port());
        let mut server = Self { folder, owner, port, node_port, child: None };
        let configuration = format!("listeners.tcp.1 = 127.0.0.1:{port}\n");
        std::fs::write(server.path("rabbitmq.conf"), configuration).expect("written");
        std::fs::write(server.path("enabled_plugins"), "[].\n").expect("written");
        server.launch();
        server
    }

    /// Where it is, for its guest.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Kills it as a power cut would.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The shell that started the node leads its process group.
            let group = format!("-{}", child.id());
            let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
            assert!(killed.expect("kill starts").success(), "the node is killed");
            child.wait().expect("it is gone");
        }
    }

    /// Starts it again with the data that it had.
    pub fn launch(&mut self) {
        let mut command = self.command(PROGRAM);
        let log = std::fs::File::create(self.path("server.log")).expect("a log");
        let same = log.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(log).stderr(same).process_group(0);
        self.child = Some(command.spawn().expect("RabbitMQ starts"));
        self.wait_until_it_serves();
    }

    /// Asks the node something, as `rabbitmqctl` would.
    ///
    /// # Panics
    ///
    /// When it refuses.
    pub fn control(&self, arguments: &[&str]) {
        let asked = self.command(CONTROL).args(arguments).output().expect("rabbitmqctl starts");
        assert!(asked.status.success(), "{arguments:?}: {asked:?}");
    }

    fn wait_until_it_serves(&self) {
        let until = Instant::now() + START_MAX;
        while !self.serves() {
            assert!(
                Instant::now() < until,
                "RabbitMQ does not serve: {}",
                std::fs::read_to_string(self.path("server.log")).unwrap_or_default()
            );
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whether it begins to speak AMQP. The port opens only when the node is up.
    fn serves(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut answer = [0; 1];
        stream.write_all(b"AMQP\0\0\x09\x01").is_ok() && stream.read_exact(&mut answer).is_ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path();
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
        for (name, file) in paths {
            command.env(name, home.join(file));
        }
        command
            .current_dir(home)
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", self.node_port.to_string())
            .env("RABBITMQ_LOGS", "-")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for RabbitMqServer {
    fn drop(&mut self) {
        self.kill();
    }
}
