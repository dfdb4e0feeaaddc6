//! A server of a test's own, which may be stopped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const START_MAX: Duration = Duration::from_secs(20);

/// A server in a folder of its own; ends when it is dropped.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Starts one that appends everything to a file, flushed before it answers.
    pub fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts one with these settings.
    pub fn with(settings: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { folder, port, settings, process: None };
        server.start();
        server
    }

    /// Starts it again after it was killed.
    pub fn start(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.arg("--dir").arg(self.folder.path()).args(&self.settings);
        let process = command.stdout(Stdio::null()).spawn();
        let process =
            process.expect("redis-server is installed (Debian: apt install redis-server)");
        self.process = Some(process);
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < START_MAX, "the server does not answer");
            std::thread::yield_now();
        }
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn answers(&self) -> bool {
        let asking = || -> redis::RedisResult<String> {
            let client = redis::Client::open(self.url())?;
            let mut connection = client.get_connection_with_timeout(START_MAX)?;
            redis::cmd("PING").query(&mut connection)
        };
        match asking() {
            Ok(_) => true,
            // Whoever wants a password is there too.
            Err(error) => error.code() == Some("NOAUTH"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
